/// Running the health checks of the catalog.
#pragma once

#include <string>
#include <vector>

#include "engine/planner.hpp"
#include "engine/site.hpp"
#include "model/check.hpp"
#include "model/facts.hpp"
#include "model/profile.hpp"

namespace podwright {

struct CheckOptions {
  std::vector<std::string> only{};  ///< ids or groups ("fs"); empty: all
  std::vector<std::string> skip{};
};

/// The checks that are asked for and that the profile has not switched off. A name that no check has
/// is an error with the nearest known one.
Result<std::vector<const Check*>> select_checks(const Profile& profile, const CheckOptions& options);

/// The checks whose probes have to be run for all of these: one for each name of a probe.
std::vector<const Check*> distinct_probes(const std::vector<const Check*>& checks);

/// All probes of the checks in one execution a node, judged against the profile's expectations, the
/// node's own resources (`wanted`, from resolve_cluster) and the cohort. `unreachable` nodes appear
/// in the report with their error.
CheckReport run_checks(Site& site, const Profile& profile,
                       const std::map<NodeId, NodeWanted>& wanted,
                       const std::map<NodeId, Facts>& facts,
                       const std::map<NodeId, Error>& unreachable,
                       const std::vector<const Check*>& checks);

}  // namespace podwright
