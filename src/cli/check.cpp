#include "engine/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>

#include "base/files.hpp"
#include "base/text.hpp"
#include "catalog/registry.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/facts_text.hpp"
#include "cli/outcomes.hpp"
#include "cli/result_text.hpp"
#include "config/json.hpp"
#include "engine/drift.hpp"
#include "engine/slurm_drain.hpp"
#include "engine/snapshot.hpp"
#include "report/formats.hpp"

namespace podwright::cli {

namespace {

struct Options {
  CheckOptions checks;
  bool list = false;
  std::string explain;
  std::string snapshot;
  bool local = false;
  bool slurm = false;
  bool drift = false;
  std::string prometheus;
  std::string junit;
  std::string markdown;
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

/// What one check is: all that its file says of it.
Result<Outcome> explain(const App& app, const std::string& id) {
  const auto* check = find_in_catalog<Check>(id);
  if (check == nullptr) {
    return fail(Fault::usage, fmt::format("there is no check \"{}\"{}", id, did_you_mean(id, names_in_catalog<Check>())),
                "`podwright check --list` shows them all");
  }
  Json fields = Json::array();
  std::string options;
  for (const auto& field : check->options) {
    fields.push_back({{"name", field.name}, {"doc", field.doc}});
    options += paragraph(fmt::format("{}: {}", field.name, field.doc), app.width(), 4);
  }
  Outcome outcome{.document = {{"id", check->id},
                               {"severity", to_string(check->severity)},
                               {"summary", check->summary},
                               {"source", check->source},
                               {"options", fields},
                               {"facts", check->needs},
                               {"probe", check->probe}}};
  outcome.text = fmt::format("{}  {}\n", app.style().bold(check->id), check->summary);
  outcome.text += fmt::format("  if broken: {}\n", to_string(check->severity));
  outcome.text += paragraph(fmt::format("source: {}", check->source), app.width(), 2);
  if (!options.empty()) outcome.text += fmt::format("  options of [[check]] id = \"{}\":\n{}", check->id, options);
  if (!check->needs.empty()) {
    std::vector<std::string> probes(check->needs.begin(), check->needs.end());
    outcome.text += fmt::format("  facts that it reads: {}\n", join(probes, ", "));
  }
  if (!check->probe.empty()) {
    outcome.text += fmt::format("  what it runs on a node, within {} s:\n{}", check->deadline.count(),
                                indented(trim(check->probe), 4));
  }
  if (!outcome.text.ends_with('\n')) outcome.text += '\n';
  return outcome;
}

Result<Outcome> show_drift(App& app) {
  const auto opened = app.open(App::Access::reads);
  if (!opened) return fail(opened.error());
  auto& site = **opened;
  const auto gathered = sort_out(gather_facts(site));
  if (site.stop.stop_requested()) return fail(Fault::cancelled, "interrupted while reading facts");
  app.save("facts.json", facts_document(gathered));
  const auto classes = drift_of(gathered.facts, site.inventory);
  Outcome outcome{.document = drift_document(classes, gathered.failed),
                  .text = drift_text(classes, gathered.failed, app.style(), app.width())};
  const auto odd = std::ranges::count_if(classes, [](const auto& one) { return !one.odd.empty(); });
  if (odd > 0) {
    outcome.exit_code = kNotPassed;
    outcome.problems.emplace_back("nodes of one kind differ");
    outcome.next = next_command(app, "plan");
  } else if (!gathered.failed.empty()) {
    outcome.exit_code = kNodesFailed;
    outcome.problems.push_back(fmt::format("{} could not be asked", count_of(gathered.failed.size(), "node")));
    outcome.next = next_command(app, "doctor -n " + gathered.failed.begin()->first);
  }
  return outcome;
}

/// The report in the formats that other programs read.
Status write_reports(const CheckReport& report, const std::string& cluster, const Options& options) {
  const auto write = [](const std::string& file, const std::string& text) -> Status {
    return file.empty() ? Status{} : write_file(file, text);
  };
  if (auto done = write(options.junit, to_junit(report, cluster)); !done) return done;
  if (auto done = write(options.markdown, to_markdown(report, cluster)); !done) return done;
  return write(options.prometheus, to_prometheus(report, std::chrono::system_clock::now()));
}

/// Slurm knows its nodes by names of its own; slurmd tells its HealthCheckProgram which.
std::string slurm_name_of(const NodeId& node) {
  const char* told = std::getenv("SLURMD_NODENAME");
  return told == nullptr || *told == '\0' ? node : told;
}

/// The nodes of a snapshot that --nodes names; without it all of them. No node is contacted.
Result<Outcome> check_snapshot(App& app, const Options& options) {
  if (options.local || options.slurm || options.drift) {
    return fail(Fault::usage, "--snapshot judges what was recorded: it goes with none of --local, --slurm and --drift",
                "podwright check --snapshot FILE");
  }
  const auto files = read_snapshot_files(options.snapshot);
  if (!files) return fail(files.error());
  const auto snapshot = read_snapshot(*files);
  if (!snapshot) return fail(snapshot.error());
  const auto selected = select_checks(snapshot->profile, options.checks);
  if (!selected) return fail(selected.error());
  app.use_inventory(snapshot->inventory);
  const auto nodes = app.selected();
  if (!nodes) return fail(nodes.error());
  auto report = judge_checks({snapshot->inventory, snapshot->profile, snapshot->wanted, snapshot->facts}, snapshot->failed, *selected,
                             snapshot->readings);
  std::erase_if(report.nodes, [&](const auto& one) { return std::ranges::find(*nodes, one.first) == nodes->end(); });
  auto outcome = check_outcome(app, report);
  outcome.next.clear();
  if (const auto written = write_reports(report, snapshot->inventory.name, options); !written) return fail(written.error());
  return outcome;
}

Result<Outcome> run_check(App& app, const Options& options) {
  if (options.list) return list_checks(app);
  if (!options.explain.empty()) return explain(app, options.explain);
  if (!options.snapshot.empty()) return check_snapshot(app, options);
  if (options.slurm && !options.local) {
    return fail(Fault::usage, "--slurm drains the node that podwright runs on, so it needs --local",
                "on the node, as its HealthCheckProgram: podwright check --local --slurm");
  }
  if (options.local) {
    if (auto here = app.use_this_machine(); !here) return fail(here.error());
  }
  if (options.drift) return show_drift(app);
  const auto profile = app.profile();
  if (!profile) return fail(profile.error());
  auto wanted_checks = options.checks;
  // A node that was drained for a failed check would never be given back for being drained.
  if (options.slurm) wanted_checks.skip.emplace_back("slurm.node");
  const auto selected = select_checks(**profile, wanted_checks);
  if (!selected) return fail(selected.error());
  const auto opened = app.open(App::Access::reads);
  if (!opened) return fail(opened.error());
  auto& site = **opened;

  const auto resolved = resolve_cluster(site, **profile, app.secrets());
  if (!resolved) return fail(resolved.error());
  app.save("facts.json", facts_document({.facts = resolved->facts, .failed = resolved->failed}));
  const auto report =
      run_checks(site, {site.inventory, **profile, resolved->wanted, resolved->facts}, resolved->failed, *selected);
  if (site.stop.stop_requested()) return fail(Fault::cancelled, "interrupted while the nodes were checked");
  auto outcome = check_outcome(app, report);
  if (const auto written = write_reports(report, site.inventory.name, options); !written) return fail(written.error());
  if (options.slurm) {
    const auto& node = site.nodes.front();
    const auto order = drain_or_resume(slurm_name_of(node), report.nodes.at(node), site.stop);
    if (!order) return fail(order.error());
    outcome.document["slurm"] = *order ? Json{{"state", (*order)->state}, {"reason", (*order)->reason}} : Json(nullptr);
    if (*order) {
      outcome.text += fmt::format("slurm: {} is now {}{}{}\n", slurm_name_of(node), (*order)->state,
                                  (*order)->reason.empty() ? "" : ": ", (*order)->reason);
    }
  }
  return outcome;
}

}  // namespace

Outcome check_outcome(App& app, const CheckReport& report) {
  Outcome outcome{.document = to_json(report)};
  if (app.has_run()) app.save("checks.json", outcome.document);
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
                  flag("--list", "the checks there are", options->list),
                  text_option("--explain", "CHECK", "what a check reads and judges, its options, and the source of its rule",
                              options->explain),
                  text_option("--snapshot", "PATH", "judge what `podwright snapshot` wrote, or the folder that it was unpacked to",
                              options->snapshot, Completes::file),
                  flag("--local", "this machine, without SSH", options->local),
                  flag("--slurm", "with --local, for Slurm's HealthCheckProgram: drain the node when a check fails, and "
                                  "give back what was drained so when all pass", options->slurm),
                  flag("--drift", "instead: which nodes differ from those of their kind, and in what", options->drift),
                  text_option("--prometheus", "FILE", "metrics for node exporter's textfile collector", options->prometheus,
                              Completes::file),
                  text_option("--junit", "FILE", "JUnit XML", options->junit, Completes::file),
                  text_option("--markdown", "FILE", "Markdown", options->markdown, Completes::file)},
      .examples = {{"podwright check", "all of them, everywhere"},
                   {"podwright check -n cu07 --only fs --only time", "some, on one node"},
                   {"podwright check --output json > checks.json", "for a monitoring system"},
                   {"podwright check --snapshot cu07.tar.zst -v", "the same verdicts far from the node"},
                   {"podwright check --drift", "who differs from the nodes of its kind"},
                   {"podwright check --local --slurm", "on a node, as HealthCheckProgram of slurm.conf"}},
      .exits = {kNodesFailed, kNotPassed},
      .run = [options](App& app) { return run_check(app, *options); }};
}

}  // namespace podwright::cli
