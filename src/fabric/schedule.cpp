#include "fabric/schedule.hpp"

#include <algorithm>
#include <numeric>
#include <random>

namespace podwright::fabric {

namespace {

/// Numbers below a bound. The standard's distributions and std::shuffle differ between libraries,
/// and a seed shall mean the same rounds everywhere.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}

  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(engine_() % bound); }

  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t left = items.size(); left > 1; --left) {
      std::swap(items[left - 1], items[below(left)]);
    }
  }

 private:
  std::mt19937_64 engine_;
};

PortPair ordered(int a, int b) { return a < b ? PortPair{a, b} : PortPair{b, a}; }

/// Rounds of the circle method over `count` players.
std::size_t circle_rounds(std::size_t count) {
  if (count < 2) return 0;
  return count % 2 == 0 ? count - 1 : count;
}

/// Round `round` of the circle method: one player stands still, the others turn around it. With an
/// odd count the still one does not exist, and whoever would meet it has the bye.
template <class Take>
void circle_round(std::size_t count, std::size_t round, Take take) {
  const std::size_t even = count + count % 2;
  const std::size_t turning = even - 1;
  if (even == count) take(turning, round);
  for (std::size_t i = 1; i < even / 2; ++i) {
    take((round + i) % turning, (round + turning - i) % turning);
  }
}

/// The first `most` rounds of all pairs among `players`.
std::vector<PortRound> circle(const std::vector<int>& players, std::size_t most) {
  std::vector<PortRound> rounds(std::min(most, circle_rounds(players.size())));
  for (std::size_t round = 0; round < rounds.size(); ++round) {
    rounds[round].reserve(players.size() / 2);
    circle_round(players.size(), round, [&](std::size_t a, std::size_t b) {
      rounds[round].push_back(ordered(players[a], players[b]));
    });
  }
  return rounds;
}

/// One round of neighbours within each leaf, and whoever is left over across the leaves.
PortRound within_leaves(const std::vector<std::vector<int>>& members, std::vector<int> left_over) {
  PortRound round;
  for (const auto& leaf : members) {
    for (std::size_t i = 0; i + 1 < leaf.size(); i += 2)
      round.push_back(ordered(leaf[i], leaf[i + 1]));
    if (leaf.size() % 2 == 1) left_over.push_back(leaf.back());
  }
  for (std::size_t i = 0; i + 1 < left_over.size(); i += 2) {
    round.push_back(ordered(left_over[i], left_over[i + 1]));
  }
  return round;
}

/// Nodes of a leaf that may talk across it at one time.
std::size_t uplink_share(std::size_t members, double oversubscription) {
  const auto share = static_cast<double>(members) / std::max(1.0, oversubscription);
  return std::max<std::size_t>(1, static_cast<std::size_t>(share + 1e-9));
}

/// Pairs of leaves, so placed that every pair of leaves is in some round, no leaf is in a round
/// more often than its capacity, and what capacity is left over measures pairs of leaves once more.
std::vector<PortRound> leaf_rounds(const std::vector<std::size_t>& capacity) {
  const std::size_t count = capacity.size();
  std::vector<PortRound> rounds;
  std::vector<std::vector<std::size_t>> used;
  std::vector<std::size_t> first_free(count, 0);
  const auto place = [&](std::size_t round, std::size_t a, std::size_t b) {
    rounds[round].push_back(ordered(static_cast<int>(a), static_cast<int>(b)));
    for (const auto leaf : {a, b}) {
      if (++used[round][leaf] == capacity[leaf] && first_free[leaf] == round) ++first_free[leaf];
    }
  };
  const auto grow = [&](std::size_t round) {
    while (rounds.size() <= round) {
      rounds.emplace_back();
      used.emplace_back(count, 0);
    }
  };
  const auto full = [&](std::size_t round, std::size_t leaf) {
    return used[round][leaf] >= capacity[leaf];
  };

  for (std::size_t turn = 0; turn < circle_rounds(count); ++turn) {
    circle_round(count, turn, [&](std::size_t a, std::size_t b) {
      std::size_t round = std::max(first_free[a], first_free[b]);
      grow(round);
      while (full(round, a) || full(round, b)) grow(++round);
      place(round, a, b);
    });
  }

  for (std::size_t round = 0; round < rounds.size(); ++round) {
    for (bool placed = true; placed;) {
      placed = false;
      std::vector<std::size_t> open;
      for (std::size_t leaf = 0; leaf < count; ++leaf) {
        if (!full(round, leaf)) open.push_back(leaf);
      }
      for (std::size_t turn = 0; turn < circle_rounds(open.size()); ++turn) {
        circle_round(open.size(), turn, [&](std::size_t a, std::size_t b) {
          if (full(round, open[a]) || full(round, open[b])) return;
          place(round, open[a], open[b]);
          placed = true;
        });
      }
    }
  }
  return rounds;
}

std::vector<PortRound> across_leaves(std::vector<std::vector<int>> members, const Options& options,
                                     Dice& dice) {
  std::vector<std::size_t> capacity;
  for (const auto& leaf : members) {
    capacity.push_back(uplink_share(leaf.size(), options.oversubscription));
  }
  std::vector<PortRound> rounds;
  for (const auto& leaves : leaf_rounds(capacity)) {
    // Fresh end points: a new order of each leaf's nodes in every round.
    for (auto& leaf : members) dice.shuffle(leaf);
    std::vector<std::size_t> next(members.size(), 0);
    PortRound round;
    round.reserve(leaves.size());
    for (const auto& [a, b] : leaves) {
      const auto from = static_cast<std::size_t>(a);
      const auto to = static_cast<std::size_t>(b);
      round.push_back(ordered(members[from][next[from]++], members[to][next[to]++]));
    }
    rounds.push_back(std::move(round));
  }
  return rounds;
}

