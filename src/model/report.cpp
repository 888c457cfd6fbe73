#include "model/report.hpp"

#include <algorithm>

namespace podwright {

bool HandoffReport::pass() const {
  if (targets.empty() && proofs.empty()) return false;
  return std::ranges::all_of(targets, [](const HandoffTarget& t) { return t.status == "ok"; }) &&
         std::ranges::all_of(proofs, &ProofResult::pass);
}

bool Report::pass() const {
  const auto set_aside = [&](const NodeId& name) {
    if (!applied) return false;
    const auto node = applied->nodes.find(name);
    return node != applied->nodes.end() && node->second.status == NodeStatus::quarantined;
  };
  const auto excused = [&](const auto& entry) { return set_aside(entry.first); };
  if (!std::ranges::all_of(unreachable, excused)) return false;
  if (plan && !std::ranges::all_of(plan->failed, excused)) return false;
  if (applied && std::ranges::any_of(applied->nodes, [](const auto& entry) {
        return entry.second.status == NodeStatus::failed ||
               entry.second.status == NodeStatus::unreachable;
      })) {
    return false;
  }
  if (fabric && !fabric->verdict.pass) return false;
  if (checks && !checks->pass()) return false;
  if (handoff && !handoff->pass()) return false;
  return plan || applied || fabric || checks || handoff;
}

}  // namespace podwright
