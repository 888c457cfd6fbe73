#include "cli/commands.hpp"

namespace podwright::cli {

std::vector<Command> all_commands() {
  std::vector<Command> all;
  all.push_back(up_command());
  all.push_back(init_command());
  all.push_back(discover_command());
  all.push_back(facts_command());
  all.push_back(doctor_command());
  all.push_back(exec_command());
  all.push_back(snapshot_command());
  all.push_back(profile_command());
  all.push_back(lock_command());
  all.push_back(bundle_command());
  all.push_back(plan_command());
  all.push_back(apply_command());
  all.push_back(undo_command());
  all.push_back(copy_command());
  all.push_back(validate_command());
  all.push_back(fabric_command());
  all.push_back(check_command());
  all.push_back(handoff_command());
  all.push_back(report_command());
  all.push_back(parse_command());
  all.push_back(completion_command());
  all.push_back(help_command());
  all.push_back(version_command());
  return all;
}

}  // namespace podwright::cli
