/// Who differs from the nodes of its kind, and in what.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/facts.hpp"
#include "model/node.hpp"

namespace podwright {

/// One thing in which nodes differ from the usual of their kind.
struct Difference {
  std::string aspect;  ///< "kernel", "driver nvidia", "package chrony", "sysctl vm.swappiness", "BIOS"
  std::string value;   ///< "none" where there is nothing
  std::string usual;   ///< what most have; empty: no value has a majority
  bool operator==(const Difference&) const = default;
};

/// Nodes that differ in the same way.
struct DriftGroup {
  std::vector<NodeId> nodes;
  std::vector<Difference> differences;
};

/// Nodes that should be alike: the same hardware, and the same roles.
struct DriftClass {
  std::vector<NodeId> nodes;
  std::vector<NodeId> alike;  ///< in everything that was compared
  std::vector<DriftGroup> odd;
};

/// Compares system, kernel, BIOS, firmware, drivers, packages, kernel parameters and CPU settings within each
/// class of at least two nodes. Pure. Nodes without facts are in no class.
std::vector<DriftClass> drift_of(const std::map<NodeId, Facts>& facts, const Inventory& inventory);

}  // namespace podwright
