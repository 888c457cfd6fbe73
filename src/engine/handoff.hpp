/// Handing the cluster over: the targets' configuration installed and started by the same engine as
/// everything else, kept as files beside the report, and proven by use.
#pragma once

#include "engine/planner.hpp"
#include "engine/run_folder.hpp"
#include "engine/secrets.hpp"
#include "engine/site.hpp"
#include "model/report.hpp"

namespace podwright {

Result<HandoffReport> hand_off(Site& site, const Profile& profile, SecretStore& secrets,
                               const RunFolder& run);

}  // namespace podwright
