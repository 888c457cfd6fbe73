#include <fmt/format.h>

#include <algorithm>

#include "base/assets.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "render/render.hpp"
#include "report/digest.hpp"
#include "report/formats.hpp"
#include "report/heatmap.hpp"

namespace podwright {

namespace {

constexpr std::string_view template_path = "templates/report.html.mustache";
constexpr std::size_t most_pairs = 60;

/// Class, mark and word of a result: never told by colour alone.
struct Badge {
  std::string kind;
  std::string mark;
  std::string word;
};

Json with_badge(Json object, const Badge& badge) {
  object["kind"] = badge.kind;
  object["mark"] = badge.mark;
  object["word"] = badge.word;
  return object;
}

Badge good(std::string word) { return {.kind = "good", .mark = "✓", .word = std::move(word)}; }
Badge bad(std::string word) { return {.kind = "bad", .mark = "✗", .word = std::move(word)}; }
Badge warn(std::string word) { return {.kind = "warn", .mark = "!", .word = std::move(word)}; }
Badge quiet(std::string word) { return {.kind = "none", .mark = "–", .word = std::move(word)}; }

Badge badge_of(const Stage& stage) {
  switch (stage.outcome) {
    case Stage::Outcome::passed:
      return good("passed");
    case Stage::Outcome::failed:
      return bad("failed");
    case Stage::Outcome::not_run:
      return quiet("not run");
  }
  return bad("failed");
}

Badge badge_of(NodeStatus status) {
  switch (status) {
    case NodeStatus::ok:
      return good("ok");
    case NodeStatus::quarantined:
      return warn("set aside");
    case NodeStatus::failed:
    case NodeStatus::unreachable:
      return bad(std::string(to_string(status)));
  }
  return bad("failed");
}

Badge badge_of(CheckStatus status) {
  switch (status) {
    case CheckStatus::pass:
      return good("pass");
    case CheckStatus::warn:
      return warn("warn");
    case CheckStatus::skip:
      return quiet("skip");
    case CheckStatus::fail:
      return bad("fail");
    case CheckStatus::error:
      return bad("error");
  }
  return bad("error");
}

Json findings(const Report& report, bool blocks) {
  Json list = Json::array();
  for (const auto& finding : findings_of(report)) {
    if (finding.blocks != blocks) continue;
    list.push_back({{"stage", finding.stage},
                    {"where", finding.where},
                    {"what", finding.what},
                    {"has_remedy", !finding.remedy.empty()},
                    {"remedy", finding.remedy}});
  }
  return list;
}

Json classes(const Report& report) {
  Json list = Json::array();
  for (const auto& one : classes_of(report)) {
    Json facts = Json::array();
    const auto add = [&](const char* name, const std::string& value) {
      if (!value.empty()) facts.push_back({{"name", name}, {"value", value}});
    };
    add("Machine", one.machine);
    add("Processor", one.processor);
    add("Memory", one.memory);
    add("Accelerators", one.accelerators);
    add("Network", one.network);
    add("System", one.system);
    list.push_back({{"nodes", names_of(one.nodes)},
                    {"count", count_of(one.nodes.size(), "node")},
                    {"facts", std::move(facts)}});
  }
  return list;
}

Json installs(const Report& report) {
  Json list = Json::array();
  for (const auto& group : installs_of(report)) {
    list.push_back(with_badge({{"nodes", names_of(group.nodes)},
                               {"count", group.nodes.size()},
                               {"text", group.text},
                               {"has_remedy", !group.remedy.empty()},
                               {"remedy", group.remedy}},
                              badge_of(group.status)));
  }
  return list;
}

Json faults(const FabricReport& fabric) {
  const bool several = has_several_rails(fabric);
  Json list = Json::array();
  const auto add = [&](std::string where, std::string how, std::string gbps, std::string confidence,
                       std::string evidence) {
    list.push_back({{"where", std::move(where)},
                    {"how", std::move(how)},
                    {"gbps", std::move(gbps)},
                    {"confidence", std::move(confidence)},
                    {"evidence", std::move(evidence)}});
  };
  for (const auto& fault : fabric.verdict.nodes) {
    add(one_line(fault.name), describe(fault, several),
        fault.cause == "slow" ? fmt::format("{:.1f}", fault.gbps) : "–",
        fmt::format("{:.1f} %", fault.confidence * 100), one_line(fault.evidence));
  }
  for (const auto& link : fabric.verdict.links) {
    const auto rail = several ? fmt::format("rail {}: ", link.rail) : std::string{};
    add(one_line(link.a) + " – " + one_line(link.b), rail + "path between leaves",
        fmt::format("{:.1f}", link.gbps), fmt::format("{:.1f} %", link.confidence * 100),
        one_line(link.evidence));
  }
  for (const auto& set : fabric.verdict.ambiguous) {
    add(names_of(set), "undecided", "–", "–",
        "at least one of these is at fault; the measurements cannot tell which");
  }
  return list;
}

Json bad_pairs(const FabricReport& fabric, std::size_t& left_out) {
  Json list = Json::array();
  for (const auto& pair : fabric.pairs) {
    if (pair.status == Verdict::pass) continue;
    if (list.size() == most_pairs) {
      ++left_out;
      continue;
    }
    const auto& result = pair.result;
    const bool failed = pair.status == Verdict::failed;
    list.push_back(with_badge({{"a", one_line(result.pair.a)},
                               {"b", one_line(result.pair.b)},
                               {"rail", result.pair.rail},
                               {"round", result.round},
                               {"there", failed ? "–" : fmt::format("{:.1f}", result.gbps_ab)},
                               {"back", failed ? "–" : fmt::format("{:.1f}", result.gbps_ba)},
                               {"expected", fmt::format("{:.1f}", pair.expected_gbps)},
                               {"error", failed ? one_line(result.error) : std::string{}}},
                              failed ? bad("failed") : warn("slow")));
  }
  return list;
}

Json fabric(const Report& report) {
  const auto& fabric = *report.fabric;
  const auto figures = figures_of(fabric);
  Json numbers = Json::array();
  const auto number = [&](const char* name, std::string value, const char* unit) {
    numbers.push_back({{"name", name}, {"value", std::move(value)}, {"unit", unit}});
  };
  number("rounds", std::to_string(fabric.rounds), "");
  number("probes", std::to_string(fabric.probes), "");
  if (figures.measured > 0) {
    number("lowest", fmt::format("{:.1f}", figures.lowest), "Gbit/s");
    number("median", fmt::format("{:.1f}", figures.median), "Gbit/s");
    number("highest", fmt::format("{:.1f}", figures.highest), "Gbit/s");
  }
  number("slow", std::to_string(figures.slow), "");
  number("failed", std::to_string(figures.failed), "");

  Json collectives = Json::array();
  for (const auto& one : fabric.collectives) {
    const bool pass = one.status == Verdict::pass;
    collectives.push_back(
        with_badge({{"name", one_line(one.name)},
                    {"nodes", one.node.empty() ? std::to_string(one.nodes) : one_line(one.node)},
                    {"busbw", three_digits(one.busbw_gbytes_per_s)},
                    {"expected", one.expected_gbytes_per_s > 0 ? three_digits(one.expected_gbytes_per_s) : "-"},
                    {"error", one_line(one.error.empty() ? one.source : one.error)}},
                   pass ? good("pass") : bad(std::string(to_string(one.status)))));
  }
  std::size_t left_out = 0;
  auto pairs = bad_pairs(fabric, left_out);
  auto at_fault = faults(fabric);
  const auto map = svg_heatmap(fabric, report.nodes);
  return with_badge({{"summary", one_line(fabric.verdict.summary)},
                     {"numbers", std::move(numbers)},
                     {"has_faults", !at_fault.empty()},
                     {"faults", std::move(at_fault)},
                     {"has_heatmap", !map.empty()},
                     {"heatmap", map},
                     {"has_pairs", !pairs.empty()},
                     {"pairs", std::move(pairs)},
                     {"has_errors", figures.failed > 0},
                     {"has_left_out", left_out > 0},
                     {"left_out", left_out},
                     {"has_collectives", !collectives.empty()},
                     {"collectives", std::move(collectives)}},
                    passed(fabric) ? good("passed") : bad("failed"));
}

Json checks(const Report& report) {
  const auto& checks = *report.checks;
  Json wanting = Json::array();
  Json passed = Json::array();
  for (const auto& [name, node] : checks.nodes) {
    if (node.error.empty()) continue;
    wanting.push_back(with_badge({{"id", "(node)"},
                                  {"nodes", one_line(name)},
                                  {"observed", one_line(node.error)},
                                  {"has_expected", false},
                                  {"expected", ""},
                                  {"has_remedy", false},
                                  {"remedy", ""}},
                                 bad("error")));
  }
  for (const auto& group : checks_of(checks)) {
    const bool fine = group.status == CheckStatus::pass || group.status == CheckStatus::skip;
    const bool everywhere = group.nodes.size() == checks.nodes.size() && checks.nodes.size() > 1;
    auto row = with_badge({{"id", group.id},
                           {"nodes", everywhere ? fmt::format("all {} nodes", checks.nodes.size())
                                                : names_of(group.nodes)},
                           {"observed", group.observed},
                           {"has_expected", !group.expected.empty()},
                           {"expected", group.expected},
                           {"has_remedy", !group.remedy.empty()},
                           {"remedy", group.remedy}},
                          badge_of(group.status));
    (fine ? passed : wanting).push_back(std::move(row));
  }
  return with_badge({{"has_wanting", !wanting.empty()},
                     {"wanting", std::move(wanting)},
                     {"has_passed", !passed.empty()},
                     {"passed", std::move(passed)}},
                    checks.pass() ? good("passed") : bad("failed"));
}

Json handoff(const Report& report) {
  Json targets = Json::array();
  for (const auto& target : report.handoff->targets) {
    Json files = Json::array();
    for (const auto& file : target.files) files.push_back(one_line(file));
    const bool ok = target.status == "ok";
    targets.push_back(with_badge({{"name", one_line(target.name)},
                                  {"files", std::move(files)},
                                  {"error", one_line(target.error)}},
                                 ok ? good("ok") : bad(one_line(target.status))));
  }
  Json proofs = Json::array();
  for (const auto& proof : report.handoff->proofs) {
    const auto output = clean_output(proof.output);
    proofs.push_back(with_badge({{"name", one_line(proof.name)},
                                 {"summary", one_line(proof.summary)},
                                 {"has_command", !proof.command.empty()},
                                 {"command", clean_output(proof.command)},
                                 {"has_output", !trim(output).empty()},
                                 {"output", output}},
                                proof.pass ? good("passed") : bad("failed")));
  }
  return with_badge({{"targets", std::move(targets)}, {"proofs", std::move(proofs)}},
                    report.handoff->pass() ? good("passed") : bad("failed"));
}

/// A part of the page that is there or not; its names are always defined, as the renderer is
/// strict.
void add_part(Json& context, const char* name, bool present, Json part) {
  context[std::string("has_") + name] = present;
  if (present) context[name] = std::move(part);
}

}  // namespace

Result<std::string> to_html(const Report& report) {
  const auto source = load_asset(template_path);
  if (!source) return fail(source.error());

  Json stages = Json::array();
  for (const auto& stage : stages_of(report)) {
    stages.push_back(with_badge({{"name", stage.name}, {"text", stage.text}}, badge_of(stage)));
  }
  auto problems = findings(report, true);
  auto notes = findings(report, false);
  auto hardware = classes(report);
  auto installed = installs(report);
  Json context = with_badge({{"verdict", verdict_word(report)},
                             {"verdict_line", verdict_line(report)},
                             {"cluster", one_line(report.cluster)},
                             {"profile", one_line(report.profile)},
                             {"run", one_line(report.run)},
                             {"created", one_line(report.created)},
                             {"version", one_line(report.version)},
                             {"stages", std::move(stages)},
                             {"has_problems", !problems.empty()},
                             {"problems", std::move(problems)},
                             {"has_notes", !notes.empty()},
                             {"notes", std::move(notes)},
                             {"has_classes", !hardware.empty()},
                             {"classes", std::move(hardware)},
                             {"has_installs", !installed.empty()},
                             {"install_title", report.applied ? "Installation" : "Plan"},
                             {"installs", std::move(installed)}},
                            report.pass() ? good("accepted") : bad("not accepted"));
  add_part(context, "fabric", report.fabric.has_value(), report.fabric ? fabric(report) : Json{});
  add_part(context, "checks", report.checks.has_value(), report.checks ? checks(report) : Json{});
  add_part(context, "handoff", report.handoff.has_value(),
           report.handoff ? handoff(report) : Json{});
  return render::html(source->content, context, source->where);
}

}  // namespace podwright
