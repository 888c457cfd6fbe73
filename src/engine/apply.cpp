#include "engine/apply.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/json.hpp"
#include "base/text.hpp"
#include "catalog/registry.hpp"
#include "config/json.hpp"
#include "engine/artifacts.hpp"
#include "engine/offline.hpp"
#include "engine/runner.hpp"
#include "engine/stage_script.hpp"

namespace podwright {

namespace {

/// The end of a step's output, where installers say what went wrong.
std::string last_lines(const std::string& output, std::size_t most) {
  const auto all = lines(trim(output));
  std::string text;
  for (std::size_t i = all.size() > most ? all.size() - most : 0; i < all.size(); ++i) {
    if (!text.empty()) text += '\n';
    text += all[i];
  }
  return text;
}

/// Judges one node's stage from its frames.
class NodeStage {
 public:
  NodeStage(const Planned& planned, NodeId node, StageScript script, const SecretStore& secrets)
      : planned_(planned), node_(std::move(node)), script_(std::move(script)), secrets_(secrets) {}

  [[nodiscard]] const StageScript& script() const { return script_; }

  void frame_begins(events::Bus& bus, std::size_t frame) const {
    const auto& part = script_.parts.at(frame);
    if (part.is_probe) return;
    for (const auto i : part.steps) {
      bus.emit(events::StepStarted{node_, script_.steps[i].id, script_.steps[i].action});
    }
  }

  void frame_ends(events::Bus& bus, std::size_t frame, const Observed& observed, AppliedNode& node) {
    const auto& part = script_.parts.at(frame);
    if (!part.is_probe) {
      ran_ = observed;
      ran_together_ = part.steps.size();
      return;
    }
    const auto& step = script_.steps[part.steps.front()];
    // What only a reboot brings about is judged after it.
    if (step.reboots && ran_.exit_status == 0) return;
    const auto problem = judge(step, observed);
    bus.emit(events::StepFinished{node_, step.id, !problem, ran_.exit_status, ran_.out, {}});
    if (!problem) {
      node.changed.push_back(step.id);
    } else if (node.status == NodeStatus::ok) {
      node.status = NodeStatus::failed;
      node.failed_step = step.id;
      node.error = problem->what;
      node.hint = problem->hint;
    }
  }

  /// The steps that need a reboot.
  [[nodiscard]] std::vector<Step> rebooting() const {
    std::vector<Step> steps;
    std::ranges::copy_if(script_.steps, std::back_inserter(steps), &Step::reboots);
    return steps;
  }

  /// Judges a step that needed a reboot, by what its probe printed after it.
  void rebooted(events::Bus& bus, const Step& step, const Observed& probe, AppliedNode& node) const {
    const auto left = what_is_left(step, probe);
    bus.emit(events::StepFinished{node_, step.id, !left, 0, left.value_or(""), {}});
    if (!left) {
      node.changed.push_back(step.id);
    } else if (node.status == NodeStatus::ok) {
      node.status = NodeStatus::failed;
      node.failed_step = step.id;
      node.error = fmt::format("the node has rebooted, but afterwards: {}", *left);
      node.hint = "the step's output is in the run's events.ndjson";
    }
  }

 private:
  /// Why the step did not succeed, or nothing.
  [[nodiscard]] std::optional<Error> judge(const Step& step, const Observed& probe) const {
    const auto left = what_is_left(step, probe);
    // A transaction of many packages may fail because of one; the probes tell which.
    if (ran_.exit_status != 0 && (left || ran_together_ == 1)) {
      const auto said = last_lines(ran_.out, 6);
      return Error{.fault = Fault::remote,
                   .what = fmt::format("{}{}", ran_.timed_out
                                           ? fmt::format("{} did not end within {} s", step.action,
                                                         step.deadline.count())
                                           : fmt::format("{} ended with exit status {}", step.action,
                                                         ran_.exit_status),
                                       said.empty() ? "" : ":\n" + said),
                   .hint = "mend the cause on the node, then `podwright apply --resume`"};
    }
    if (left) {
      return Error{.fault = Fault::remote,
                   .what = fmt::format("{} ran, but afterwards: {}", step.action, *left),
                   .hint = "the step's output is in the run's events.ndjson"};
    }
    return std::nullopt;
  }

