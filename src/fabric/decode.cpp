#include "fabric/decode.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace podwright::fabric {

namespace {

/// A measurement and the things that it depends on: sender, receiver, path (-1: not known).
struct Test {
  std::array<int, 3> things;
  Tally* tally;
  bool across;  ///< between two leaves
  /// Within a leaf both directions depend on one path: the second is no further witness against it.
  bool second_way = false;
};

bool bad(const Test& test) { return test.tally->bad > test.tally->good; }

/// A node that is alone in its leaf, say: each of its bad measurements could also be the fault of a
/// path of its own, but one node explains what would take several paths.
void infer_nodes(std::span<Test> tests, std::vector<Doubt>& doubts) {
  struct Case {
    int tests = 0;
    bool alone = true;
    int path = -1;
    bool several_paths = false;
  };
  std::unordered_map<int, Case> cases;
  for (const auto& test : tests) {
    if (test.tally->fate != Fate::open) continue;
    const auto cleared = [&](int thing) {
      return doubts[static_cast<std::size_t>(thing)].standing == Standing::cleared;
    };
    for (const int end : {0, 1}) {
      const int thing = test.things[static_cast<std::size_t>(end)];
      if (cleared(thing)) continue;
      auto& known = cases[thing];
      ++known.tests;
      known.alone = known.alone && cleared(test.things[static_cast<std::size_t>(1 - end)]);
      known.several_paths =
          known.several_paths || (known.path >= 0 && known.path != test.things[2]);
      known.path = test.things[2];
    }
  }
  for (const auto& [thing, known] : cases) {
    if (known.tests < 2 || !known.alone || !known.several_paths) continue;
    doubts[static_cast<std::size_t>(thing)] = {
        .standing = Standing::blamed, .witnesses = known.tests, .inferred = true};
  }
}

/// Bad measurements among cleared things. What all of a node's (or of a path's between leaves) have
/// in common comes and goes: a flapping link, one bad uplink of several.
void infer_intermittent(std::span<Test> tests, std::vector<Doubt>& doubts) {
  std::unordered_map<int, std::set<int>> partners;  // of an end, in unexplained measurements
  for (const auto& test : tests) {
    if (test.tally->fate != Fate::unexplained) continue;
    partners[test.things[0]].insert(test.things[1]);
    partners[test.things[1]].insert(test.things[0]);
  }
  struct Case {
    std::set<int> ends;
    int samples = 0;
    bool alone = true;
  };
  std::unordered_map<int, Case> cases;
  for (const auto& test : tests) {
    if (test.tally->fate != Fate::unexplained) continue;
    const auto [sender, receiver, path] = test.things;
    const bool sender_once = partners[sender].size() == 1;
    const bool receiver_once = partners[receiver].size() == 1;
    const auto add = [&](int thing, int end, bool alone) {
      auto& known = cases[thing];
      known.ends.insert(end);
      known.samples += test.tally->bad;
      known.alone = known.alone && alone;
    };
    add(sender, receiver, receiver_once);
    add(receiver, sender, sender_once);
    if (path >= 0 && test.across) add(path, sender, sender_once && receiver_once);
  }
  for (const auto& [thing, known] : cases) {
    if (known.ends.size() < 2 || known.samples < 3 || !known.alone) continue;
    doubts[static_cast<std::size_t>(thing)] = {.standing = Standing::blamed,
                                               .witnesses = known.samples,
                                               .inferred = true,
                                               .intermittent = true};
  }
}

/// Decides about `things` things from the tests, and about the tests.
std::vector<Doubt> solve(std::vector<Test>& tests, std::size_t things) {
  std::vector<Doubt> doubts(things);
  const auto doubt = [&](int thing) -> Doubt& { return doubts[static_cast<std::size_t>(thing)]; };
  for (auto& test : tests) {
    const auto& tally = *test.tally;
    if (tally.good > 0) {
      for (const int thing : test.things) {
        if (thing >= 0) doubt(thing).standing = Standing::cleared;
      }
    }
    if (!bad(test)) test.tally->fate = tally.bad > 0 ? Fate::excused : Fate::good;
  }
  for (auto& test : tests) {
    if (!bad(test)) continue;
    int suspects = 0;
    int suspect = -1;
    for (const int thing : test.things) {
      if (thing < 0 || doubt(thing).standing == Standing::cleared) continue;
      ++suspects;
      suspect = thing;
    }
    test.tally->fate = suspects == 0 ? Fate::unexplained : Fate::open;
    if (suspects != 1) continue;
    doubt(suspect).standing = Standing::blamed;
    if (suspect == test.things[2] && !test.across && test.second_way) continue;
    doubt(suspect).witnesses += test.tally->bad;
  }
  const auto explain = [&](Fate fate) {
    for (auto& test : tests) {
      if (test.tally->fate != fate) continue;
      if (std::ranges::any_of(test.things, [&](int thing) {
            return thing >= 0 && doubt(thing).standing == Standing::blamed;
          })) {
        test.tally->fate = Fate::explained;
      }
    }
  };
  explain(Fate::open);
  infer_nodes(tests, doubts);
  explain(Fate::open);
  infer_intermittent(tests, doubts);
  explain(Fate::unexplained);
  for (const auto& test : tests) {
    if (test.tally->fate != Fate::open && test.tally->fate != Fate::explained) continue;
    for (const int thing : test.things) {
      if (thing < 0) continue;
      auto& standing = doubt(thing).standing;
      if (standing == Standing::cleared || standing == Standing::blamed) continue;
      standing = test.tally->fate == Fate::open || standing == Standing::doubtful
                     ? Standing::doubtful
                     : Standing::shadowed;
    }
  }
  return doubts;
}

void solve_slow(RailState& state) {
  const int ports = static_cast<int>(state.rail->size());
  std::vector<Test> tests;
  tests.reserve(state.pairs.size() * 2);
  const auto path_thing = [&](int path) { return path < 0 ? -1 : 2 * ports + path; };
  for (auto& pair : state.pairs) {
    if (pair.alive.good == 0) continue;
    const bool across = pair.path_ab != pair.path_ba;
    tests.push_back({{pair.a, ports + pair.b, path_thing(pair.path_ab)}, &pair.forward, across});
    tests.push_back(
        {{pair.b, ports + pair.a, path_thing(pair.path_ba)}, &pair.backward, across, true});
  }
  const auto doubts = solve(tests, static_cast<std::size_t>(2 * ports) + state.paths.size());
  state.send.assign(doubts.begin(), doubts.begin() + ports);
  state.receive.assign(doubts.begin() + ports, doubts.begin() + std::ptrdiff_t{2} * ports);
  for (std::size_t path = 0; path < state.paths.size(); ++path) {
    state.paths[path].slow = doubts[static_cast<std::size_t>(2 * ports) + path];
  }
}

void solve_dead(RailState& state) {
  const int ports = static_cast<int>(state.rail->size());
  std::vector<Test> tests;
  tests.reserve(state.pairs.size());
  for (auto& pair : state.pairs) {
    int path = pair.path_ab;
    if (path >= 0 && state.paths[static_cast<std::size_t>(path)].from >
                         state.paths[static_cast<std::size_t>(path)].to) {
      path = pair.path_ba;
    }
    tests.push_back({{pair.a, pair.b, path < 0 ? -1 : ports + path},
                     &pair.alive,
                     pair.path_ab != pair.path_ba});
  }
  const auto doubts = solve(tests, static_cast<std::size_t>(ports) + state.paths.size());
  state.alive.assign(doubts.begin(), doubts.begin() + ports);
  for (std::size_t path = 0; path < state.paths.size(); ++path) {
    state.paths[path].dead = doubts[static_cast<std::size_t>(ports) + path];
  }
}

std::uint64_t path_key(int from, int to) {
  return (static_cast<std::uint64_t>(from) << 32U) | static_cast<std::uint64_t>(to);
}

/// Paths get their places as they are met.
int path_place(RailState& state, int from, int to) {
  if (from < 0 || to < 0) return -1;
  const auto [known, added] =
      state.path_places.try_emplace(path_key(from, to), static_cast<int>(state.paths.size()));
  if (added) {
    auto& path = state.paths.emplace_back();
    path.from = from;
    path.to = to;
  }
  return known->second;
}

void count(Tally& tally, double gbps, double floor) {
  ++(gbps < floor ? tally.bad : tally.good);
  tally.best = std::max(tally.best, gbps);
}

/// A result of a rail, ready to be sorted to its pair.
struct Sample {
  int a;
  int b;
  bool swapped;
  std::size_t result;
};

void gather_pairs(RailState& state, std::vector<Sample>& samples,
                  std::span<const PairResult> results, const Expectations& expectations) {
  std::ranges::stable_sort(samples, {}, [](const Sample& sample) {
    return PortPair{sample.a, sample.b};
  });
  for (const auto& sample : samples) {
    if (state.pairs.empty() || state.pairs.back().a != sample.a ||
        state.pairs.back().b != sample.b) {
      auto& added = state.pairs.emplace_back();
      added.a = sample.a;
      added.b = sample.b;
      added.path_ab =
          path_place(state, state.rail->leaf_of(sample.a), state.rail->leaf_of(sample.b));
      added.path_ba =
          path_place(state, state.rail->leaf_of(sample.b), state.rail->leaf_of(sample.a));
    }
    auto& pair = state.pairs.back();
    const auto& result = results[sample.result];
    if (!measured(result)) {
      if (pair.alive.bad == 0) pair.first_error = sample.result;
      ++pair.alive.bad;
      continue;
    }
    ++pair.alive.good;
    const double floor = expectations.of(*state.rail, sample.a, sample.b).floor;
    count(pair.forward, sample.swapped ? result.gbps_ba : result.gbps_ab, floor);
    count(pair.backward, sample.swapped ? result.gbps_ab : result.gbps_ba, floor);
  }
}

}  // namespace

