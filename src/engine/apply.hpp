/// Doing what a plan says, stage by stage, and telling only what a probe has seen.
#pragma once

#include "engine/planner.hpp"
#include "engine/reboot.hpp"
#include "engine/run_folder.hpp"
#include "engine/secrets.hpp"
#include "engine/site.hpp"
#include "model/plan.hpp"

namespace podwright {

struct OfflineSource;

struct ApplySettings {
  /// Rewritten in the journal before and after every stage, so that a killed run can be judged afterwards.
  std::string document = "applied.json";
  /// Steps that an interrupted run had begun, and that turned out to be done: they count as this run's.
  std::map<NodeId, std::vector<std::string>> taken_up{};
  Batch batch{};  ///< of nodes that reboot at once
  /// Where packages and files come from in place of the network; null: the network.
  const OfflineSource* offline = nullptr;
};

/// Applies the plan. A step counts as done when its probe, run after it, leaves nothing to do. A node
/// whose step fails is left there; the others go on, unless fewer than the quorum stay healthy.
/// A stage ends with the reboots that its steps need; the next one begins when the nodes are back.
/// What runs on a node is a process of its own there: it outlives the connection and this process. On a
/// stop, each node ends its present step and begins no other.
Applied apply_plan(Site& site, const Planned& planned, SecretStore& secrets, const RunFolder& journal,
                   const ApplySettings& settings = {});

/// What earlier runs had running on the nodes of `site` when they were cut off: each script is waited for
/// until it ends, and its output taken into the event stream. Returns the steps that succeeded by their
/// exit status, a node each; what became of them is for the probes of a new plan to say.
Result<std::map<NodeId, std::vector<std::string>>> take_up(Site& site);

/// Ids of the nodes on which `saved` differs from `current`, with what differs: a plan may be applied
/// only while this is empty.
std::map<NodeId, std::string> stale_nodes(const Plan& saved, const Plan& current);

}  // namespace podwright
