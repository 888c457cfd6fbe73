#include "engine/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/text.hpp"
#include "catalog/registry.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/facts_text.hpp"
#include "cli/outcomes.hpp"
#include "cli/result_text.hpp"
#include "config/json.hpp"

namespace podwright::cli {

namespace {

struct Options {
  CheckOptions checks;
  bool list = false;
};

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::fatal: return "fail";
    case Severity::warning: return "warn";
    case Severity::info: return "info";
  }
  return "fail";
}

Outcome list_checks(const App& app) {
  Table table({"check", "if broken", "what"});
  Json all = Json::array();
  for (const auto& check : catalog<Check>()) {
    table.add({std::string(check.id), std::string(to_string(check.severity)), std::string(check.summary)});
    all.push_back({{"id", check.id}, {"severity", to_string(check.severity)}, {"summary", check.summary}, {"source", check.source}});
  }
  return {.document = {{"checks", all}}, .text = table.text(app.width(), 0, app.style())};
}

Result<Outcome> run_check(App& app, const Options& options) {
  if (options.list) return list_checks(app);
  const auto profile = app.profile();
  if (!profile) return fail(profile.error());
  const auto selected = select_checks(**profile, options.checks);
  if (!selected) return fail(selected.error());
  const auto opened = app.open(App::Access::reads);
  if (!opened) return fail(opened.error());
  auto& site = **opened;

  const auto resolved = resolve_cluster(site, **profile, app.secrets());
  if (!resolved) return fail(resolved.error());
  app.save("facts.json", facts_document({.facts = resolved->facts, .failed = resolved->failed}));
  const auto report = run_checks(site, **profile, resolved->wanted, resolved->facts, resolved->failed, *selected);
  return check_outcome(app, report);
}

}  // namespace

Outcome check_outcome(App& app, const CheckReport& report) {
  Outcome outcome{.document = to_json(report)};
  app.save("checks.json", outcome.document);
  outcome.text = checks_text(report, app.globals().verbose, app.style(), app.width());
  if (report.pass()) return outcome;
  const bool broken = std::ranges::any_of(report.nodes, [](const auto& node) {
    return std::ranges::any_of(node.second.checks, [](const CheckResult& check) {
      return check.status == CheckStatus::fail || check.status == CheckStatus::error;
    });
  });
  const bool unchecked = std::ranges::any_of(report.nodes, [](const auto& n) { return !n.second.error.empty(); });
  outcome.exit_code = !broken && unchecked ? kNodesFailed : kNotPassed;
  outcome.problems.push_back("checks: " + checks_summary(report));
  outcome.next = next_command(app, "check");
  return outcome;
}

Command check_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "check",
      .group = "Prove",
      .summary = "health checks: pass, warn, fail, with the remedy",
      .details =
          "Runs the checks that fit each node (NVIDIA, AMD, Ascend and CPU nodes) in one read-only script and "
          "judges them by the profile and by the other nodes of the same kind. A check that could not run is an "
          "error, never a pass; one that does not apply says why. Warnings do not change the exit code. "
          "-v also shows what passed and what was skipped.",
      .options = {list_option("--only", "CHECK", "this check or group: fs.use, fs", options->checks.only),
                  list_option("--skip", "CHECK", "not this check or group", options->checks.skip),
                  flag("--list", "the checks there are", options->list)},
      .examples = {{"podwright check", "all of them, everywhere"},
                   {"podwright check -n cu07 --only fs --only time", "some, on one node"},
                   {"podwright check --output json > checks.json", "for a monitoring system"}},
      .exits = {kNodesFailed, kNotPassed},
      .run = [options](App& app) { return run_check(app, *options); }};
}

}  // namespace podwright::cli