bool RailState::trusted(int port) const {
  const auto at = static_cast<std::size_t>(port);
  return send[at].standing == Standing::cleared && receive[at].standing == Standing::cleared &&
         alive[at].standing == Standing::cleared;
}

const PairState* RailState::find(int a, int b) const {
  const PortPair key = a < b ? PortPair{a, b} : PortPair{b, a};
  const auto found = std::ranges::lower_bound(pairs, key, {}, [](const PairState& pair) {
    return PortPair{pair.a, pair.b};
  });
  return found == pairs.end() || PortPair{found->a, found->b} != key ? nullptr : &*found;
}

const PathState* RailState::path(int from, int to) const {
  const auto found = path_places.find(path_key(from, to));
  return found == path_places.end() ? nullptr : &paths[static_cast<std::size_t>(found->second)];
}

std::vector<RailState> decode(std::span<const Rail> rails, std::span<const PairResult> results,
                              const Expectations& expectations) {
  std::vector<std::vector<Sample>> samples(rails.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto& rail = rail_of(rails, results[i].pair.rail);
    const auto [a, b, swapped] = orient(rail, results[i].pair);
    samples[static_cast<std::size_t>(&rail - rails.data())].push_back(
        {.a = a, .b = b, .swapped = swapped, .result = i});
  }
  std::vector<RailState> states;
  for (std::size_t i = 0; i < rails.size(); ++i) {
    auto& state = states.emplace_back();
    state.rail = &rails[i];
    gather_pairs(state, samples[i], results, expectations);
    solve_slow(state);
    solve_dead(state);
  }
  return states;
}

}  // namespace podwright::fabric
