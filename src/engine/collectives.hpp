/// The collectives of a profile's [[measurement]] kind = "collective": run from the head through the scheduler
/// or by mpirun, or on each node by itself, and held against what the profile or the table expects.
#pragma once

#include <map>
#include <vector>

#include "engine/site.hpp"
#include "model/expectation.hpp"
#include "model/fabric.hpp"
#include "model/facts.hpp"
#include "model/profile.hpp"

namespace podwright {

/// What the site's nodes are made of: the model of most of their accelerators, or [fabric] hardware.
std::string hardware_of(const Profile& profile, const std::map<NodeId, Facts>& facts);

/// Runs all collectives of the profile over `nodes` (sound ones: a fault of a pair is told already). A run
/// that fails is a result with its error. Fewer than two nodes: only what is measured within a node.
std::vector<CollectiveResult> measure_collectives(Site& site, const Profile& profile,
                                                  const std::vector<NodeId>& nodes,
                                                  const std::map<NodeId, Facts>& facts,
                                                  const std::vector<ExpectedRate>& table);

}  // namespace podwright
