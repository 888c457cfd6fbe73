#include "fabric/rails.hpp"

#include <algorithm>
#include <map>

namespace podwright::fabric {

bool Rail::has_topology() const {
  const auto labelled =
      static_cast<std::size_t>(std::ranges::count_if(leaf, [](int at) { return at >= 0; }));
  return 2 * labelled > size() && (leaves.size() == 1 || labelled >= 2 * leaves.size());
}

std::vector<Rail> rails_of(std::span<const Endpoint> endpoints) {
  std::unordered_map<std::string_view, int> nodes;
  std::map<int, Rail> rails;
  std::map<int, std::unordered_map<std::string_view, int>> leaves;
  for (const auto& endpoint : endpoints) {
    const int node = nodes.try_emplace(endpoint.node, static_cast<int>(nodes.size())).first->second;
    auto& rail = rails[endpoint.rail];
    rail.rail = endpoint.rail;
    if (!rail.by_node.try_emplace(endpoint.node, static_cast<int>(rail.size())).second) continue;
    int leaf = -1;
    if (!endpoint.leaf.empty()) {
      const auto [known, added] =
          leaves[endpoint.rail].try_emplace(endpoint.leaf, static_cast<int>(rail.leaves.size()));
      if (added) rail.leaves.push_back(endpoint.leaf);
      leaf = known->second;
    }
    rail.ports.push_back(&endpoint);
    rail.node.push_back(node);
    rail.leaf.push_back(leaf);
  }
  std::vector<Rail> all;
  for (auto& [number, rail] : rails) all.push_back(std::move(rail));
  return all;
}

}  // namespace podwright::fabric
