/// A plan as a file: the plan itself, and what it was made with, so that it can be made again the same
/// way and compared.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "engine/planner.hpp"
#include "engine/run_folder.hpp"

namespace podwright::cli {

struct MadeWith {
  std::string profile;  ///< --profile; empty: cluster.toml's
  std::vector<std::string> set;
  std::vector<std::string> components;
};

struct SavedPlan {
  Plan plan;
  MadeWith made_with;
};

Json plan_document(const Plan& plan, const MadeWith& made_with);

/// Refuses a plan that was edited: its digest must fit.
Result<SavedPlan> read_plan(const Json& document, const std::string& where);
Result<SavedPlan> read_plan_file(const std::filesystem::path& file);

/// What a run was started for: on disk before any node is contacted, so that one that was killed at any
/// point can be resumed.
struct Intent {
  MadeWith made_with;
  std::vector<NodeId> nodes;
  std::vector<std::string> bundles{};  ///< absolute; empty: from the network
  std::string key{};                   ///< that has to have signed them
};
Json intent_document(const Intent& intent);

/// The newest run that was started to apply something. Without `applied` it was cut off before it began
/// to change anything.
struct EarlierRun {
  RunFolder folder;
  Intent intent;
  std::optional<Applied> applied;
};
Result<EarlierRun> latest_apply(const std::filesystem::path& state_dir);

}  // namespace podwright::cli
