/// Files that steps need on their nodes: fetched once to the head, sent to the nodes that lack them.
#pragma once

#include <filesystem>
#include <map>

#include "engine/site.hpp"
#include "model/plan.hpp"

namespace podwright {

/// Where a node has its artifacts, each named by its SHA-256; steps read it as $PODWRIGHT_ARTIFACTS.
inline constexpr std::string_view artifact_folder = "/var/lib/podwright/artifacts";

/// Has the artifacts of all steps of these nodes where the steps look for them: fetches what the head
/// has not yet (into <state_dir>/artifacts), asks each node once what it has, and sends the rest from
/// node to node (engine/distribute.hpp). Nodes without such steps are not contacted. The answer holds the nodes
/// that lack one, and why.
std::map<NodeId, Error> place_artifacts(Site& site, const Plan& plan, const std::vector<NodeId>& nodes);

/// Takes the artifacts away from nodes that are done with them.
void remove_artifacts(Site& site, const Plan& plan, const std::vector<NodeId>& nodes);

}  // namespace podwright
