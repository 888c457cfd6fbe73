#include "model/plan.hpp"

#include <algorithm>
#include <set>

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
    std::set<int> with_reboot;
    for (const auto& step : node.steps) {
      if (step.reboots) with_reboot.insert(step.stage);
    }
    count += with_reboot.size();
  }
  return count;
}

}  // namespace podwright