  /// What the probe still finds wanting after the step.
  [[nodiscard]] std::optional<std::string> what_is_left(const Step& step, const Observed& probe) const {
    const auto& resources = planned_.wanted.at(node_).resources;
    auto wanted = *std::ranges::find(resources, step.id, &Wanted::id);
    // What was generated for this very step was not known when it was planned.
    if (wanted.kind == "secret") {
      const auto digest = secrets_.digest(wanted);
      if (!digest) return digest.error().what;
      if (*digest) set_value(wanted.fields, "sha256", Value({**digest}, wanted.pos));
    }
    const auto* kind = find_in_catalog<ResourceKind>(wanted.kind);
    static const std::set<std::string> nothing;
    if (probe.timed_out) return "its probe had no answer";
    const auto left = kind->plan(wanted, probe, {planned_.facts.at(node_), nothing, {}});
    if (!left) return left.error().what;
    if (left->empty()) return std::nullopt;
    return left->front().why;
  }

  const Planned& planned_;
  NodeId node_;
  StageScript script_;
  const SecretStore& secrets_;
  Observed ran_;
  std::size_t ran_together_ = 0;
};

/// Nodes that are in the way of this node's stage.
std::vector<std::string> blocked_by(const StageScript& script, const Applied& applied) {
  std::set<std::string> names;
  for (const auto& step : script.steps) {
    for (const auto& other : step.waits_for) {
      const auto found = applied.nodes.find(other);
      if (found != applied.nodes.end() && found->second.status != NodeStatus::ok) names.insert(other);
    }
  }
  return {names.begin(), names.end()};
}

void quarantine(AppliedNode& node, std::string error, std::string hint) {
  node.status = NodeStatus::quarantined;
  node.error = std::move(error);
  node.hint = std::move(hint);
}

bool below_quorum(const Applied& applied, double quorum) {
  const auto healthy = std::ranges::count_if(
      applied.nodes, [](const auto& item) { return item.second.status == NodeStatus::ok; });
  return static_cast<double>(healthy) < quorum * static_cast<double>(applied.nodes.size());
}

/// An interrupted node is quarantined with what it still lacks; one that has all is well.
void tell_what_is_left(const Planned& planned, const NodeId& name, AppliedNode& node) {
  const auto plan = planned.plan.nodes.find(name);
  if (plan == planned.plan.nodes.end()) return;
  std::vector<std::string> left;
  for (const auto& step : plan->second.steps) {
    if (std::ranges::find(node.changed, step.id) == node.changed.end()) left.push_back(step.id);
  }
  if (left.empty()) return;
  quarantine(node, fmt::format("interrupted; left undone: {}", human_list(left)),
             "`podwright apply --resume` does the rest");
}

/// The name of a stage's runner on its nodes.
std::string runner_id(const RunFolder& journal, std::string_view document, int stage) {
  // A run may apply twice: `up` does, for the hand-off.
  const auto kind = document.substr(0, document.find("applied.json"));
  return fmt::format("{}-{}{}", journal.id(), kind, stage + 1);
}

/// The document that exists while this runner's end was not seen on all its nodes.
std::string runners_document(const std::string& id) { return "runners-" + id + ".json"; }

/// What runs where, and what its frames are: all that is needed to find it again.
Status note_runners(const RunFolder& journal, const std::string& id, const std::map<NodeId, NodeStage>& stages) {
  Json document = {{"id", id}, {"nodes", Json::object()}};
  for (const auto& [node, stage] : stages) {
    auto frames = Json::array();
    for (const auto& part : stage.script().parts) {
      auto steps = Json::array();
      for (const auto i : part.steps) {
        steps.push_back({{"id", stage.script().steps[i].id}, {"action", stage.script().steps[i].action}});
      }
      frames.push_back({{"probe", part.is_probe}, {"steps", std::move(steps)}});
    }
    document["nodes"][node] = {{"marker", stage.script().script.marker()}, {"frames", std::move(frames)}};
  }
  return journal.save(runners_document(id), document);
}

/// What note_runners wrote.
struct NotedRunners {
  struct Frame {
    bool is_probe = false;
    std::vector<events::StepStarted> steps;
  };
  std::string id;
  std::vector<LostRunner> runners;
  std::map<NodeId, std::vector<Frame>> frames;
  bool all_nodes = true;  ///< of the document
};

/// Those of these nodes.
Result<NotedRunners> noted_runners(const RunFolder& run, const std::string& document,
                                   const std::vector<NodeId>& nodes) {
  const auto noted = run.load(document);
  if (!noted) return fail(noted.error());
  NotedRunners all;
  try {
    all.id = (*noted)->at("id").get<std::string>();
    for (const auto& [node, runner] : (*noted)->at("nodes").items()) {
      if (std::ranges::find(nodes, node) == nodes.end()) {
        all.all_nodes = false;
        continue;
      }
      all.runners.push_back({node, runner.at("marker").get<std::string>()});
      for (const auto& frame : runner.at("frames")) {
        auto& one = all.frames[node].emplace_back(
            NotedRunners::Frame{.is_probe = frame.at("probe").get<bool>(), .steps = {}});
        for (const auto& step : frame.at("steps")) {
          one.steps.push_back({node, step.at("id").get<std::string>(), step.at("action").get<std::string>()});
        }
      }
    }
  } catch (const Json::exception& problem) {
    return fail(Fault::internal, fmt::format("{}: {}", run.file(document).string(), problem.what()),
                "the file was edited: remove it, and `podwright apply` begins anew");
  }
  return all;
}

/// Follows them to their end. `done` receives the steps that succeeded; true when each end was seen.
bool follow_to_end(Site& site, NotedRunners& noted, std::map<NodeId, std::vector<std::string>>& done) {
  std::map<NodeId, Observed> ran;
  auto& frames = noted.frames;
  const auto begin = [&](const NodeId& node, std::size_t number) {
    if (number >= frames[node].size() || frames[node][number].is_probe) return;
    for (const auto& step : frames[node][number].steps) site.events.emit(step);
  };
  const auto end = [&](const NodeId& node, std::size_t number, const Observed& observed) {
    if (number >= frames[node].size()) return;
    const auto& frame = frames[node][number];
    if (!frame.is_probe) {
      ran[node] = observed;
      return;
    }
    const auto& seen = ran[node];
    for (const auto& step : frame.steps) {
      site.events.emit(events::StepFinished{node, step.step, seen.exit_status == 0, seen.exit_status, seen.out, {}});
      if (seen.exit_status == 0) done[node].push_back(step.step);
    }
  };
  bool all_seen = true;
  for (const auto& [node, result] : take_up_runners(site, noted.id, noted.runners, "taking up " + noted.id, begin, end)) {
    if (!result.error) continue;
    all_seen = all_seen && result.error->fault == Fault::remote;
    site.events.warn(result.error->message());
  }
  return all_seen && noted.all_nodes && !site.stop.stop_requested();
}

/// Of the steps that an interrupted run did: those that the new plan does not want again.
std::vector<std::string> still_done(const std::vector<std::string>& steps, const NodePlan& plan) {
  std::vector<std::string> done;
  std::ranges::copy_if(steps, std::back_inserter(done), [&](const std::string& id) {
    return std::ranges::find(plan.steps, id, &Step::id) == plan.steps.end();
  });
  return done;
}

}  // namespace

Result<std::map<NodeId, std::vector<std::string>>> take_up(Site& site) {
  std::map<NodeId, std::vector<std::string>> done;
  for (const auto& id : RunFolder::list(site.inventory.state_dir)) {
    const auto run = RunFolder::open(site.inventory.state_dir, id);
    if (!run) return fail(run.error());
    for (const auto& document : run->documents("runners-")) {
      auto noted = noted_runners(*run, document, site.nodes);
      if (!noted) return fail(noted.error());
      if (follow_to_end(site, *noted, done)) run->remove(document);
      if (site.stop.stop_requested()) return fail(Fault::cancelled, "interrupted while an earlier run was taken up");
    }
  }
  return done;
}

namespace {

/// Reads the probes of the steps for which these nodes rebooted.
void judge_after_reboot(Site& site, const Planned& planned, const std::vector<NodeId>& nodes,
                        const std::map<NodeId, NodeStage>& stages, Applied& applied) {
  std::vector<FramedJob> jobs;
  for (const auto& node : nodes) {
    FramedScript script("after the reboot of " + node);
    for (const auto& step : stages.at(node).rebooting()) {
      const auto& resources = planned.wanted.at(node).resources;
      const auto& wanted = *std::ranges::find(resources, step.id, &Wanted::id);
      script.add({.comment = "is it so now? " + step.id,
                  .script = find_in_catalog<ResourceKind>(wanted.kind)->probe(wanted, planned.facts.at(node)),
                  .deadline = std::chrono::seconds(30)});
    }
    jobs.push_back({node, std::move(script)});
  }
  for (const auto& [node, result] : run_framed(site, jobs, "state after the reboot")) {
    const auto steps = stages.at(node).rebooting();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto frame = result.frames.find(i);
      const auto nothing = Observed{.exit_status = 255, .out = {}, .err = "its output never arrived"};
      stages.at(node).rebooted(site.events, steps[i], frame == result.frames.end() ? nothing : frame->second,
                               applied.nodes[node]);
    }
    if (result.error && applied.nodes[node].status == NodeStatus::ok) {
      quarantine(applied.nodes[node], result.error->what, result.error->hint);
    }
  }
}

/// The reboots at the end of a stage: those of the heads last, for the others may need them.
void reboot_stage(Site& site, const Planned& planned, const std::map<NodeId, NodeStage>& stages,
                  const ApplySettings& settings, Applied& applied) {
  std::vector<RebootOrder> heads, others;
  for (const auto& [name, stage] : stages) {
    auto& node = applied.nodes[name];
    const auto steps = stage.rebooting();
    if (steps.empty() || node.status != NodeStatus::ok) continue;
    if (is_this_machine(planned.facts.at(name))) {
      quarantine(node, fmt::format("{} needs a reboot, and podwright runs on this very machine", steps.front().id),
                 "reboot it by hand, then `podwright apply --resume`");
      continue;
    }
    RebootOrder order{.node = name};
    for (const auto& step : steps) {
      if (step.only_reboots()) order.deadline = step.deadline;
    }
    (site.inventory.find(name)->has_role("head") ? heads : others).push_back(order);
  }
  const auto rolling = settings.batch.of(heads.size() + others.size());
  std::vector<std::vector<RebootOrder>> batches;
  for (const auto* group : {&others, &heads}) {
    for (std::size_t i = 0; i < group->size(); i += rolling) {
      batches.emplace_back(group->begin() + static_cast<std::ptrdiff_t>(i),
                           group->begin() + static_cast<std::ptrdiff_t>(std::min(i + rolling, group->size())));
    }
  }
  for (std::size_t i = 0; i < batches.size(); ++i) {
    // After a stop, and below the quorum, no node is sent away any more.
    const bool too_few = i > 0 && below_quorum(applied, site.inventory.quorum);
    if (site.stop.stop_requested() || too_few) {
      for (const auto& order : batches[i]) {
        quarantine(applied.nodes[order.node],
                   too_few ? "not rebooted: too many nodes did not come back from theirs"
                           : "interrupted before the reboot that it needs",
                   "`podwright apply --resume` reboots it");
      }
      continue;
    }
    const auto phase = fmt::format("reboot, batch {} of {}", i + 1, batches.size());
    site.events.emit(events::PhaseStarted{phase, batches[i].size()});
    const auto begun = std::chrono::steady_clock::now();
    std::vector<NodeId> back;
    for (const auto& [node, status] : reboot_nodes(site, batches[i])) {
      if (status) {
        back.push_back(node);
      } else {
        quarantine(applied.nodes[node], status.error().what, status.error().hint);
      }
    }
    site.events.emit(events::PhaseFinished{phase, back.size() == batches[i].size(),
                                           std::chrono::duration_cast<std::chrono::milliseconds>(
                                               std::chrono::steady_clock::now() - begun)});
    judge_after_reboot(site, planned, back, stages, applied);
  }
}

}  // namespace

