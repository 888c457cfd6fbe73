/// Running the health checks of the catalog.
#pragma once

#include <string>
#include <vector>

#include "engine/site.hpp"
#include "model/check.hpp"
#include "model/facts.hpp"
#include "model/profile.hpp"

namespace podwright {

struct CheckOptions {
  std::vector<std::string> only{};  ///< ids or groups ("fs"); empty: all
  std::vector<std::string> skip{};
};

/// All probes of the checks in one execution a node, judged against profile and cohort.
/// `unreachable` nodes appear in the report with their error.
CheckReport run_checks(Site& site, const Profile& profile, const std::map<NodeId, Facts>& facts,
                       const std::map<NodeId, Error>& unreachable, const CheckOptions& options);

}  // namespace podwright
