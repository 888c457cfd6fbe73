/// The verdict over the interconnect: which node, rail, direction or path between leaves is at
/// fault, or that the measurements cannot tell.
#pragma once

#include <span>

#include "fabric/schedule.hpp"
#include "model/fabric.hpp"

namespace podwright::fabric {

/// Judges all results of plan_rounds() and next_rounds() together; fills everything of the report
/// but the collectives. It passes only when every end point with a partner on its rail was
/// measured, and nothing is slow or failed but what was good when measured again, or is below the
/// floor by no more than the noise of pairs that as a whole reach it. Every other bad measurement
/// is accounted for: by a node, by a link, or in an ambiguous set. Throws std::invalid_argument for
/// a result of end points that were not given.
FabricReport judge(std::span<const Endpoint> endpoints, std::span<const PairResult> results,
                   const Options& options);

}  // namespace podwright::fabric
