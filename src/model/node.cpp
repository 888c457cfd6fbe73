#include "model/node.hpp"

#include <algorithm>

namespace podwright {

bool Node::has_role(std::string_view role) const {
  return role == "all" || std::ranges::find(roles, role) != roles.end();
}

const Node* Inventory::find(std::string_view wanted) const {
  const auto place = std::ranges::find(nodes, wanted, &Node::name);
  return place == nodes.end() ? nullptr : &*place;
}

std::vector<std::string> Inventory::names() const {
  std::vector<std::string> all;
  all.reserve(nodes.size());
  for (const auto& node : nodes) all.push_back(node.name);
  return all;
}

std::vector<const Node*> Inventory::with_role(std::string_view role) const {
  std::vector<const Node*> found;
  for (const auto& node : nodes) {
    if (node.has_role(role)) found.push_back(&node);
  }
  return found;
}

}  // namespace podwright
