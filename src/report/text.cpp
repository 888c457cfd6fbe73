#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report/digest.hpp"
#include "report/formats.hpp"
#include "report/heatmap.hpp"
#include "report/layout.hpp"

namespace podwright {

namespace {

using layout::Cell;

constexpr std::size_t least_width = 60;
/// Longer lines are not read, however wide the terminal is.
constexpr std::size_t widest_prose = 110;
constexpr std::size_t most_pairs = 20;
constexpr std::size_t most_output_lines = 20;

constexpr std::string_view good = "32";
constexpr std::string_view bad = "1;31";
constexpr std::string_view caution = "33";
constexpr std::string_view quiet = "2";
constexpr std::string_view strong = "1";

class TextReport {
 public:
  TextReport(const Report& report, std::size_t width, bool color)
      : report_(report), width_(width), color_(color) {}

  std::string write() {
    head();
    stages();
    findings();
    nodes();
    installation();
    fabric();
    checks();
    handoff();
    return std::move(out_);
  }

 private:
  [[nodiscard]] std::string paint(std::string_view text, std::string_view style) const {
    return layout::styled(text, style, color_);
  }
  void line(std::string_view text = {}) {
    out_ += text;
    out_ += '\n';
  }
  /// Wrapped text; `lead` stands before its first line.
  void prose(std::string_view text, std::size_t indent, std::string_view style = {},
             std::string lead = {}) {
    const std::size_t inner = indent + layout::width_of(lead);
    for (const auto& piece : layout::wrapped(text, std::min(width_, widest_prose) - inner)) {
      line(std::string(indent, ' ') + paint(lead + piece, style));
      lead.assign(layout::width_of(lead), ' ');
    }
  }
  void table(const std::vector<std::vector<Cell>>& rows, std::size_t indent = 2) {
    out_ += layout::table(rows, width_, indent, color_);
  }
  void title(std::string_view text) {
    line();
    const std::size_t used = layout::width_of(text) + 1;
    std::string rule;
    for (std::size_t i = used; i < std::min(width_, widest_prose); ++i) rule += "─";
    line(paint(text, strong) + ' ' + paint(rule, quiet));
  }

  void head() {
    const bool pass = report_.pass();
    line(paint(fmt::format("{} {}", pass ? "✓" : "✗", verdict_word(report_)), pass ? "1;32" : bad) +
         "  " + paint(layout::shortened(one_line(report_.cluster), width_ - 18), strong));
    prose(verdict_line(report_), 2);
    line();
    std::vector<std::vector<Cell>> rows;
    const auto add = [&](std::string_view name, const std::string& value) {
      if (!value.empty())
        rows.push_back({{std::string(name), std::string(quiet)}, {one_line(value)}});
    };
    add("profile", report_.profile);
    add("run", report_.run);
    add("created", report_.created);
    add("podwright", report_.version);
    table(rows);
  }

  void stages() {
    title("Stages");
    std::vector<std::vector<Cell>> rows;
    for (const auto& stage : stages_of(report_)) {
      switch (stage.outcome) {
        case Stage::Outcome::passed:
          rows.push_back({{"✓", std::string(good)},
                          {stage.name},
                          {"passed", std::string(good)},
                          {stage.text}});
          break;
        case Stage::Outcome::failed:
          rows.push_back({{"✗", std::string(bad)},
                          {stage.name, std::string(strong)},
                          {"FAILED", std::string(bad)},
                          {stage.text}});
          break;
        case Stage::Outcome::not_run:
          rows.push_back({{"–", std::string(quiet)},
                          {stage.name, std::string(quiet)},
                          {"not run", std::string(quiet)},
                          {stage.text, std::string(quiet)}});
          break;
      }
    }
    table(rows);
  }

  void findings() {
    const auto all = findings_of(report_);
    for (const bool blocks : {true, false}) {
      std::size_t number = 0;
      for (const auto& finding : all) {
        if (finding.blocks != blocks) continue;
        if (number == 0) title(blocks ? "Problems" : "To know about");
        ++number;
        const auto head = fmt::format("{}. {}", number, finding.where);
        line("  " +
             paint(layout::shortened(head, width_ - 4 - layout::width_of(finding.stage)),
                   blocks ? bad : caution) +
             "  " + paint(finding.stage, quiet));
        prose(finding.what, 5);
        if (!finding.remedy.empty()) prose(finding.remedy, 5, strong, "→ ");
      }
    }
  }

