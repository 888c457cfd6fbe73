/// What a node's failed checks mean for Slurm: for `check --slurm`, its HealthCheckProgram.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "model/check.hpp"

namespace podwright {

/// A node as `scontrol show node --oneliner` tells of it.
struct SlurmNode {
  std::string state;   ///< "IDLE+DRAIN"
  std::string reason;  ///< without the [who@when] behind it
  [[nodiscard]] bool drained() const { return state.find("DRAIN") != std::string::npos; }
};
Result<SlurmNode> read_slurm_node(std::string_view printed);

/// What Slurm is told. Reasons of ours begin with "podwright: ": only what carries it is given back.
struct SlurmOrder {
  std::string state;   ///< DRAIN | RESUME
  std::string reason;  ///< one line; empty with RESUME
};
/// A failed or broken check drains the node, unless somebody else has; when all pass, a node that was
/// drained by us works again. Nothing when all is as it should be. Warnings drain nobody.
std::optional<SlurmOrder> decide_slurm(const SlurmNode& node, const NodeChecks& checks);

/// Asks Slurm, decides and orders, with scontrol of this machine. Returns what was ordered.
Result<std::optional<SlurmOrder>> drain_or_resume(const std::string& slurm_name, const NodeChecks& checks,
                                                  const std::stop_token& stop);

}  // namespace podwright
