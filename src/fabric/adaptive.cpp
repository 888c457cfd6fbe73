#include "fabric/adaptive.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "fabric/decode.hpp"

namespace podwright::fabric {

namespace {

/// Bad measurements, free of other explanations, after which a fault is no passing dip.
constexpr int enough_witnesses = 2;
/// The same for a fault that was not found by elimination.
constexpr int enough_inferred_witnesses = 4;
/// Measurements of one pair after which another one tells nothing new.
constexpr int enough_measurements = 3;

bool wants_proof(const Doubt& doubt) {
  switch (doubt.standing) {
    case Standing::doubtful:
    case Standing::shadowed:
      return true;
    case Standing::blamed:
      return doubt.witnesses < (doubt.inferred ? enough_inferred_witnesses : enough_witnesses);
    case Standing::untested:
    case Standing::cleared:
      return false;
  }
  return false;
}

/// Rounds being filled: first fit, no end point (and no node, unless rails go together) twice.
class Packer {
 public:
  Packer(std::size_t rounds, bool rails_together)
      : rounds_(rounds), used_(rounds), together_(rails_together) {}

  [[nodiscard]] std::size_t size() const { return rounds_.size(); }
  [[nodiscard]] bool is_free(std::size_t round, const Rail& rail, int port) const {
    return !used_[round].contains(key(rail, port));
  }
  void place(std::size_t round, const Rail& rail, int a, int b) {
    used_[round].insert(key(rail, a));
    used_[round].insert(key(rail, b));
    rounds_[round].push_back(
        {.a = rail.name(std::min(a, b)), .b = rail.name(std::max(a, b)), .rail = rail.rail});
  }
  bool place_anywhere(const Rail& rail, int a, int b) {
    for (std::size_t round = 0; round < size(); ++round) {
      if (!is_free(round, rail, a) || !is_free(round, rail, b)) continue;
      place(round, rail, a, b);
      return true;
    }
    return false;
  }
  std::vector<Round> take() {
    std::erase_if(rounds_, [](const Round& round) { return round.empty(); });
    return std::move(rounds_);
  }

 private:
  [[nodiscard]] std::pair<int, int> key(const Rail& rail, int port) const {
    return {rail.node_of(port), together_ ? rail.rail : 0};
  }

  std::vector<Round> rounds_;
  std::vector<std::set<std::pair<int, int>>> used_;
  bool together_;
};

/// Trusted ports that can serve as partners, by leaf, handed out in turn.
class Partners {
 public:
  explicit Partners(const RailState& state)
      : state_(state), by_leaf_(state.rail->leaves.size() + 1) {
    for (int port = 0; port < static_cast<int>(state.rail->size()); ++port) {
      if (!state.trusted(port)) continue;
      by_leaf_[leaf_place(state.rail->leaf_of(port))].ports.push_back(port);
      everywhere_.ports.push_back(port);
    }
  }

  /// A trusted partner for `port` that is free in `round`: in its own leaf for choice, else behind
  /// a path that is cleared, and one that it has not met.
  std::optional<int> find(const Packer& packer, std::size_t round, int port) {
    const int leaf = state_.rail->leaf_of(port);
    const auto fits = [&](int other, bool fresh) {
      return other != port && packer.is_free(round, *state_.rail, other) &&
             (!fresh || state_.find(port, other) == nullptr);
    };
    const auto behind_cleared_path = [&](int other) {
      const int far = state_.rail->leaf_of(other);
      const auto* out = state_.path(leaf, far);
      const auto* back = state_.path(far, leaf);
      return out != nullptr && back != nullptr && out->slow.standing == Standing::cleared &&
             back->slow.standing == Standing::cleared;
    };
    auto& own = by_leaf_[leaf_place(leaf)];
    if (auto found = own.next([&](int other) { return fits(other, true); })) return found;
    if (auto found = everywhere_.next(
            [&](int other) { return fits(other, true) && behind_cleared_path(other); })) {
      return found;
    }
    if (auto found = everywhere_.next([&](int other) { return fits(other, true); })) return found;
    return everywhere_.next([&](int other) {
      if (!fits(other, false)) return false;
      const auto* met = state_.find(port, other);
      return met == nullptr || met->measurements() < enough_measurements;
    });
  }

  /// A trusted port of a leaf that is free in `round`.
  std::optional<int> of_leaf(const Packer& packer, std::size_t round, int leaf, int other) {
    return by_leaf_[leaf_place(leaf)].next(
        [&](int port) { return port != other && packer.is_free(round, *state_.rail, port); });
  }

 private:
  struct Pool {
    std::vector<int> ports;
    std::size_t at = 0;

