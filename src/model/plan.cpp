#include "model/plan.hpp"

#include <algorithm>

namespace podwright {

std::string_view to_string(NodeStatus status) {
  switch (status) {
    case NodeStatus::ok:
      return "ok";
    case NodeStatus::failed:
      return "failed";
    case NodeStatus::unreachable:
      return "unreachable";
    case NodeStatus::quarantined:
      return "quarantined";
  }
  return "failed";
}

std::size_t Plan::step_count() const {
  std::size_t count = 0;
  for (const auto& [name, node] : nodes) count += node.steps.size();
  return count;
}

std::size_t Plan::reboot_count() const {
  std::size_t count = 0;
  for (const auto& [name, node] : nodes) {
    count += static_cast<std::size_t>(std::ranges::count(node.steps, true, &Step::reboots));
  }
  return count;
}

}  // namespace podwright
