/// What would have to change. Facts in, steps out: only observe() contacts a node, and it reads.
#pragma once

#include <map>
#include <vector>

#include "catalog/registry.hpp"
#include "engine/gather.hpp"
#include "engine/render_context.hpp"
#include "engine/secrets.hpp"
#include "engine/site.hpp"
#include "model/facts.hpp"
#include "model/plan.hpp"
#include "model/profile.hpp"

namespace podwright {

/// The resources of one node, rendered for it, in the order of their dependencies.
struct NodeWanted {
  std::vector<Wanted> resources;
};

/// Selects (roles, when), renders and orders the resources of each node in `facts`.
/// `components` keeps the resources of these only; empty: all.
Result<std::map<NodeId, NodeWanted>> resolve(const Inventory& inventory, const Profile& profile,
                                             const std::map<NodeId, Facts>& facts,
                                             const ContextInputs& inputs,
                                             const std::vector<std::string>& components = {});

/// What is now: a node's resources -> what their probes printed, in one execution a node.
struct ObservedNode {
  std::vector<Observed> resources;  ///< parallel to NodeWanted::resources
  std::string preflight{};          ///< what preflight_script printed; empty: nobody asked
};
std::map<NodeId, Result<ObservedNode>> observe(Site& site,
                                               const std::map<NodeId, NodeWanted>& wanted,
                                               const std::map<NodeId, Facts>& facts);

/// Pure: wanted and observed in, steps in stages out. A node that has something to do and is not fit for
/// it by the preflight ends up in Plan::failed. `failed` are the nodes that are not planned;
/// they stay in Plan::failed, and barriers that wait for them hold.
Result<Plan> make_plan(const Inventory& inventory, const Profile& profile,
                       const std::map<NodeId, NodeWanted>& wanted,
                       const std::map<NodeId, ObservedNode>& observed,
                       const std::map<NodeId, Facts>& facts,
                       const std::map<NodeId, Error>& failed);

/// Everything that planning learnt; apply needs it to prove its steps.
struct Planned {
  Plan plan;
  std::map<NodeId, NodeWanted> wanted;
  std::map<NodeId, Facts> facts;
};

/// Facts of the selected nodes and their resources: one round trip a node. Nodes that cannot be
/// reached, or that the profile is not for, are in `failed`.
struct Resolved {
  std::map<NodeId, Facts> facts;
  std::map<NodeId, Error> failed;
  std::map<NodeId, NodeWanted> wanted;
};
Result<Resolved> resolve_cluster(Site& site, const Profile& profile, SecretStore& secrets,
                                 const std::vector<std::string>& components = {});

/// The whole of it: facts, resolve, observe, plan. Two round trips a node.
/// `components` limits it to the resources of these components; empty: all.
Result<Planned> plan_cluster(Site& site, const Profile& profile, SecretStore& secrets,
                             const std::vector<std::string>& components = {});

/// The same against recorded facts, and no node is contacted: what the facts do not tell is taken to be
/// as on a machine that has nothing of the profile yet. Secrets stay ungenerated; a public half is a
/// text that says so. Nodes of `recorded.failed` stay failed.
Result<Planned> plan_recorded(const Inventory& inventory, const Profile& profile, Gathered recorded,
                              const std::vector<std::string>& components = {});

/// Whether the versions that a profile pins go together, before any node is asked; the error names each
/// rule that is broken, its two sides and its source.
Status check_compatibility(const Profile& profile);

/// Whether the profile may be used on these nodes (its `requires`); names each that may not.
std::map<NodeId, Error> unsuitable(const Profile& profile, const std::map<NodeId, Facts>& facts);

}  // namespace podwright
