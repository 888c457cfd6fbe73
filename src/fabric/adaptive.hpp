/// Further rounds, where they can change the verdict: suspects with partners that have been proven,
/// doubtful pairs of leaves with fresh end points, and once more what may have been a passing dip.
#pragma once

#include <span>
#include <vector>

#include "fabric/schedule.hpp"
#include "model/fabric.hpp"

namespace podwright::fabric {

/// The rounds to measure next, given ALL results so far; empty when nothing is in doubt or
/// `options.extra_rounds` are used up (what the plan did not hold counts, by PairResult::round,
/// which must count from 1 without a gap). Call again with the new results added until it is empty.
std::vector<Round> next_rounds(std::span<const Endpoint> endpoints,
                               std::span<const PairResult> results, const Options& options);

}  // namespace podwright::fabric
