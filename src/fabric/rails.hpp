/// End points by rail, as small numbers: what the schedule and the judge count with.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/fabric.hpp"

namespace podwright::fabric {

/// The ports of one rail, numbered in the order of the inventory. Borrows the end points.
struct Rail {
  int rail = 0;
  std::vector<const Endpoint*> ports;
  std::vector<int> node;  ///< of each port: the same number on every rail
  std::vector<int> leaf;  ///< of each port: place in `leaves`, -1 when it has no label
  std::vector<std::string> leaves;
  std::unordered_map<std::string_view, int> by_node;

  [[nodiscard]] std::size_t size() const { return ports.size(); }
  [[nodiscard]] const NodeId& name(int port) const {
    return ports[static_cast<std::size_t>(port)]->node;
  }
  [[nodiscard]] int leaf_of(int port) const { return leaf[static_cast<std::size_t>(port)]; }
  [[nodiscard]] int node_of(int port) const { return node[static_cast<std::size_t>(port)]; }
  /// Most ports have a leaf, and leaves group ports (two and more each, on average).
  [[nodiscard]] bool has_topology() const;
};

/// In ascending order of rails. An end point that is listed twice counts once.
std::vector<Rail> rails_of(std::span<const Endpoint> endpoints);

/// A pair of ports of one rail, the smaller number first.
using PortPair = std::pair<int, int>;
using PortRound = std::vector<PortPair>;

}  // namespace podwright::fabric
