#include "cli/result_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/fold.hpp"
#include "config/nodeset.hpp"
#include "report/digest.hpp"

namespace podwright::cli {

namespace {

std::string percent(double part, double whole) {
  return whole > 0 ? fmt::format("{:.0f} %", 100 * part / whole) : std::string("-");
}

/// Smallest, middle and largest of what was measured.
std::string spread(std::vector<double> values) {
  if (values.empty()) return "nothing could be measured";
  std::ranges::sort(values);
  return fmt::format("{} least, {} median, {} most Gbit/s", three_digits(values.front()), three_digits(values[values.size() / 2]),
                     three_digits(values.back()));
}

std::string node_fault(const NodeFault& fault) {
  std::string text = fault.cause == "failed"
                         ? "could not be measured"
                         : fmt::format("{} Gbit/s {}", three_digits(fault.gbps), fault.direction == "both" ? "both ways" : fault.direction + " only");
  text += fmt::format(", rail {}, confidence {:.1f} %", fault.rail, fault.confidence * 100);
  if (!fault.evidence.empty()) text += "; " + fault.evidence;
  return text;
}

std::string finding_text(const CheckResult& check, std::size_t width) {
  const bool good = check.status == CheckStatus::skip || check.status == CheckStatus::pass;
  std::string text;
  if (!check.observed.empty()) text += paragraph("observed: " + clean_output(check.observed), width, 6);
  if (!check.expected.empty() && !good) text += paragraph("expected: " + clean_output(check.expected), width, 6);
  if (!check.remedy.empty() && !good) text += paragraph("remedy: " + clean_output(check.remedy), width, 6);
  return text;
}

}  // namespace

std::string fabric_text(const FabricReport& report, const Style& style, std::size_t width) {
  const auto& verdict = report.verdict;
  std::string text = passed(report) ? style.good("PASS") : style.bad("FAIL");
  text += verdict.summary.empty() ? "\n" : "  " + clean_output(verdict.summary) + "\n";

  if (!verdict.nodes.empty()) {
    Table table({"node at fault", "what"});
    for (const auto& fault : verdict.nodes) table.add({fault.name, clean_output(node_fault(fault))});
    text += "\n" + table.text(width, 0, style);
  }
  if (!verdict.links.empty()) {
    Table table({"link at fault", "what"});
    for (const auto& link : verdict.links) {
      table.add({link.a + " - " + link.b,
                 clean_output(fmt::format("{} Gbit/s, confidence {:.1f} %{}{}", three_digits(link.gbps), link.confidence * 100,
                                          link.evidence.empty() ? "" : "; ", link.evidence))});
    }
    text += "\n" + table.text(width, 0, style);
  }
  for (const auto& set : verdict.ambiguous) {
    const bool links = std::ranges::any_of(set, [](const std::string& name) { return name.find(':') != std::string::npos; });
    text += "\n" + paragraph(fmt::format("ambiguous: at least one of {} is at fault",
                                         links ? human_list(set, 20) : fold_names(set)), width);
  }

  std::map<Verdict, std::vector<const JudgedPair*>> by_status;
  std::vector<double> measured;
  for (const auto& pair : report.pairs) {
    by_status[pair.status].push_back(&pair);
    if (pair.result.error.empty()) measured.push_back(pair.gbps);
  }
  text += fmt::format("\n{} in {}: {} pass, {} slow, {} failed\n", count_of(report.pairs.size(), "pair"),
                      count_of(static_cast<std::size_t>(std::max(report.rounds, 0)), "round"),
                      by_status[Verdict::pass].size(), by_status[Verdict::slow].size(),
                      by_status[Verdict::failed].size());
  if (!measured.empty()) text += spread(measured) + "\n";

  constexpr std::size_t kMostPairs = 20;
  Table table({">round", "pair", ">rail", ">Gbit/s", ">of floor", "what"});
  std::size_t shown = 0;
  std::size_t hidden = 0;
  for (const auto status : {Verdict::failed, Verdict::slow}) {
    for (const auto* pair : by_status[status]) {
      if (shown == kMostPairs) {
        ++hidden;
        continue;
      }
      ++shown;
      const bool failed = status == Verdict::failed;
      table.add({std::to_string(pair->result.round), pair->result.pair.a + " " + pair->result.pair.b,
                 std::to_string(pair->result.pair.rail), failed ? "-" : three_digits(pair->gbps),
                 failed ? "-" : percent(pair->gbps, pair->expected_gbps),
                 failed ? clean_output(pair->result.error) : "slow"});
    }
  }
  if (!table.empty()) text += "\n" + table.text(width, 0, style);
  if (hidden > 0) text += fmt::format("and {} more; --output json has all\n", hidden);

  Table collectives({"collective", "where", ">GB/s", ">expected", "what"});
  for (const auto& one : report.collectives) {
    const auto where = one.node.empty() ? count_of(static_cast<std::size_t>(std::max(one.nodes, 0)), "node") : one.node;
    collectives.add({clean_output(one.name), where, one.error.empty() ? three_digits(one.busbw_gbytes_per_s) : "-",
                     one.expected_gbytes_per_s > 0 ? three_digits(one.expected_gbytes_per_s) : "-",
                     std::string(to_string(one.status)) + (one.error.empty() ? "" : ": " + clean_output(one.error))});
  }
  if (!collectives.empty()) text += "\n" + collectives.text(width, 0, style);
  Table counters({"counter that rose", "port", ">by", "what"});
  for (const auto& one : report.counters) {
    counters.add({clean_output(one.counter), one.node + " " + clean_output(one.port), std::to_string(one.delta),
                  one.fatal ? "an error of the link" : "congestion can do this"});
  }
  if (!counters.empty()) text += "\n" + counters.text(width, 0, style);
  return text;
}

std::string checks_summary(const CheckReport& report) {
  std::map<CheckStatus, std::size_t> counts;
  std::size_t unchecked = 0;
  for (const auto& [node, one] : report.nodes) {
    if (!one.error.empty()) ++unchecked;
    for (const auto& check : one.checks) ++counts[check.status];
  }
  std::string text;
  for (const auto status : {CheckStatus::fail, CheckStatus::error, CheckStatus::warn, CheckStatus::skip, CheckStatus::pass}) {
    if (counts[status] == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", counts[status], to_string(status));
  }
  if (text.empty()) text = "nothing was checked";
  text += " on " + count_of(report.nodes.size(), "node");
  if (unchecked > 0) text += fmt::format("; {} could not be checked", count_of(unchecked, "node"));
  return text;
}

std::string checks_text(const CheckReport& report, bool all, const Style& style, std::size_t width) {
  // Status, check -> node -> what to say: folding finds those that say the same.
  std::map<CheckStatus, std::map<std::string, std::map<NodeId, std::string>>> found;
  std::map<NodeId, Error> unchecked;
  for (const auto& [node, one] : report.nodes) {
    if (!one.error.empty()) unchecked[node] = Error{.what = one.error};
    for (const auto& check : one.checks) found[check.status][check.id][node] += finding_text(check, width);
  }
  std::string text;
  struct Shown {
    CheckStatus status;
    std::string title;
    std::string (Style::*paint)(std::string_view) const;
  };
  const std::array order = {Shown{CheckStatus::fail, "FAIL", &Style::bad}, Shown{CheckStatus::error, "ERROR", &Style::bad},
                            Shown{CheckStatus::warn, "WARN", &Style::warn}, Shown{CheckStatus::skip, "skip", &Style::dim},
                            Shown{CheckStatus::pass, "pass", &Style::good}};
  for (const auto& [status, title, paint] : order) {
    const bool good = status == CheckStatus::skip || status == CheckStatus::pass;
    if (good && !all) continue;
    for (const auto& [id, nodes] : found[status]) {
      for (const auto& group : fold_alike(nodes)) {
        text += fmt::format("{} {}  {}\n{}", (style.*paint)(fmt::format("{:<5}", title)), style.bold(id),
                            who(group.nodes), group.text);
      }
    }
  }
  if (!unchecked.empty()) text += style.bad("not checked") + "\n" + indented(folded_errors(unchecked, width - 2), 2);
  text += fmt::format("{}{}: {}\n", text.empty() ? "" : "\n", report.pass() ? style.good("PASS") : style.bad("FAIL"),
                      checks_summary(report));
  return text;
}

namespace {

/// Many packages of another version are one fact (an update that one node missed), not a page.
constexpr std::size_t kMostDifferences = 12;

std::string differences_text(const std::vector<Difference>& differences, std::size_t width) {
  std::string text;
  for (std::size_t i = 0; i < differences.size(); ++i) {
    if (i == kMostDifferences && differences.size() > kMostDifferences + 1) {
      text += fmt::format("      and in {} more: --output json shows them\n", differences.size() - i);
      break;
    }
    const auto& one = differences[i];
    text += paragraph(clean_output(fmt::format("{} {} ({})", one.aspect, one.value,
                                               one.usual.empty() ? "no value has a majority" : "others: " + one.usual)),
                      width, 6);
  }
  return text;
}

}  // namespace

std::string drift_text(const std::vector<DriftClass>& classes, const std::map<NodeId, Error>& failed,
                       const Style& style, std::size_t width) {
  std::string text;
  bool drifted = false;
  for (const auto& one : classes) {
    if (!one.alike.empty()) text += fmt::format("{} alike: {}\n", count_of(one.alike.size(), "node"), fold_names(one.alike));
    for (const auto& group : one.odd) {
      drifted = true;
      text += fmt::format("{}  {} in\n{}", style.warn(fold_names(group.nodes)), group.nodes.size() == 1 ? "differs" : "differ",
                          differences_text(group.differences, width));
    }
  }
  if (classes.empty()) text += "no two nodes have the same hardware and the same roles: there is nothing to compare\n";
  if (!failed.empty()) text += style.bad("not compared") + "\n" + indented(folded_errors(failed, width - 2), 2);
  text += fmt::format("\n{}\n", drifted ? style.warn("nodes of one kind differ") : style.good("no node differs from its kind"));
  return text;
}

Json drift_document(const std::vector<DriftClass>& classes, const std::map<NodeId, Error>& failed) {
  Json all = Json::array();
  for (const auto& one : classes) {
    Json odd = Json::array();
    for (const auto& group : one.odd) {
      Json differs = Json::array();
      for (const auto& each : group.differences) {
        differs.push_back({{"aspect", each.aspect}, {"value", each.value}, {"usual", each.usual}});
      }
      odd.push_back({{"nodes", group.nodes}, {"differs", differs}});
    }
    all.push_back({{"nodes", one.nodes}, {"alike", one.alike}, {"odd", odd}});
  }
  Json errors = Json::object();
  for (const auto& [node, error] : failed) errors[node] = error.message();
  return {{"classes", all}, {"failed", errors}};
}

std::string handoff_text(const HandoffReport& report, const Style& style, std::size_t width) {
  std::string text;
  Table table({"target", "status", "files"});
  for (const auto& target : report.targets) {
    table.add({target.name, target.status,
               target.error.empty() ? join(target.files, " ") : clean_output(target.error)});
  }
  if (!table.empty()) text += table.text(width, 0, style);
  for (const auto& proof : report.proofs) {
    text += fmt::format("\n{}  {}\n", proof.pass ? style.good("PROVEN") : style.bad("FAILED"), style.bold(proof.name));
    text += paragraph(clean_output(proof.summary), width, 6);
    if (!proof.command.empty()) text += paragraph("$ " + clean_output(proof.command), width, 6);
    if (!proof.pass && !proof.output.empty()) text += indented(clean_output(proof.output), 8);
  }
  text += fmt::format("\n{}\n", report.pass() ? style.good("PASS: the cluster is handed over")
                                              : style.bad("FAIL: the cluster is not handed over"));
  return text;
}

}  // namespace podwright::cli