Applied apply_plan(Site& site, const Planned& planned, SecretStore& secrets,
                   const RunFolder& journal, const ApplySettings& settings) {
  Applied applied{.run = journal.id(), .nodes = {}};
  for (const auto& [node, plan] : planned.plan.nodes) {
    const auto earlier = settings.taken_up.find(node);
    if (earlier != settings.taken_up.end()) applied.nodes[node].changed = still_done(earlier->second, plan);
    else applied.nodes[node];
  }
  for (const auto& [node, error] : planned.plan.failed) {
    const bool lost = error.fault == Fault::unreachable || error.fault == Fault::auth ||
                      error.fault == Fault::timeout;
    applied.nodes[node] = {.status = lost ? NodeStatus::unreachable : NodeStatus::failed,
                           .changed = {},
                           .failed_step = error.step,
                           .error = error.what,
                           .hint = error.hint};
  }
  const auto save = [&] {
    if (const auto saved = journal.save(settings.document, to_json(applied)); !saved) {
      site.events.warn(saved.error().message());
    }
  };
  save();
  std::set<NodeId> touched;  // nodes that have something to sweep up afterwards
  for (const auto& [node, steps] : settings.taken_up) touched.insert(node);

  const auto quorum = site.inventory.quorum;
  std::vector<NodeId> ready;
  if (!below_quorum(applied, quorum)) {
    for (const auto& [name, node] : applied.nodes) {
      if (node.status == NodeStatus::ok) ready.push_back(name);
    }
  }
  std::map<NodeId, Error> unserved;
  std::vector<NodeId> offline;
  if (settings.offline != nullptr) {
    std::ranges::copy_if(ready, std::back_inserter(offline), [&](const NodeId& name) {
      const auto found = planned.plan.nodes.find(name);
      return found != planned.plan.nodes.end() && !found->second.steps.empty();
    });
    unserved = place_bundle(site, *settings.offline, planned.facts, offline);
    std::erase_if(ready, [&](const NodeId& name) { return unserved.contains(name); });
  }
  unserved.merge(place_artifacts(site, planned.plan, ready));
  for (auto& [name, error] : unserved) {
    const bool lost = error.fault == Fault::unreachable && error.node;
    auto& node = applied.nodes.at(name);
    node = {.status = lost ? NodeStatus::unreachable : NodeStatus::failed,
            .changed = {},
            .failed_step = "artifacts",
            .error = std::move(error.what),
            .hint = std::move(error.hint)};
  }

  for (int stage = 0; stage < planned.plan.stages; ++stage) {
    if (site.stop.stop_requested()) break;
    if (below_quorum(applied, quorum)) {
      for (auto& [name, node] : applied.nodes) {
        if (node.status != NodeStatus::ok || !planned.plan.nodes.contains(name)) continue;
        const auto& steps = planned.plan.nodes.at(name).steps;
        if (!steps.empty() && steps.back().stage >= stage) {
          quarantine(node,
                     fmt::format("not {}: fewer than {:.0f} % of the nodes are healthy, which is the quorum",
                                 stage == 0 ? "begun" : "finished", quorum * 100),
                     "mend the failed nodes, leave them out with -n, or lower [cluster] quorum; then "
                     "`podwright apply --resume`");
        }
      }
      break;
    }

    std::map<NodeId, NodeStage> stages;
    std::vector<FramedJob> jobs;
    for (auto& [name, node] : applied.nodes) {
      if (node.status != NodeStatus::ok) continue;
      auto script = stage_script(planned, name, stage, &secrets, {}, journal.id());
      if (!script) {
        node.status = NodeStatus::failed;
        node.error = script.error().what;
        node.hint = script.error().hint;
        continue;
      }
      if (script->steps.empty()) continue;
      if (settings.offline != nullptr) script->script.setup(bundle_environment());
      if (const auto others = blocked_by(*script, applied); !others.empty()) {
        quarantine(node,
                   fmt::format("{} waits for {}, which failed", script->steps.front().id,
                               human_list(others)),
                   fmt::format("mend {}, then `podwright apply --resume`", human_list(others)));
        continue;
      }
      jobs.push_back({name, script->script});
      stages.emplace(name, NodeStage(planned, name, std::move(*script), secrets));
    }
    if (jobs.empty()) continue;

    const auto begin = [&](const NodeId& name, std::size_t frame) {
      stages.at(name).frame_begins(site.events, frame);
    };
    const auto end = [&](const NodeId& name, std::size_t frame, const Observed& observed) {
      stages.at(name).frame_ends(site.events, frame, observed, applied.nodes[name]);
    };
    // Written before anything starts: whoever resumes a killed run looks for these.
    const auto id = runner_id(journal, settings.document, stage);
    if (const auto noted = note_runners(journal, id, stages); !noted) {
      site.events.warn(noted.error().message());
    }
    for (const auto& job : jobs) touched.insert(job.node);
    const auto results = run_detached(
        site, id, std::move(jobs), fmt::format("apply stage {} of {}", stage + 1, planned.plan.stages), begin, end);

    bool end_unseen = false;  // of a script: --resume has to look for it
    for (const auto& [name, result] : results) {
      auto& node = applied.nodes[name];
      if (result.error && node.status == NodeStatus::ok) {
        const auto& error = *result.error;
        if (error.fault == Fault::unreachable || error.fault == Fault::timeout || error.fault == Fault::cancelled) {
          touched.erase(name);
          end_unseen = true;
        }
        if (error.fault == Fault::cancelled) continue;  // told below, with all that was left undone
        const bool lost = error.fault == Fault::unreachable || error.fault == Fault::auth;
        node.status = lost ? NodeStatus::unreachable : NodeStatus::failed;
        if (result.unfinished) {
          const auto& part = stages.at(name).script().parts.at(*result.unfinished);
          node.failed_step = stages.at(name).script().steps[part.steps.front()].id;
        }
        node.error = error.what;
        node.hint = error.hint.empty() ? "`podwright apply --resume` goes on where it stopped"
                                       : error.hint;
      }
      // A script that ended early without a failed step was cut off on the node.
      const auto& parts = stages.at(name).script().parts;
      if (node.status == NodeStatus::ok && result.frames.size() < parts.size() && !site.stop.stop_requested()) {
        node.status = NodeStatus::failed;
        node.failed_step = stages.at(name)
                               .script()
                               .steps[parts.at(result.frames.size()).steps.front()]
                               .id;
        node.error = "the script ended before this step was done";
        node.hint = "`podwright apply --resume` goes on where it stopped";
      }
    }
    save();
    if (!end_unseen) journal.remove(runners_document(id));
    if (!site.stop.stop_requested()) {
      reboot_stage(site, planned, stages, settings, applied);
      save();
    }
  }
  if (site.stop.stop_requested()) {
    for (auto& [name, node] : applied.nodes) {
      if (node.status == NodeStatus::ok) tell_what_is_left(planned, name, node);
    }
    save();
  }
  std::erase_if(ready, [&](const NodeId& name) { return applied.nodes.at(name).status != NodeStatus::ok; });
  remove_artifacts(site, planned.plan, ready);
  std::erase_if(offline, [&](const NodeId& name) { return applied.nodes.at(name).status == NodeStatus::unreachable; });
  remove_bundle(site, offline);
  sweep_runners(site, {touched.begin(), touched.end()});
  return applied;
}

