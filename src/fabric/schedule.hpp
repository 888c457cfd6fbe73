/// Which pairs are measured, and when. A round is measured at one time, so no end point is in it
/// twice, and the flows that leave a leaf stay within what its uplinks were built for.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "fabric/rails.hpp"
#include "model/fabric.hpp"

namespace podwright::fabric {

struct Options {
  bool full = false;            ///< every pair; else as few rounds as name a fault
  bool rails_together = false;  ///< all rails of a node at one time; else a node is in a round once
  double floor_fraction = 0.92;  ///< of the line rate: a pair below is slow, whatever the others do
  /// What ports of a line rate must reach, where that is known better than by a fraction: Gbit/s each.
  std::map<double, double> floors{};
  /// Node bandwidth below a leaf by the bandwidth of its uplinks, at least 1.
  double oversubscription = 1;
  int matchings = 3;                ///< rounds when the topology is not known
  std::size_t all_pairs_up_to = 8;  ///< a cluster of so few nodes gets every pair anyway
  int extra_rounds = 2;    ///< that next_rounds() may add, for each rail unless rails go together
  std::uint64_t seed = 1;  ///< the same seed, the same rounds
};

/// The rounds to begin with. Full: N-1 rounds for an even number of nodes, N for an odd one (the
/// bye rotates). Quick: one round within the leaves, then as many as cover every pair of leaves
/// with fresh end points; `matchings` random rounds when leaves are not known. Every end point that
/// has a partner on its rail is measured. Without oversubscription; with it rounds are split as
/// needed.
std::vector<Round> plan_rounds(std::span<const Endpoint> endpoints, const Options& options);

/// The length of plan_rounds() without making it.
std::size_t planned_rounds(std::span<const Endpoint> endpoints, const Options& options);

}  // namespace podwright::fabric
