/// What must be right on a node before anything on it is touched: the catalog's preflight rules.
#pragma once

#include <string>
#include <vector>

#include "catalog/registry.hpp"

namespace podwright {

/// The probes of all rules in one: it travels with those of the resources.
std::string preflight_script();
/// What the rules say of a node that has steps to do; `printed` is the output of preflight_script.
std::vector<PreflightFinding> judge_preflight(const std::string& printed, const PreflightContext& context);

}  // namespace podwright