namespace {

/// What of this step is not as it was planned; empty: nothing.
std::string how_it_changed(const Step& before, const Step& now) {
  if (before.why != now.why) return fmt::format("{}: {} (planned when: {})", now.id, now.why, before.why);
  if (before.diff != now.diff) return fmt::format("{}: what it changes differs again", now.id);
  const auto key = [](const Step& step) {
    return std::tuple(step.action, step.script, step.batch, step.batch_words, step.stage, step.reboots);
  };
  return key(before) == key(now) ? "" : fmt::format("{} would be done differently now", now.id);
}

/// What of a node's steps is not as it was planned; empty: nothing.
std::vector<std::string> how_they_changed(const std::vector<Step>& before, const std::vector<Step>& now) {
  std::vector<std::string> changes;
  for (const auto& step : before) {
    const auto again = std::ranges::find(now, step.id, &Step::id);
    const auto change = again == now.end() ? step.id + " needs nothing any more" : how_it_changed(step, *again);
    if (!change.empty()) changes.push_back(change);
  }
  for (const auto& step : now) {
    if (std::ranges::find(before, step.id, &Step::id) == before.end()) {
      changes.push_back(fmt::format("{} has changed since: {}", step.id, step.why));
    }
  }
  if (changes.empty() && !std::ranges::equal(before, now, {}, &Step::id, &Step::id)) {
    changes.emplace_back("its steps have another order now");
  }
  return changes;
}

}  // namespace

std::map<NodeId, std::string> stale_nodes(const Plan& saved, const Plan& current) {
  std::map<NodeId, std::string> stale;
  for (const auto& [name, node] : saved.nodes) {
    const auto failed = current.failed.find(name);
    const auto now = current.nodes.find(name);
    if (failed != current.failed.end()) {
      stale[name] = failed->second.what;
    } else if (now == current.nodes.end()) {
      stale[name] = "is not among the selected nodes any more";
    } else if (auto changes = how_they_changed(node.steps, now->second.steps); !changes.empty()) {
      constexpr std::size_t most = 5;
      const auto more = changes.size() > most ? changes.size() - most : 0;
      changes.resize(changes.size() - more);
      stale[name] = join(changes, "; ") + (more > 0 ? fmt::format("; and {} more", more) : "");
    }
  }
  for (const auto& [name, node] : current.nodes) {
    if (!saved.nodes.contains(name) && !node.steps.empty()) stale[name] = "was not part of the plan";
  }
  return stale;
}

}  // namespace podwright