  void nodes() {
    const auto classes = classes_of(report_);
    if (classes.empty()) return;
    title("Nodes");
    bool first = true;
    for (const auto& one : classes) {
      if (!first) line();
      first = false;
      line("  " + paint(layout::shortened(names_of(one.nodes), width_ - 16), strong) + "  " +
           paint(count_of(one.nodes.size(), "node"), quiet));
      std::vector<std::vector<Cell>> rows;
      const auto add = [&](std::string_view name, const std::string& value) {
        if (!value.empty()) rows.push_back({{std::string(name), std::string(quiet)}, {value}});
      };
      add("machine", one.machine);
      add("processor", one.processor);
      add("memory", one.memory);
      add("accelerators", one.accelerators);
      add("network", one.network);
      add("system", one.system);
      table(rows, 4);
    }
  }

  void installation() {
    const auto groups = installs_of(report_);
    if (groups.empty()) return;
    title(report_.applied ? "Installation" : "Plan");
    std::vector<std::vector<Cell>> rows;
    for (const auto& group : groups) {
      const bool ok = group.status == NodeStatus::ok;
      const bool aside = group.status == NodeStatus::quarantined;
      rows.push_back({{ok      ? "✓"
                       : aside ? "!"
                               : "✗",
                       std::string(ok      ? good
                                   : aside ? caution
                                           : bad)},
                      {names_of(group.nodes)},
                      {aside ? "set aside" : std::string(to_string(group.status)),
                       std::string(ok      ? quiet
                                   : aside ? caution
                                           : bad)},
                      {group.remedy.empty() ? group.text : group.text + " → " + group.remedy}});
    }
    table(rows);
  }

  void fabric() {
    if (!report_.fabric) return;
    const auto& fabric = *report_.fabric;
    title("Interconnect");
    if (!fabric.verdict.summary.empty()) prose(one_line(fabric.verdict.summary), 2);
    const auto figures = figures_of(fabric);
    if (figures.measured > 0) {
      prose(fmt::format("{} measured in {}: lowest {:.1f}, median {:.1f}, highest {:.1f} Gbit/s; "
                        "{} slow, {} failed",
                        count_of(fabric.pairs.size(), "pair"),
                        count_of(static_cast<std::size_t>(std::max(0, fabric.rounds)), "round"),
                        figures.lowest, figures.median, figures.highest, figures.slow,
                        figures.failed),
            2, quiet);
    }
    line();
    out_ += text_heatmap(fabric, report_.nodes, static_cast<int>(width_), color_);
    bad_pairs(fabric);
    collectives(fabric);
  }

  void bad_pairs(const FabricReport& fabric) {
    const bool several = has_several_rails(fabric);
    std::vector<std::vector<Cell>> rows;
    std::size_t left_out = 0;
    for (const auto& pair : fabric.pairs) {
      if (pair.status == Verdict::pass) continue;
      if (rows.size() == most_pairs) {
        ++left_out;
        continue;
      }
      const auto& result = pair.result;
      const auto rail = several ? fmt::format(" rail {}", result.pair.rail) : std::string{};
      const auto name =
          fmt::format("{} - {}{}", one_line(result.pair.a), one_line(result.pair.b), rail);
      const auto round = fmt::format("round {}", result.round);
      if (pair.status == Verdict::failed) {
        rows.push_back({{name},
                        {round, std::string(quiet)},
                        {"failed", std::string(bad)},
                        {one_line(result.error)}});
      } else {
        rows.push_back({{name},
                        {round, std::string(quiet)},
                        {"slow", std::string(caution)},
                        {fmt::format("{:.1f} there, {:.1f} back; {:.1f} expected", result.gbps_ab,
                                     result.gbps_ba, pair.expected_gbps)}});
      }
    }
    if (rows.empty()) return;
    line();
    table(rows);
    if (left_out > 0)
      line("  " + paint(fmt::format("and {} more in fabric.json", left_out), quiet));
  }