/// A further round for whoever is in none: with each other, and the last one with anybody.
void cover_everybody(std::vector<PortRound>& rounds, std::size_t ports) {
  std::vector<bool> covered(ports, false);
  for (const auto& round : rounds) {
    for (const auto& [a, b] : round)
      covered[static_cast<std::size_t>(a)] = covered[static_cast<std::size_t>(b)] = true;
  }
  std::vector<int> missing;
  for (std::size_t port = 0; port < ports; ++port) {
    if (!covered[port]) missing.push_back(static_cast<int>(port));
  }
  if (missing.empty()) return;
  if (missing.size() % 2 == 1) {
    int anybody = 0;
    while (std::ranges::find(missing, anybody) != missing.end()) ++anybody;
    if (anybody < static_cast<int>(ports)) missing.push_back(anybody);
  }
  PortRound round;
  for (std::size_t i = 0; i + 1 < missing.size(); i += 2) {
    round.push_back(ordered(missing[i], missing[i + 1]));
  }
  if (!round.empty()) rounds.push_back(std::move(round));
}

/// Splits rounds in which more flows leave a leaf than its uplinks carry.
std::vector<PortRound> within_uplinks(std::vector<PortRound> rounds, const Rail& rail,
                                      const Options& options) {
  if (options.oversubscription <= 1 || !rail.has_topology()) return rounds;
  std::vector<std::size_t> members(rail.leaves.size(), 0);
  for (const int leaf : rail.leaf) {
    if (leaf >= 0) ++members[static_cast<std::size_t>(leaf)];
  }
  std::vector<PortRound> split;
  for (auto& round : rounds) {
    std::vector<PortRound> parts(1);
    std::vector<std::vector<std::size_t>> load(1, std::vector<std::size_t>(members.size(), 0));
    for (const auto& pair : round) {
      const int ends[] = {rail.leaf_of(pair.first), rail.leaf_of(pair.second)};
      const bool stays = ends[0] == ends[1];
      const auto full = [&](std::size_t part) {
        return !stays && std::ranges::any_of(ends, [&](int leaf) {
          const auto at = static_cast<std::size_t>(leaf);
          return leaf >= 0 && load[part][at] >= uplink_share(members[at], options.oversubscription);
        });
      };
      std::size_t part = 0;
      while (part < parts.size() && full(part)) ++part;
      if (part == parts.size()) {
        parts.emplace_back();
        load.emplace_back(members.size(), 0);
      }
      for (const int leaf : ends) {
        if (!stays && leaf >= 0) ++load[part][static_cast<std::size_t>(leaf)];
      }
      parts[part].push_back(pair);
    }
    for (auto& part : parts) split.push_back(std::move(part));
  }
  return split;
}

std::vector<PortRound> rounds_of(const Rail& rail, const Options& options) {
  std::vector<int> ports(rail.size());
  std::iota(ports.begin(), ports.end(), 0);
  if (options.full || ports.size() <= options.all_pairs_up_to) {
    return within_uplinks(circle(ports, circle_rounds(ports.size())), rail, options);
  }
  Dice dice(options.seed);
  dice.shuffle(ports);
  std::vector<PortRound> rounds;
  if (!rail.has_topology()) {
    rounds = circle(ports, static_cast<std::size_t>(std::max(1, options.matchings)));
  } else {
    std::vector<std::vector<int>> members(rail.leaves.size());
    std::vector<int> unlabelled;
    for (const int port : ports) {
      const int leaf = rail.leaf_of(port);
      (leaf < 0 ? unlabelled : members[static_cast<std::size_t>(leaf)]).push_back(port);
    }
    rounds.push_back(within_leaves(members, std::move(unlabelled)));
    if (members.size() > 1)
      std::ranges::move(across_leaves(members, options, dice), std::back_inserter(rounds));
  }
  cover_everybody(rounds, rail.size());
  return within_uplinks(std::move(rounds), rail, options);
}

}  // namespace

std::vector<Round> plan_rounds(std::span<const Endpoint> endpoints, const Options& options) {
  std::vector<Round> plan;
  for (const auto& rail : rails_of(endpoints)) {
    const auto rounds = rounds_of(rail, options);
    const std::size_t begin = options.rails_together ? 0 : plan.size();
    plan.resize(std::max(plan.size(), begin + rounds.size()));
    for (std::size_t round = 0; round < rounds.size(); ++round) {
      auto& pairs = plan[begin + round];
      pairs.reserve(pairs.size() + rounds[round].size());
      for (const auto& [a, b] : rounds[round]) {
        pairs.push_back({.a = rail.name(a), .b = rail.name(b), .rail = rail.rail});
      }
    }
  }
  return plan;
}

std::size_t planned_rounds(std::span<const Endpoint> endpoints, const Options& options) {
  std::size_t longest = 0;
  std::size_t total = 0;
  for (const auto& rail : rails_of(endpoints)) {
    const bool counted =
        options.oversubscription <= 1 && (options.full || rail.size() <= options.all_pairs_up_to);
    const std::size_t rounds =
        counted ? circle_rounds(rail.size()) : rounds_of(rail, options).size();
    longest = std::max(longest, rounds);
    total += rounds;
  }
  return options.rails_together ? longest : total;
}

}  // namespace podwright::fabric
