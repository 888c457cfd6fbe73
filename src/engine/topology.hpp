/// Which leaf switch each end point hangs on, where the labels of cluster.toml do not say.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/site.hpp"
#include "model/fabric.hpp"
#include "model/facts.hpp"

namespace podwright {

/// Fills `leaf` of the end points that have none from an output of ibnetdiscover: an adapter is known by
/// its node description ("cu01 mlx5_0"), which begins with the node's name or host name. Returns how many
/// were found; an output that cannot be read is an error.
Result<std::size_t> leaves_from_ibnetdiscover(std::vector<Endpoint>& endpoints, std::string_view text,
                                              const std::map<NodeId, Facts>& facts);

/// The same from what LLDP tells on one node (`lldpctl -f keyvalue`).
Result<std::size_t> leaves_from_lldp(std::vector<Endpoint>& endpoints, const NodeId& node, std::string_view text,
                                     const Facts* facts);

/// Asks the nodes, where an end point has no leaf: LLDP on each, ibnetdiscover on the first that has
/// InfiniBand. Nobody who answers is no error: then the topology is not known.
void discover_leaves(Site& site, std::vector<Endpoint>& endpoints, const std::map<NodeId, Facts>& facts);

}  // namespace podwright
