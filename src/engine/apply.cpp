#include "engine/apply.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/json.hpp"
#include "base/text.hpp"
#include "catalog/registry.hpp"
#include "config/json.hpp"
#include "engine/artifacts.hpp"
#include "engine/fan_out.hpp"
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
    const auto left = kind->plan(wanted, probe, {planned_.facts.at(node_), nothing});
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

}  // namespace

Applied apply_plan(Site& site, const Planned& planned, SecretStore& secrets,
                   const RunFolder& journal, std::string_view document) {
  Applied applied{.run = journal.id(), .nodes = {}};
  for (const auto& [node, plan] : planned.plan.nodes) applied.nodes[node];
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
    if (const auto saved = journal.save(document, to_json(applied)); !saved) {
      site.events.warn(saved.error().message());
    }
  };
  save();

  std::vector<NodeId> ready;
  for (const auto& [name, node] : applied.nodes) {
    if (node.status == NodeStatus::ok) ready.push_back(name);
  }
  for (auto& [name, error] : place_artifacts(site, planned.plan, ready)) {
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
    // Only a stage that others wait for is worth stopping for: the first one always starts.
    if (stage > 0 && below_quorum(applied, site.inventory.quorum)) {
      for (auto& [name, node] : applied.nodes) {
        if (node.status != NodeStatus::ok || !planned.plan.nodes.contains(name)) continue;
        const auto& steps = planned.plan.nodes.at(name).steps;
        if (!steps.empty() && steps.back().stage >= stage) {
          quarantine(node,
                     fmt::format("not finished: fewer than {:.0f} % of the nodes are healthy",
                                 site.inventory.quorum * 100),
                     "mend the failed nodes, or lower [cluster] quorum, then `podwright apply --resume`");
        }
      }
      break;
    }

    std::map<NodeId, NodeStage> stages;
    std::vector<FramedJob> jobs;
    for (auto& [name, node] : applied.nodes) {
      if (node.status != NodeStatus::ok) continue;
      auto script = stage_script(planned, name, stage, &secrets);
      if (!script) {
        node.status = NodeStatus::failed;
        node.error = script.error().what;
        node.hint = script.error().hint;
        continue;
      }
      if (script->steps.empty()) continue;
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
    const auto results =
        run_framed(site, std::move(jobs),
                   fmt::format("apply stage {} of {}", stage + 1, planned.plan.stages), begin, end);

    for (const auto& [name, result] : results) {
      auto& node = applied.nodes[name];
      if (result.error && node.status == NodeStatus::ok) {
        const auto& error = *result.error;
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
      if (node.status == NodeStatus::ok && result.frames.size() < parts.size()) {
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
  }
  if (site.stop.stop_requested()) {
    for (auto& [name, node] : applied.nodes) {
      const auto plan = planned.plan.nodes.find(name);
      if (node.status == NodeStatus::ok && plan != planned.plan.nodes.end() &&
          node.changed.size() < plan->second.steps.size()) {
        quarantine(node, "interrupted before it was finished", "`podwright apply --resume`");
      }
    }
    save();
  }
  std::erase_if(ready, [&](const NodeId& name) { return applied.nodes.at(name).status != NodeStatus::ok; });
  remove_artifacts(site, planned.plan, ready);
  return applied;
}

std::map<NodeId, std::string> stale_nodes(const Plan& saved, const Plan& current) {
  std::map<NodeId, std::string> stale;
  const auto key = [](const Step& step) {
    return std::tuple(step.id, step.action, step.script, step.batch, step.batch_words, step.stage);
  };
  for (const auto& [name, node] : saved.nodes) {
    if (const auto failed = current.failed.find(name); failed != current.failed.end()) {
      stale[name] = failed->second.what;
      continue;
    }
    const auto now = current.nodes.find(name);
    if (now == current.nodes.end()) {
      stale[name] = "is not among the selected nodes any more";
      continue;
    }
    std::set<std::string> before, after;
    for (const auto& step : node.steps) before.insert(step.id);
    for (const auto& step : now->second.steps) after.insert(step.id);
    std::vector<std::string> gone, added;
    std::ranges::set_difference(before, after, std::back_inserter(gone));
    std::ranges::set_difference(after, before, std::back_inserter(added));
    if (!gone.empty()) stale[name] = human_list(gone) + " needs nothing any more";
    if (!added.empty()) {
      stale[name] += (stale.contains(name) && !stale[name].empty() ? "; " : "") + human_list(added) +
                     " has changed since";
    }
    if (stale.contains(name)) continue;
    if (!std::ranges::equal(node.steps, now->second.steps, {}, key, key)) {
      for (std::size_t i = 0; i < std::min(node.steps.size(), now->second.steps.size()); ++i) {
        if (key(node.steps[i]) == key(now->second.steps[i])) continue;
        stale[name] = node.steps[i].id + " would be done differently now";
        break;
      }
    }
  }
  for (const auto& [name, node] : current.nodes) {
    if (!saved.nodes.contains(name) && !node.steps.empty()) stale[name] = "was not part of the plan";
  }
  return stale;
}

}  // namespace podwright
