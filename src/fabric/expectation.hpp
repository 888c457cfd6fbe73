/// What a healthy pair should reach: the absolute floor of the line rate, and what its kind reaches
/// in this very cluster. Faults of the whole cluster show only against the first, a small loss of
/// one node only against the second.
#pragma once

#include <map>
#include <span>
#include <utility>
#include <vector>

#include "fabric/rails.hpp"
#include "fabric/schedule.hpp"
#include "model/fabric.hpp"

namespace podwright::fabric {

/// What pairs of one kind (line rate; within a leaf or across) reach.
struct Baseline {
  double line_rate = 0;  ///< of the slower end; 0: unknown
  double reference = 0;  ///< what a healthy pair of this kind reaches; the median as a rule
  double noise = 0;      ///< standard deviation by the median absolute deviation, Gbit/s
  double expected = 0;   ///< below: slow
  /// Below: slow beyond what noise explains, so that somebody is to blame. Less than `expected`
  /// only where that is the line rate's floor and this kind of pair as a whole reaches it.
  double floor = 0;
  std::size_t samples = 0;
};

class Expectations {
 public:
  /// `results` of all rails together: rails are meant to be alike.
  Expectations(std::span<const Rail> rails, std::span<const PairResult> results,
               const Options& options);

  [[nodiscard]] const Baseline& of(const Rail& rail, int a, int b) const;
  /// Some pair has ends whose line rate is not known: only outliers of it can be seen.
  [[nodiscard]] bool rates_missing() const;

 private:
  std::map<std::pair<double, bool>, Baseline> baselines_;
};

/// Whether a result holds numbers that can be judged.
bool measured(const PairResult& result);

/// The ports of a result in the order of the inventory, and whether its ends had to be swapped.
/// Throws for an end point that is not of the rail: results must be of pairs that were planned.
struct Oriented {
  int a = 0;
  int b = 0;
  bool swapped = false;
};
Oriented orient(const Rail& rail, const Pair& pair);

/// The rail of that number. Throws when there is none.
const Rail& rail_of(std::span<const Rail> rails, int number);

/// The middle of `values`, which are reordered; 0 when empty.
double median(std::vector<double>& values);

}  // namespace podwright::fabric