  void collectives(const FabricReport& fabric) {
    if (fabric.collectives.empty()) return;
    line();
    std::vector<std::vector<Cell>> rows;
    for (const auto& one : fabric.collectives) {
      const bool pass = one.status == Verdict::pass;
      const auto text = one.error.empty()
                            ? fmt::format("{} GB/s bus bandwidth, {} expected",
                                          three_digits(one.busbw_gbytes_per_s),
                                          three_digits(one.expected_gbytes_per_s))
                            : one_line(one.error);
      rows.push_back({{pass ? "✓" : "✗", std::string(pass ? good : bad)},
                      {one_line(one.name)},
                      {one.node.empty() ? count_of(static_cast<std::size_t>(std::max(0, one.nodes)), "node")
                                        : one_line(one.node)},
                      {text}});
    }
    table(rows);
  }

  void checks() {
    if (!report_.checks) return;
    title("Health checks");
    const auto groups = checks_of(*report_.checks);
    const auto all_nodes = report_.checks->nodes.size();
    const auto who = [&](const CheckGroup& group) {
      return group.nodes.size() == all_nodes && all_nodes > 1 ? fmt::format("all {}", all_nodes)
                                                              : names_of(group.nodes);
    };
    std::vector<std::vector<Cell>> rows;
    for (const auto& [name, node] : report_.checks->nodes) {
      if (!node.error.empty())
        rows.push_back({{"✗", std::string(bad)},
                        {"(node)"},
                        {"error", std::string(bad)},
                        {one_line(name)},
                        {one_line(node.error)}});
    }
    for (const auto& group : groups) {
      std::string mark = "✗";
      std::string style(bad);
      auto text = group.observed;
      switch (group.status) {
        case CheckStatus::fail:
        case CheckStatus::error:
          break;
        case CheckStatus::warn:
          mark = "!", style = caution;
          break;
        case CheckStatus::skip:
          mark = "–", style = quiet;
          break;
        case CheckStatus::pass:
          mark = "✓", style = good;
          break;
      }
      const bool fine = group.status == CheckStatus::pass || group.status == CheckStatus::skip;
      if (!fine && !group.expected.empty()) text += fmt::format(" (expected {})", group.expected);
      if (!fine && !group.remedy.empty()) text += " → " + group.remedy;
      rows.push_back({{mark, style},
                      {group.id},
                      {std::string(to_string(group.status)), style},
                      {who(group)},
                      {text, std::string(fine ? quiet : "")}});
    }
    table(rows);
  }

  void handoff() {
    if (!report_.handoff) return;
    title("Hand-off");
    std::vector<std::vector<Cell>> rows;
    for (const auto& target : report_.handoff->targets) {
      const bool ok = target.status == "ok";
      std::vector<std::string> files;
      for (const auto& file : target.files) files.push_back(one_line(file));
      rows.push_back({{ok ? "✓" : "✗", std::string(ok ? good : bad)},
                      {one_line(target.name)},
                      {one_line(target.status), std::string(ok ? good : bad)},
                      {ok ? join(files, ", ") : one_line(target.error)}});
    }
    table(rows);
    for (const auto& proof : report_.handoff->proofs) {
      line();
      const auto name = layout::shortened(one_line(proof.name), width_ - 12);
      line(paint(fmt::format("  {} proof: {}", proof.pass ? "✓" : "✗", name),
                 proof.pass ? good : bad));
      prose(one_line(proof.summary), 4);
      if (!proof.command.empty()) prose(one_line(proof.command), 4, quiet, "$ ");
      const auto output = clean_output(proof.output);
      const auto shown = lines(trim(output));
      const std::size_t skip =
          shown.size() > most_output_lines ? shown.size() - most_output_lines : 0;
      if (skip > 0) line(paint(fmt::format("    │ … {} above", count_of(skip, "line")), quiet));
      for (std::size_t i = skip; i < shown.size(); ++i) {
        if (shown.size() == 1 && shown[i].empty()) break;
        line(paint("    │ ", quiet) + layout::shortened(one_line_kept(shown[i]), width_ - 6));
      }
    }
  }

  /// A line of output with its blanks, tabs as blanks.
  static std::string one_line_kept(std::string_view text) {
    std::string kept;
    for (const char c : text) kept += c == '\t' ? std::string(4, ' ') : std::string(1, c);
    return kept;
  }

  const Report& report_;
  std::size_t width_;
  bool color_;
  std::string out_;
};

}  // namespace

std::string to_text(const Report& report, int width, bool color) {
  return TextReport(report, std::max(least_width, static_cast<std::size_t>(std::max(0, width))),
                    color)
      .write();
}

}  // namespace podwright
