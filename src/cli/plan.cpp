#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/facts_text.hpp"
#include "cli/fold.hpp"
#include "cli/plan_file.hpp"
#include "cli/plan_text.hpp"
#include "engine/planner.hpp"
#include "engine/recorded_facts.hpp"
#include "engine/runner.hpp"
#include "engine/stage_script.hpp"

namespace podwright::cli {

namespace {

struct PlanOptions {
  std::string out;
  std::string facts;
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
      // As it is sent: with what makes it outlive its connection. RUN and MARKER are of the run.
      if (!script->steps.empty()) {
        all[node].push_back(launch_script(fmt::format("RUN-{}", stage + 1), script->script, 0, std::chrono::seconds(60)));
      }
    }
  }
  return all;
}

constexpr const char* kAssumption =
    "no node was contacted: state that the facts do not tell is taken to be as on a machine that has "
    "nothing of the profile yet";

/// Nodes of cluster.toml without recorded facts are not planned; recorded nodes that it does not name
/// are somebody else's.
Status keep_those_of(const Inventory& inventory, const std::vector<NodeId>& selected, const std::string& file,
                     Gathered& recorded) {
  for (const auto& [node, facts] : recorded.facts) {
    if (inventory.find(node) != nullptr) continue;
    return fail(Fault::usage, fmt::format("{} has facts of {}, which {} does not name", file, node, inventory.file),
                "use the cluster.toml that they were recorded with");
  }
  const auto is_selected = [&](const NodeId& node) { return std::ranges::find(selected, node) != selected.end(); };
  std::erase_if(recorded.facts, [&](const auto& one) { return !is_selected(one.first); });
  std::erase_if(recorded.failed, [&](const auto& one) { return !is_selected(one.first); });
  for (const auto& node : selected) {
    if (recorded.facts.contains(node) || recorded.failed.contains(node)) continue;
    recorded.failed[node] = {.fault = Fault::usage, .what = "has no facts in " + file, .node = node,
                             .hint = "record them with `podwright facts --output json`"};
  }
  return {};
}

/// Against recorded facts; the cluster is that of cluster.toml where there is one.
Result<Planned> planned_offline(App& app, const PlanOptions& options) {
  if (!options.out.empty()) {
    return fail(Fault::usage, "a plan made with --facts cannot be applied, so there is no use in --out",
                "leave --out away, and read the plan with --output json");
  }
  auto recorded = recorded_facts(options.facts);
  if (!recorded) return fail(recorded.error());
  const bool has_cluster = app.globals().cluster_given || std::filesystem::exists(app.globals().cluster);
  if (!has_cluster) app.use_inventory(inventory_of(*recorded));
  const auto inventory = app.inventory();
  if (!inventory) return fail(inventory.error());
  const auto profile = app.profile();
  if (!profile) return fail(profile.error());
  const auto selected = app.selected();
  if (!selected) return fail(selected.error());
  if (auto kept = keep_those_of(**inventory, *selected, options.facts, *recorded); !kept) return fail(kept.error());
  return plan_recorded(**inventory, **profile, std::move(*recorded), options.components);
}

Result<Planned> planned_live(App& app, const PlanOptions& options) {
  const auto profile = app.profile();
  if (!profile) return fail(profile.error());
  const auto opened = app.open(App::Access::reads);
  if (!opened) return fail(opened.error());
  return plan_cluster(**opened, **profile, app.secrets(), options.components);
}

Result<Outcome> run_plan(App& app, const PlanOptions& options) {
  const bool offline = !options.facts.empty();
  const auto planned = offline ? planned_offline(app, options) : planned_live(app, options);
  if (!planned) return fail(planned.error());
  const auto& plan = planned->plan;

  Outcome outcome;
  outcome.document = plan_document(plan, {.profile = app.globals().profile,
                                          .set = app.globals().set,
                                          .components = options.components});
  if (offline) outcome.document["assumption"] = kAssumption;
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
  if (offline) outcome.text += paragraph(kAssumption, app.width(), 0);
  if (!plan.failed.empty()) {
    outcome.exit_code = kNodesFailed;
    outcome.problems.push_back(fmt::format("{} of {} could not be planned", plan.failed.size(),
                                           count_of(plan.nodes.size() + plan.failed.size(), "node")));
    if (!offline) outcome.next = next_command(app, "doctor -n " + plan.failed.begin()->first);
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
          "refuses it (exit code 5) once a node has changed.\n\n"
          "With --facts no node is contacted: the plan is made against facts that were recorded, and for a "
          "machine that has nothing of the profile yet. Without a cluster.toml the recorded nodes are the "
          "cluster, the one called head (or the first) its head.",
      .options = {text_option("--out", "FILE", "save the plan for `apply FILE`", options->out, Completes::file),
                  text_option("--facts", "FILE", "plan against these recorded facts (facts --output json, or the "
                              "folder of a snapshot); contacts no node", options->facts, Completes::file),
                  flag("--show-script", "print the very scripts that apply would run", options->show_script),
                  flag("--no-diff", "leave out the differences of files", options->no_diff),
                  list_option("--component", "NAME", "only what this component of the profile brings", options->components)},
      .examples = {{"podwright plan", "what would change, everywhere"},
                   {"podwright plan --out plan.json && podwright apply plan.json", "review, then do exactly that"},
                   {"podwright plan --facts facts.json --profile ubuntu2204-h100-ib", "what it would do to those machines"},
                   {"podwright plan -n cu07 --show-script", "the shell script for one node"}},
      .exits = {kNodesFailed},
      .run = [options](App& app) { return run_plan(app, *options); }};
}

}  // namespace podwright::cli
