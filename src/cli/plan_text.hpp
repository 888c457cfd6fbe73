/// Plans and what became of them, for people.
#pragma once

#include "cli/style.hpp"
#include "model/plan.hpp"

namespace podwright::cli {

struct PlanTextOptions {
  bool diffs = true;
  bool verbose = false;  ///< long diffs whole, and how much is as wanted already
  std::size_t width = 80;
  Style style{};
};

/// What would change: nodes with the same steps folded, each step with its reason and diff, and a
/// summary at the end.
std::string plan_text(const Plan& plan, const PlanTextOptions& options);

/// "744 steps on 62 nodes, 2 reboots", "nothing to do".
std::string plan_summary(const Plan& plan);

/// What was done, and every node that is not well with its reason.
std::string applied_text(const Applied& applied, const Style& style, std::size_t width);

}  // namespace podwright::cli
