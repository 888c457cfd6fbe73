/// Doing what a plan says, stage by stage, and telling only what a probe has seen.
#pragma once

#include "engine/planner.hpp"
#include "engine/run_folder.hpp"
#include "engine/secrets.hpp"
#include "engine/site.hpp"
#include "model/plan.hpp"

namespace podwright {

/// Applies the plan. A step counts as done when its probe, run after it, leaves nothing to do. A node
/// whose step fails is left there; the others go on, unless fewer than the quorum stay healthy.
/// `document` in `journal` is rewritten after every stage, so that a killed run can be judged
/// afterwards.
Applied apply_plan(Site& site, const Planned& planned, SecretStore& secrets, const RunFolder& journal,
                   std::string_view document = "applied.json");

/// Ids of the nodes on which `saved` differs from `current`, with what differs: a plan may be applied
/// only while this is empty.
std::map<NodeId, std::string> stale_nodes(const Plan& saved, const Plan& current);

}  // namespace podwright
