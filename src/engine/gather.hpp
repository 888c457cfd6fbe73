/// Facts of the nodes: all probes of the catalog in one execution a node.
#pragma once

#include <map>

#include "catalog/registry.hpp"
#include "engine/site.hpp"
#include "model/facts.hpp"

namespace podwright {

/// Facts, or why there are none. A probe that failed leaves its part empty and is named in
/// Facts::missing; a node that was not reached is an error.
std::map<NodeId, Result<Facts>> gather_facts(Site& site);

/// The facts that outputs of probes tell (probe id -> output); those that failed are in Facts::missing.
Facts facts_from_probes(const NodeId& node, const std::map<std::string_view, Observed>& observed);

/// The facts that arrived, and the nodes that have none.
struct Gathered {
  std::map<NodeId, Facts> facts;
  std::map<NodeId, Error> failed;
};
Gathered sort_out(std::map<NodeId, Result<Facts>> results);

/// Facts saved for later runs under the state folder, so that configuration that lists all nodes
/// (slurm.conf, hosts) does not forget one that is down today.
Status remember_facts(const Inventory& inventory, const std::map<NodeId, Facts>& facts);
std::map<NodeId, Facts> remembered_facts(const Inventory& inventory);

/// Hardware classes: nodes whose hardware is alike, largest first.
struct HardwareClass {
  std::string id;  ///< "A", "B", …
  std::vector<NodeId> nodes;
  /// What sets it apart from the first class: "memory 15.6 GiB (A: 31.2 GiB)". Empty for the first.
  std::vector<std::string> differs;
};
std::vector<HardwareClass> classify(const std::map<NodeId, Facts>& facts);

}  // namespace podwright