    /// The next one that fits, going round; the search is bounded, as busy pools are big ones.
    template <class Fits>
    std::optional<int> next(Fits fits) {
      constexpr std::size_t most = 256;
      for (std::size_t tried = 0; tried < std::min(most, ports.size()); ++tried) {
        const int port = ports[at++ % ports.size()];
        if (fits(port)) return port;
      }
      return std::nullopt;
    }
  };

  [[nodiscard]] std::size_t leaf_place(int leaf) const {
    return leaf < 0 ? state_.rail->leaves.size() : static_cast<std::size_t>(leaf);
  }

  const RailState& state_;
  std::vector<Pool> by_leaf_;
  Pool everywhere_;
};

/// Suspects with somebody who is proven; where nobody is, with other suspects that they have not
/// met.
void probe_suspects(const RailState& state, Partners& partners, Packer& packer) {
  const auto& rail = *state.rail;
  std::vector<int> lonely;
  for (int port = 0; port < static_cast<int>(rail.size()); ++port) {
    const auto at = static_cast<std::size_t>(port);
    if (!wants_proof(state.send[at]) && !wants_proof(state.receive[at]) &&
        !wants_proof(state.alive[at])) {
      continue;
    }
    bool placed = false;
    for (std::size_t round = 0; round < packer.size() && !placed; ++round) {
      if (!packer.is_free(round, rail, port)) continue;
      if (const auto partner = partners.find(packer, round, port)) {
        packer.place(round, rail, port, *partner);
        placed = true;
      }
    }
    if (!placed) lonely.push_back(port);
  }
  // Neighbours in this list have often met: a partner half the list away is met by few.
  const std::size_t half = (lonely.size() + 1) / 2;
  for (std::size_t i = 0; i + half < lonely.size(); ++i) {
    const auto* met = state.find(lonely[i], lonely[i + half]);
    if (met != nullptr && met->measurements() >= enough_measurements) continue;
    packer.place_anywhere(rail, lonely[i], lonely[i + half]);
  }
}

/// Doubtful paths with fresh trusted end points.
void probe_paths(const RailState& state, Partners& partners, Packer& packer) {
  std::set<std::pair<int, int>> probed;
  for (const auto& path : state.paths) {
    if (!wants_proof(path.slow) && !wants_proof(path.dead)) continue;
    if (!probed.insert(std::minmax(path.from, path.to)).second) continue;
    for (std::size_t round = 0; round < packer.size(); ++round) {
      const auto a = partners.of_leaf(packer, round, path.from, -1);
      if (!a) continue;
      const auto b = partners.of_leaf(packer, round, path.to, *a);
      if (!b) continue;
      packer.place(round, *state.rail, *a, *b);
      break;
    }
  }
}

void repeat(const RailState& state, Packer& packer) {
  for (const auto& pair : state.pairs) {
    const bool odd = pair.forward.fate == Fate::unexplained ||
                     pair.backward.fate == Fate::unexplained ||
                     pair.alive.fate == Fate::unexplained;
    // A path that only this pair tells of: a dip of the pair would pass for a fault of the path.
    const auto single_witness = [&](int place) {
      if (place < 0) return false;
      const auto& path = state.paths[static_cast<std::size_t>(place)];
      return path.slow.standing == Standing::blamed && path.slow.witnesses < enough_witnesses;
    };
    const bool witness = state.trusted(pair.a) && state.trusted(pair.b) &&
                         (single_witness(pair.path_ab) || single_witness(pair.path_ba));
    if ((odd || witness) && pair.measurements() < enough_measurements) {
      packer.place_anywhere(*state.rail, pair.a, pair.b);
    }
  }
}

}  // namespace

std::vector<Round> next_rounds(std::span<const Endpoint> endpoints,
                               std::span<const PairResult> results, const Options& options) {
  if (results.empty()) return {};
  const auto rails = rails_of(endpoints);
  const std::size_t lanes = options.rails_together ? 1 : rails.size();
  const std::size_t planned = planned_rounds(endpoints, options);
  const auto last = static_cast<std::size_t>(
      std::max(0, std::ranges::max(results, {}, &PairResult::round).round));
  const std::size_t extra = last > planned ? last - planned : 0;
  const std::size_t most = lanes * static_cast<std::size_t>(std::max(0, options.extra_rounds));
  if (extra >= most) return {};

  const Expectations expectations(rails, results, options);
  const auto states = decode(rails, results, expectations);
  Packer packer(std::min(lanes, most - extra), options.rails_together);
  std::vector<Partners> partners(states.begin(), states.end());
  for (std::size_t i = 0; i < states.size(); ++i) probe_suspects(states[i], partners[i], packer);
  for (std::size_t i = 0; i < states.size(); ++i) probe_paths(states[i], partners[i], packer);
  for (const auto& state : states) repeat(state, packer);
  return packer.take();
}

}  // namespace podwright::fabric
