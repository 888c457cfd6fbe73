/// How the phases end, shared by their own verbs and by up: each saves its document in the run's
/// folder, words it, and decides the exit code.
#pragma once

#include "cli/app.hpp"
#include "cli/command.hpp"
#include "model/check.hpp"
#include "model/fabric.hpp"
#include "model/plan.hpp"
#include "model/report.hpp"

namespace podwright::cli {

/// --batch: how many nodes reboot at once, for parse_batch; its default is all.
constexpr const char* all_at_once = "100%";
Option batch_option(std::string& into);

/// Shows the plan to whoever can be asked, and asks.
Status confirm_plan(App& app, const Plan& plan);

Outcome apply_outcome(App& app, const Applied& applied);
Outcome fabric_outcome(App& app, const FabricReport& report);
Outcome check_outcome(App& app, const CheckReport& report);
Outcome handoff_outcome(App& app, const HandoffReport& report);

}  // namespace podwright::cli
