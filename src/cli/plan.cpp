#include <fmt/format.h>

#include <memory>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/facts_text.hpp"
#include "cli/plan_file.hpp"
#include "cli/plan_text.hpp"
#include "engine/planner.hpp"
#include "engine/stage_script.hpp"

namespace podwright::cli {

namespace {

struct PlanOptions {
  std::string out;
  bool show_script = false;
  bool no_diff = false;
  std::vector<std::string> components;
};

/// The scripts that apply would run, by node and stage; secrets are variables without values.
Result<std::map<NodeId, std::vector<std::string>>> scripts(const Planned& planned) {
  std::map<NodeId, std::vector<std::string>> all;
  for (const auto& [node, plan] : planned.plan.nodes) {
    for (int stage = 0; stage < planned.plan.stages; ++stage) {
      const auto script = stage_script(planned, node, stage, nullptr, "MARKER");
      if (!script) return fail(script.error());
      if (!script->steps.empty()) all[node].push_back(script->script.text());
    }
  }
  return all;
}

Result<Outcome> run_plan(App& app, const PlanOptions& options) {
  const auto profile = app.profile();
  if (!profile) return fail(profile.error());
  const auto opened = app.open(App::Access::reads);
  if (!opened) return fail(opened.error());
  auto& site = **opened;
  const auto planned = plan_cluster(site, **profile, app.secrets(), options.components);
  if (!planned) return fail(planned.error());
  const auto& plan = planned->plan;

  Outcome outcome;
  outcome.document = plan_document(plan, {.profile = app.globals().profile,
                                          .set = app.globals().set,
                                          .components = options.components});
  app.save("facts.json", facts_document({.facts = planned->facts, .failed = plan.failed}));
  app.save("plan.json", outcome.document);
  if (!options.out.empty()) {
    const auto text = outcome.document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
    if (const auto written = write_file(options.out, text, 0600); !written) return fail(written.error());
    app.events().info(fmt::format("saved as {}; `{}` does exactly this", options.out,
                                  next_command(app, "apply " + sh::join({options.out}))));
  }

  outcome.text = plan_text(plan, {.diffs = !options.no_diff,
                                  .verbose = app.globals().verbose,
                                  .width = app.width(),
                                  .style = app.style()});
  if (options.show_script) {
    const auto all = scripts(*planned);
    if (!all) return fail(all.error());
    std::string text;
    for (const auto& [node, parts] : *all) {
      outcome.document["nodes"][node]["scripts"] = parts;
      for (std::size_t i = 0; i < parts.size(); ++i) {
        text += fmt::format("# ---- {}, script {} of {}\n{}\n", node, i + 1, parts.size(), parts[i]);
      }
    }
    outcome.text = text + outcome.text;
  }
  if (!plan.failed.empty()) {
    outcome.exit_code = kNodesFailed;
    outcome.problems.push_back(fmt::format("{} of {} could not be planned", plan.failed.size(),
                                           count_of(site.nodes.size(), "node")));
    outcome.next = next_command(app, "doctor -n " + plan.failed.begin()->first);
  }
  return outcome;
}

}  // namespace

Command plan_command() {
  auto options = std::make_shared<PlanOptions>();
  return {
      .name = "plan",
      .group = "Decide and install",
      .summary = "what would change, on which node and why; changes nothing",
      .details =
          "Reads the nodes, compares them with the profile and shows every step: packages, files with "
          "their difference, restarts, reboots. Nodes with the same steps are shown together. Nothing is "
          "changed.\n\n"
          "A plan saved with --out is reviewed and applied exactly as it is: `podwright apply FILE` "
          "refuses it (exit code 5) once a node has changed.",
      .options = {text_option("--out", "FILE", "save the plan for `apply FILE`", options->out, Completes::file),
                  flag("--show-script", "print the very scripts that apply would run", options->show_script),
                  flag("--no-diff", "leave out the differences of files", options->no_diff),
                  list_option("--component", "NAME", "only what this component of the profile brings", options->components)},
      .examples = {{"podwright plan", "what would change, everywhere"},
                   {"podwright plan --out plan.json && podwright apply plan.json", "review, then do exactly that"},
                   {"podwright plan -n cu07 --show-script", "the shell script for one node"}},
      .exits = {kNodesFailed},
      .run = [options](App& app) { return run_plan(app, *options); }};
}

}  // namespace podwright::cli
