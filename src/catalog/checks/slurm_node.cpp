// slurm.node: the scheduler may use the node.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/slurm_state.hpp"

namespace podwright {

namespace {

/// States and flags of a node that takes jobs, or is busy or reserved by intent (sinfo(1), NODE STATE
/// CODES). Whatever is not here is trouble: DOWN, DRAIN, FAIL, NOT_RESPONDING, INVALID_REG, UNKNOWN, …
constexpr std::string_view good_states[] = {"IDLE",    "ALLOCATED", "MIXED",       "COMPLETING", "RESERVED",     "PLANNED",
                                            "BLOCKED", "CLOUD",     "DYNAMIC_NORM", "DYNAMIC_FUTURE", "MAINTENANCE", "MAINT",
                                            "PERFCTRS", "NPC",      "INVAL_OK"};

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto node = judging::read_slurm_node(observed);
  if (!node) return {judging::failed_to_run(check, node.error().what, "scontrol show node $(hostname -s)")};
  if (const auto without = judging::without_slurm(check, *node, expectation)) return {*without};
  const auto& state = node->fields.find("State")->second;
  std::vector<std::string> bad;
  for (auto part : split(state, '+')) {
    const bool mute = part.ends_with('*');  // the node does not answer the controller
    if (mute) part.remove_suffix(1);
    if (mute || std::ranges::find(good_states, part) == std::end(good_states)) bad.emplace_back(part);
  }
  const std::string expected = "a state in which it takes jobs";
  if (bad.empty()) return {judging::passed(check, state, expected)};
  const auto reason = node->fields.find("Reason");
  auto seen = reason == node->fields.end() ? state : fmt::format("{}: {}", state, reason->second);
  return {judging::broken(check, std::move(seen), expected,
                          fmt::format("mend the reason (journalctl -u slurmd), then on the head: scontrol update nodename={} state=resume",
                                      expectation.node.name))};
}

const Registered check{Check{
    .id = "slurm.node",
    .summary = "The node is neither down nor drained in Slurm",
    .severity = Severity::fatal,
    .source = "facebookresearch/gcm (check_node)",
    .probe = judging::slurm_probe,
    .deadline = std::chrono::seconds(20),
    .judge = judge}};

}  // namespace

}  // namespace podwright
