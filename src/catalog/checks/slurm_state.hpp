/// What Slurm says of the node that asks.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "catalog/checks/judging.hpp"

namespace podwright::judging {

/// The probe of both checks of Slurm: scontrol's line of this node, and the accelerators' device files.
extern const std::string_view slurm_probe;

struct SlurmNode {
  bool installed = false;
  bool known = false;        ///< the controller answered and knows this node
  std::string complaint{};   ///< what scontrol said instead
  std::map<std::string, std::string, std::less<>> fields{};  ///< "State", "Gres", "Reason", …
  std::int64_t device_files = 0;  ///< /dev/nvidiaN, /dev/davinciN
};
Result<SlurmNode> read_slurm_node(const Observed& observed);

/// The verdict when there is nothing to judge: no Slurm on this node (skip), or none that answers.
/// Nothing when scontrol told of the node.
std::optional<CheckResult> without_slurm(const Check& check, const SlurmNode& node, const Expectation& expectation);

}  // namespace podwright::judging
