/// Every verb: one function, in the file of its name.
#pragma once

#include <vector>

#include "cli/command.hpp"

namespace podwright::cli {

Command init_command();
Command discover_command();
Command doctor_command();
Command facts_command();
Command exec_command();
Command copy_command();
Command snapshot_command();
Command profile_command();
Command lock_command();
Command bundle_command();
Command plan_command();
Command apply_command();
Command undo_command();
Command validate_command();
Command fabric_command();
Command check_command();
Command handoff_command();
Command up_command();
Command report_command();
Command parse_command();
Command completion_command();
Command help_command();
Command version_command();

/// All of them, in the order of the jobs.
std::vector<Command> all_commands();

}  // namespace podwright::cli
