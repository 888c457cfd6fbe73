#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "report/digest.hpp"
#include "report/formats.hpp"
#include "report/heatmap.hpp"

namespace podwright {

namespace {

constexpr std::size_t most_pairs = 50;
constexpr int heatmap_width = 100;

/// Text that Markdown leaves alone, also within a table, and that holds no HTML.
std::string md(std::string_view text) {
  std::string safe;
  for (const char c : one_line(text)) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '\\':
      case '`':
      case '*':
      case '_':
      case '[':
      case ']':
      case '|':
      case '#':
      case '~':
      case '!':
        safe += '\\';
        safe += c;
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

/// A block that nothing within can end: a fence longer than any run of backticks in it.
std::string block(std::string_view text) {
  const auto clean = clean_output(text);
  std::size_t longest = 2;
  std::size_t run = 0;
  for (const char c : clean) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`');
  return fmt::format("{}text\n{}{}{}\n", fence, clean, clean.ends_with('\n') ? "" : "\n", fence);
}

/// Rows of cells that are Markdown already.
std::string table(const std::vector<std::string>& headings,
                  const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return {};
  std::string out = "| " + join(headings, " | ") + " |\n|";
  for (std::size_t i = 0; i < headings.size(); ++i) out += " --- |";
  out += '\n';
  for (const auto& row : rows) out += "| " + join(row, " | ") + " |\n";
  return out + '\n';
}

std::string_view mark(bool good) { return good ? "✅" : "❌"; }

std::string stages(const Report& report) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& stage : stages_of(report)) {
    const auto result = stage.outcome == Stage::Outcome::passed   ? "✅ passed"
                        : stage.outcome == Stage::Outcome::failed ? "❌ **FAILED**"
                                                                  : "– not run";
    rows.push_back({md(stage.name), result, md(stage.text)});
  }
  return table({"Stage", "Result", "Figures"}, rows);
}

std::string findings(const Report& report) {
  std::string out;
  const auto all = findings_of(report);
  for (const bool blocks : {true, false}) {
    std::size_t number = 0;
    for (const auto& finding : all) {
      if (finding.blocks != blocks) continue;
      if (number == 0) out += blocks ? "## Problems\n\n" : "## To know about\n\n";
      ++number;
      out += fmt::format("{}. **{}** ({}): {}", number, md(finding.where), md(finding.stage),
                         md(finding.what));
      if (!finding.remedy.empty()) out += fmt::format("  \n   → {}", md(finding.remedy));
      out += '\n';
    }
    if (number > 0) out += '\n';
  }
  return out;
}

std::string nodes(const Report& report) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& one : classes_of(report)) {
    rows.push_back({md(names_of(one.nodes)), std::to_string(one.nodes.size()), md(one.machine),
                    md(one.processor), md(one.memory), md(one.accelerators), md(one.network),
                    md(one.system)});
  }
  if (rows.empty()) return {};
  return "## Nodes\n\n" + table({"Nodes", "Count", "Machine", "Processor", "Memory", "Accelerators",
                                 "Network", "System"},
                                rows);
}

std::string installation(const Report& report) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& group : installs_of(report)) {
    const bool aside = group.status == NodeStatus::quarantined;
    rows.push_back({md(names_of(group.nodes)),
                    fmt::format("{} {}", aside ? "⚠️" : mark(group.status == NodeStatus::ok),
                                aside ? "set aside" : to_string(group.status)),
                    md(group.text), md(group.remedy)});
  }
  if (rows.empty()) return {};
  return fmt::format("## {}\n\n{}", report.applied ? "Installation" : "Plan",
                     table({"Nodes", "Result", "What", "Remedy"}, rows));
}

std::string bad_pairs(const FabricReport& fabric) {
  std::vector<std::vector<std::string>> rows;
  std::size_t left_out = 0;
  for (const auto& pair : fabric.pairs) {
    if (pair.status == Verdict::pass) continue;
    if (rows.size() == most_pairs) {
      ++left_out;
      continue;
    }
    const auto& result = pair.result;
    const bool failed = pair.status == Verdict::failed;
    rows.push_back({md(result.pair.a), md(result.pair.b), std::to_string(result.pair.rail),
                    std::to_string(result.round),
                    failed ? "" : fmt::format("{:.1f}", result.gbps_ab),
                    failed ? "" : fmt::format("{:.1f}", result.gbps_ba),
                    fmt::format("{:.1f}", pair.expected_gbps),
                    failed ? fmt::format("**failed**: {}", md(result.error)) : "slow"});
  }
  auto out = table(
      {"A", "B", "Rail", "Round", "A to B, Gbit/s", "B to A, Gbit/s", "Expected", "Result"}, rows);
  if (left_out > 0) out += fmt::format("…and {} more in fabric.json.\n\n", left_out);
  return out;
}

std::string fabric(const Report& report) {
  if (!report.fabric) return {};
  const auto& fabric = *report.fabric;
  std::string out = fmt::format("## Interconnect\n\n{} {}\n\n", mark(fabric.verdict.pass),
                                md(fabric.verdict.summary));
  std::vector<std::vector<std::string>> faults;
  const bool several = has_several_rails(fabric);
  for (const auto& fault : fabric.verdict.nodes) {
    faults.push_back({md(fault.name), md(describe(fault, several)),
                      fault.cause == "slow" ? fmt::format("{:.1f}", fault.gbps) : "",
                      fmt::format("{:.1f} %", fault.confidence * 100), md(fault.evidence)});
  }
  for (const auto& link : fabric.verdict.links) {
    faults.push_back({md(link.a + " - " + link.b),
                      several ? fmt::format("rail {}: path", link.rail) : "path",
                      fmt::format("{:.1f}", link.gbps),
                      fmt::format("{:.1f} %", link.confidence * 100), md(link.evidence)});
  }
  for (const auto& set : fabric.verdict.ambiguous) {
    faults.push_back({md(names_of(set)), "undecided", "", "", "at least one of these is at fault"});
  }
  out += table({"At fault", "How", "Gbit/s", "Confidence", "Evidence"}, faults);
  if (const auto map = text_heatmap(fabric, report.nodes, heatmap_width, false); !map.empty())
    out += block(map) + '\n';
  out += bad_pairs(fabric);
  std::vector<std::vector<std::string>> collectives;
  for (const auto& one : fabric.collectives) {
    collectives.push_back({md(one.name), one.node.empty() ? std::to_string(one.nodes) : md(one.node),
                           three_digits(one.busbw_gbytes_per_s), three_digits(one.expected_gbytes_per_s),
                           fmt::format("{} {}", mark(one.status == Verdict::pass), md(one.error))});
  }
  return out +
         table({"Collective", "Nodes", "Bus bandwidth, GB/s", "Expected", "Result"}, collectives);
}

std::string check_table(const CheckReport& report) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, node] : report.nodes) {
    if (!node.error.empty())
      rows.push_back({"❌ error", "(node)", md(name), md(node.error), "", ""});
  }
  for (const auto& group : checks_of(report)) {
    std::string status = "❌ ";
    if (group.status == CheckStatus::warn) status = "⚠️ ";
    if (group.status == CheckStatus::skip) status = "– ";
    if (group.status == CheckStatus::pass) status = "✅ ";
    rows.push_back({status + std::string(to_string(group.status)), md(group.id),
                    md(names_of(group.nodes)), md(group.observed), md(group.expected),
                    md(group.remedy)});
  }
  return table({"Result", "Check", "Nodes", "Observed", "Expected", "Remedy"}, rows);
}

std::string checks(const Report& report) {
  return report.checks ? "## Health checks\n\n" + check_table(*report.checks) : std::string();
}

std::string handoff(const Report& report) {
  if (!report.handoff) return {};
  std::string out = "## Hand-off\n\n";
  std::vector<std::vector<std::string>> rows;
  for (const auto& target : report.handoff->targets) {
    std::vector<std::string> files;
    for (const auto& file : target.files) files.push_back(md(file));
    rows.push_back({md(target.name),
                    fmt::format("{} {}", mark(target.status == "ok"), md(target.status)),
                    join(files, ", "), md(target.error)});
  }
  out += table({"Target", "Result", "Files", "Error"}, rows);
  for (const auto& proof : report.handoff->proofs) {
    out += fmt::format("### {} Proof: {}\n\n{}\n\n", mark(proof.pass), md(proof.name),
                       md(proof.summary));
    if (!proof.command.empty()) out += block("$ " + proof.command) + '\n';
    if (!trim(proof.output).empty()) out += block(proof.output) + '\n';
  }
  return out;
}

}  // namespace

std::string to_markdown(const CheckReport& report, const std::string& cluster) {
  return fmt::format("# {} Health checks of {}: {}\n\n{}", mark(report.pass()), md(cluster),
                     report.pass() ? "passed" : "not passed", check_table(report));
}

std::string to_markdown(const Report& report) {
  auto out = fmt::format("# {} {}: {}\n\n{}\n\n", mark(report.pass()), verdict_word(report),
                         md(report.cluster), md(verdict_line(report)));
  out += table({"", ""}, {{"Profile", md(report.profile)},
                          {"Run", md(report.run)},
                          {"Created", md(report.created)},
                          {"podwright", md(report.version)}});
  out += stages(report) + findings(report) + nodes(report) + installation(report) + fabric(report) +
         checks(report) + handoff(report);
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace podwright
