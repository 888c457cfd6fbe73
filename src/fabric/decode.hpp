/// Who can be at fault, by logic alone. The model: what i sends to j on a rail is the least of what
/// i can send, j can receive and the path between their leaves carries. So one good measurement
/// clears all three, and a bad one in which all but one are cleared names that one. A pair that
/// could not be measured at all is decoded apart from slow ones, and the same way.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "fabric/expectation.hpp"
#include "fabric/rails.hpp"

namespace podwright::fabric {

enum class Standing {
  untested,
  cleared,   ///< part of a good measurement
  shadowed,  ///< only in bad measurements that somebody else explains: proves nothing
  doubtful,  ///< in a bad measurement that could also be another's fault
  blamed,
};

/// What is known about one thing that can be at fault.
struct Doubt {
  Standing standing = Standing::untested;
  int witnesses = 0;      ///< bad measurements that nothing else can explain
  bool inferred = false;  ///< named as the one thing common to bad measurements, not by elimination
  bool intermittent = false;  ///< was good too
};

/// What became of a measurement of a pair (in one direction).
enum class Fate {
  none,  ///< not measured
  good,
  excused,      ///< bad once and good as often when measured again
  explained,    ///< bad, by something blamed
  unexplained,  ///< bad, though everything about it is cleared
  open,         ///< bad, and more than one thing can be to blame
};

struct Tally {
  int good = 0;
  int bad = 0;
  double best = 0;  ///< Gbit/s
  Fate fate = Fate::none;
};

/// All measurements of a pair of ports.
struct PairState {
  int a = 0;
  int b = 0;
  int path_ab = -1;  ///< places in RailState::paths, -1: no leaf known
  int path_ba = -1;
  Tally forward;  ///< a to b
  Tally backward;
  Tally alive;                  ///< good: measured; bad: failed
  std::size_t first_error = 0;  ///< place of a failed result among the results
  [[nodiscard]] int measurements() const { return alive.good + alive.bad; }
};

/// A path from the nodes of one leaf to those of another (or the same).
struct PathState {
  int from = 0;
  int to = 0;
  Doubt slow;
  Doubt dead;  ///< of both directions: kept where from <= to
};

struct RailState {
  const Rail* rail = nullptr;
  std::vector<PairState> pairs;  ///< in the order of (a, b)
  std::vector<PathState> paths;
  std::unordered_map<std::uint64_t, int> path_places;  ///< (from, to) to the place in `paths`
  std::vector<Doubt> send;                             ///< by port
  std::vector<Doubt> receive;
  std::vector<Doubt> alive;

  /// Proven to send and to receive: a partner that can name others.
  [[nodiscard]] bool trusted(int port) const;
  [[nodiscard]] const PairState* find(int a, int b) const;
  [[nodiscard]] const PathState* path(int from, int to) const;
};

/// One state for each rail, in their order.
std::vector<RailState> decode(std::span<const Rail> rails, std::span<const PairResult> results,
                              const Expectations& expectations);

}  // namespace podwright::fabric
