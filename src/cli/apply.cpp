#include "engine/apply.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/bundle_words.hpp"
#include "cli/commands.hpp"
#include "cli/outcomes.hpp"
#include "cli/facts_text.hpp"
#include "cli/fold.hpp"
#include "cli/plan_file.hpp"
#include "cli/plan_text.hpp"
#include "config/json.hpp"

namespace podwright::cli {

namespace {

struct ApplyOptions {
  std::vector<std::string> files;
  bool resume = false;
  bool retry_failed = false;
  std::vector<std::string> components;
  std::string batch = all_at_once;
  BundleWords bundle;
};

/// What is to be applied.
struct Task {
  Intent intent;  ///< no nodes: the selected ones
  std::optional<Plan> must_equal{};  ///< the plan that must still hold
  /// The run that is gone on with, and what it had running when it was cut off.
  std::optional<EarlierRun> earlier{};
};

template <class Map>
std::vector<NodeId> keys(const Map& map) {
  std::vector<NodeId> names;
  for (const auto& entry : map) names.push_back(entry.first);
  return names;
}

Status only_alone(const App& app, std::string_view what) {
  if (app.globals().profile.empty() && app.globals().set.empty()) return {};
  return fail(Fault::usage, fmt::format("{} is done with the profile and variables it was made with", what),
              "leave out --profile and --set, or make a new plan with them");
}

const AppliedNode* find_node(const Applied& applied, const NodeId& name) {
  const auto found = applied.nodes.find(name);
  return found == applied.nodes.end() ? nullptr : &found->second;
}

Result<Task> task_of(App& app, const ApplyOptions& options) {
  const auto inventory = app.inventory();
  if (!inventory) return fail(inventory.error());
  if (int{options.resume} + int{options.retry_failed} + int{!options.files.empty()} > 1) {
    return fail(Fault::usage, "a saved plan, --resume and --retry-failed exclude each other");
  }
  Task task;
  auto& intent = task.intent;
  if (!options.files.empty()) {
    if (auto alone = only_alone(app, "a saved plan"); !alone) return fail(alone.error());
    if (!app.globals().nodes.empty() || !options.components.empty()) {
      return fail(Fault::usage, "a saved plan is applied whole",
                  "make another one with `podwright plan -n NODESET --out FILE`");
    }
    auto saved = read_plan_file(options.files.front());
    if (!saved) return fail(saved.error());
    intent.nodes = keys(saved->plan.nodes);
    intent.made_with = saved->made_with;
    task.must_equal = std::move(saved->plan);
  } else if (options.resume || options.retry_failed) {
    if (auto alone = only_alone(app, "an earlier run"); !alone) return fail(alone.error());
    auto earlier = latest_apply((*inventory)->state_dir);
    if (!earlier) return fail(earlier.error());
    intent.made_with = earlier->intent.made_with;
    intent.bundles = earlier->intent.bundles;
    intent.key = earlier->intent.key;
    std::size_t well = 0;
    for (const auto& name : earlier->intent.nodes) {
      const auto* node = earlier->applied ? find_node(*earlier->applied, name) : nullptr;
      const bool ok = node != nullptr && node->status == NodeStatus::ok;
      if (ok) ++well;
      if (options.resume || !ok) intent.nodes.push_back(name);
    }
    if (intent.nodes.empty()) {
      return fail(Fault::usage, fmt::format("no node failed in run {}", earlier->folder.id()),
                  "`podwright apply` looks at all nodes");
    }
    app.events().info(fmt::format("going on with run {}: {} of {} were well at its end", earlier->folder.id(),
                                  well, count_of(earlier->intent.nodes.size(), "node")));
    task.earlier = std::move(*earlier);
  } else {
    intent.made_with = {.profile = app.globals().profile, .set = app.globals().set,
                        .components = options.components};
  }
  for (const auto& node : intent.nodes) {
    if ((*inventory)->find(node) != nullptr) continue;
    return fail(Fault::stale, fmt::format("{} is not in {} any more", node, app.globals().cluster),
                "make a new plan");
  }
  return task;
}

/// The nodes on which the saved plan does not hold any more. One that merely cannot be reached now is
/// not stale: it fails alone.
std::map<NodeId, Error> stale(const Plan& saved, const Plan& current) {
  std::map<NodeId, Error> all;
  for (const auto& [node, why] : stale_nodes(saved, current)) {
    if (current.failed.contains(node)) continue;
    all[node] = Error{.fault = Fault::stale, .what = why};
  }
  return all;
}

std::vector<Option> all_options(ApplyOptions& into) {
  std::vector<Option> options = {flag("--resume", "go on with the latest run", into.resume),
                                 flag("--retry-failed", "only the nodes that did not succeed in the latest run", into.retry_failed),
                                 batch_option(into.batch),
                                 list_option("--component", "NAME", "only what this component of the profile brings", into.components)};
  std::ranges::move(bundle_options(into.bundle), std::back_inserter(options));
  return options;
}

Result<Outcome> run_apply(App& app, const ApplyOptions& options) {
  const auto batch = parse_batch(options.batch);
  if (!batch) return fail(batch.error());
  auto task = task_of(app, options);
  if (!task) return fail(task.error());
  auto& intent = task->intent;
  app.use_profile(intent.made_with.profile, intent.made_with.set);
  const auto profile = app.profile();
  if (!profile) return fail(profile.error());
  const auto offline = open_bundle(app, options.bundle, intent);
  if (!offline) return fail(offline.error());
  const auto opened = app.open(App::Access::changes);
  if (!opened) return fail(opened.error());
  auto& site = **opened;
  if (!intent.nodes.empty()) app.keep_only(intent.nodes);
  intent.nodes = site.nodes;
  app.save("intent.json", intent_document(intent));

  ApplySettings settings{.batch = *batch};
  if (*offline) settings.offline = &**offline;
  if (task->earlier) {
    auto taken_up = take_up(site);
    if (!taken_up) return fail(taken_up.error());
    settings.taken_up = std::move(*taken_up);
  }
  const auto planned = plan_cluster(site, **profile, app.secrets(), intent.made_with.components);
  if (!planned) return fail(planned.error());
  if (app.cancelled()) return fail(Fault::cancelled, "interrupted before anything was changed");
  app.save("facts.json", facts_document({.facts = planned->facts, .failed = planned->plan.failed}));
  app.save("plan.json", plan_document(planned->plan, intent.made_with));

  if (task->must_equal) {
    const auto changed = stale(*task->must_equal, planned->plan);
    if (!changed.empty()) {
      app.tell(folded_errors(changed, app.width()));
      return fail(Error{.fault = Fault::stale,
                        .what = fmt::format("the plan is stale: {} changed since it was made ({})",
                                            count_of(changed.size(), "node"), changed.begin()->second.what),
                        .node = changed.begin()->first,
                        .hint = "nothing was changed; make a new plan with `" +
                                next_command(app, "plan --out FILE") + "`"});
    }
  }
  if (planned->plan.step_count() > 0) {
    if (auto yes = confirm_plan(app, planned->plan); !yes) return fail(yes.error());
  }
  const auto applied = apply_plan(site, *planned, app.secrets(), app.run_folder(), settings);
  return apply_outcome(app, applied);
}

}  // namespace

Status confirm_plan(App& app, const Plan& plan) {
  if (app.asks()) {
    app.tell(plan_text(plan, {.width = app.width(), .style = {}}) + "\n");
  } else {
    app.events().info("to do: " + plan_summary(plan));
  }
  return app.confirm("Do this?");
}

Outcome apply_outcome(App& app, const Applied& applied) {
  app.save("applied.json", to_json(applied));
  Outcome outcome{.document = to_json(applied)};
  outcome.text = applied_text(applied, app.style(), app.width());
  const auto bad = std::ranges::count_if(
      applied.nodes, [](const auto& node) { return node.second.status != NodeStatus::ok; });
  if (bad > 0) {
    outcome.exit_code = kNodesFailed;
    outcome.problems.push_back(fmt::format("{} of {} not as the profile wants", bad,
                                           count_of(applied.nodes.size(), "node")));
    outcome.next = next_command(app, app.cancelled() ? "apply --resume" : "apply --retry-failed");
  }
  return outcome;
}

Option batch_option(std::string& into) {
  return text_option("--batch", "N|P%", "nodes that may be away at once for a reboot (default: all)", into);
}

Command apply_command() {
  auto options = std::make_shared<ApplyOptions>();
  return {
      .name = "apply",
      .group = "Decide and install",
      .summary = "does what plan shows; survives dead nodes, resumes after any crash",
      .details =
          "Plans, shows it, asks (on a terminal; without one, or with --yes, it goes ahead) and makes the "
          "nodes what the profile wants. A step counts as done only when a probe, run after it, finds "
          "nothing left to do. A node that fails is left where it is; the others go on while the quorum "
          "of cluster.toml holds. Reboots happen where a step needs one, at the end of its stage, in batches.\n\n"
          "A step runs as a process of its own on its node: it outlives a lost connection, and podwright "
          "itself. Ctrl-C lets the steps that run end and begins no others; --resume takes up what still "
          "runs and does what is left.\n\n"
          + bundle_details() + " --resume and --retry-failed take the bundle of the run that they go on with.\n\n"
          "With FILE it does exactly what a saved plan says, and refuses (exit code 5) when a node has "
          "changed since. --resume goes on where the last run was cut off, --retry-failed with the nodes "
          "that did not succeed in it.",
      .options = all_options(*options),
      .positionals = {.usage = "[FILE]", .help = "a plan saved by `plan --out`", .least = 0, .most = 1,
                      .into = &options->files, .completes = Completes::file},
      .examples = {{"podwright apply", "plan, ask, do"},
                   {"podwright apply plan.json --yes", "exactly the plan that was reviewed"},
                   {"podwright apply --bundle site.tar.zst --pub site.key.pub", "without internet"},
                   {"podwright apply --retry-failed", "after cu07 was mended"}},
      .exits = {kNodesFailed, kStale},
      .run = [options](App& app) { return run_apply(app, *options); }};
}

}  // namespace podwright::cli
