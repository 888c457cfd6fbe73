/// One script for a node and a stage: its steps in order, each followed by the probe that proves it.
#pragma once

#include <vector>

#include "engine/framed_script.hpp"
#include "engine/planner.hpp"

namespace podwright {

struct StageScript {
  FramedScript script;
  /// What a frame is: the steps that it runs (neighbours of one batch share a frame), or the one step
  /// whose probe it is. Indices into `steps`.
  struct Part {
    bool is_probe = false;
    std::vector<std::size_t> steps;
  };
  std::vector<Part> parts;   ///< a frame each
  std::vector<Step> steps;   ///< of this stage
};

/// The steps of a node in a stage, and the frames that they make.
std::vector<Step> steps_of(const Plan& plan, const NodeId& node, int stage);
std::vector<StageScript::Part> parts_of(const std::vector<Step>& steps);

/// `secrets` null: the script as it may be shown, with the secrets' variables unset. `run` is written
/// into the node's ledger with each step.
Result<StageScript> stage_script(const Planned& planned, const NodeId& node, int stage,
                                 SecretStore* secrets, std::string marker = {},
                                 std::string_view run = {});

}  // namespace podwright
