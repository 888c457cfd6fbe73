/// A plan as a file: the plan itself, and what it was made with, so that it can be made again the same
/// way and compared.
#pragma once

#include <filesystem>
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

/// The newest run that applied something, with its plan and what became of it.
struct EarlierRun {
  RunFolder folder;
  SavedPlan saved;
  Applied applied;
};
Result<EarlierRun> latest_apply(const std::filesystem::path& state_dir);

}  // namespace podwright::cli
