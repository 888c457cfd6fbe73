/// Running the health checks of the catalog.
#pragma once

#include <map>
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

/// What the probes of the checks printed, node by node: live (read_for_checks) or from a snapshot.
struct CheckReadings {
  std::map<NodeId, std::map<std::string, Observed>> observed;  ///< probe_name() -> output
  std::map<NodeId, Error> failed;  ///< nodes of which nothing was read
};

/// What checks are judged against.
struct CheckContext {
  const Inventory& inventory;
  const Profile& profile;
  const std::map<NodeId, NodeWanted>& wanted;  ///< from resolve_cluster; a node that lacks has no resources
  const std::map<NodeId, Facts>& facts;        ///< of the nodes that are judged, which are each other's cohort
};

/// All probes of the checks that concern a node, in one execution a node: the nodes in `context.facts`.
CheckReadings read_for_checks(Site& site, const CheckContext& context, const std::vector<const Check*>& checks);

/// Pure: readings in, verdicts out. Nodes in `unreachable` appear in the report with their error.
CheckReport judge_checks(const CheckContext& context, const std::map<NodeId, Error>& unreachable,
                         const std::vector<const Check*>& checks, const CheckReadings& readings);

/// Reads and judges: the nodes in `context.facts`, and those in `unreachable` with their error.
CheckReport run_checks(Site& site, const CheckContext& context, const std::map<NodeId, Error>& unreachable,
                       const std::vector<const Check*>& checks);

}  // namespace podwright
