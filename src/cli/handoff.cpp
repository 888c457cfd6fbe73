#include "engine/handoff.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/outcomes.hpp"
#include "cli/result_text.hpp"
#include "config/json.hpp"

namespace podwright::cli {

namespace {

Result<Outcome> run_handoff(App& app) {
  const auto profile = app.profile();
  if (!profile) return fail(profile.error());
  if ((*profile)->handoff_targets.empty()) {
    return fail(Fault::usage, fmt::format("the profile {} names no hand-off target", (*profile)->name),
                "set [handoff] targets in the profile");
  }
  const auto opened = app.open(App::Access::changes);
  if (!opened) return fail(opened.error());
  if (auto yes = app.confirm(fmt::format("Configure, start and prove {} on {}?", human_list((*profile)->handoff_targets),
                                         count_of((*opened)->nodes.size(), "node")));
      !yes) {
    return fail(yes.error());
  }
  const auto report = hand_off(**opened, **profile, app.secrets(), app.run_folder());
  if (!report) return fail(report.error());
  return handoff_outcome(app, *report);
}

bool nodes_failed(App& app) {
  const auto document = app.run_folder().load("handoff-applied.json");
  if (!document || !*document) return false;
  const auto applied = applied_from_json(**document);
  return applied && std::ranges::any_of(applied->nodes, [](const auto& node) {
           return node.second.status != NodeStatus::ok;
         });
}

}  // namespace

Outcome handoff_outcome(App& app, const HandoffReport& report) {
  Outcome outcome{.document = to_json(report)};
  app.save("handoff.json", outcome.document);
  outcome.text = handoff_text(report, app.style(), app.width());
  if (report.pass()) return outcome;
  // A target that could not be installed is its nodes' failure; one that was, and does not work, is not.
  outcome.exit_code = nodes_failed(app) ? kNodesFailed : kNotPassed;
  std::vector<std::string> failed;
  for (const auto& target : report.targets) {
    if (target.status != "ok") failed.push_back(target.name);
  }
  for (const auto& proof : report.proofs) {
    if (!proof.pass) failed.push_back("proof " + proof.name);
  }
  outcome.problems.push_back(failed.empty() ? "nothing was handed over"
                                            : "the hand-off did not succeed: " + human_list(failed));
  outcome.next = next_command(app, "handoff");
  return outcome;
}

Command handoff_command() {
  return {.name = "handoff",
          .group = "Hand over",
          .summary = "configure, start and prove what users will work with",
          .details =
              "Renders, installs and starts the profile's hand-off targets (Slurm, MPI, torchrun, monitoring, "
              "…) by the same engine as apply, keeps the files beside the report, and proves each target by "
              "using it: a job really runs.",
          .examples = {{"podwright handoff", "all targets of the profile"}},
          .exits = {kNodesFailed, kNotPassed},
          .run = run_handoff};
}

}  // namespace podwright::cli
