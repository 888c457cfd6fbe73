/// A fabric with known faults, for asking the schedule and the judge to find them.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "fabric/adaptive.hpp"
#include "fabric/judge.hpp"
#include "fabric/schedule.hpp"

namespace podwright::fabric::test {

/// What a port loses: shares of the healthy bandwidth that are left.
struct Health {
  double tx = 1;
  double rx = 1;
  bool dead = false;
};

struct SimulatedFabric {
  std::vector<Endpoint> endpoints;
  double healthy_gbps = 97;
  double noise = 0.01;
  std::map<std::pair<std::string, int>, Health> faults;         ///< by node and rail
  std::map<std::pair<std::string, std::string>, double> paths;  ///< by leaves, in order: share left
  std::map<std::pair<std::string, std::string>, double> pairs;  ///< by nodes: share left
  std::map<int, double> dips;  ///< by number of the measurement: share left, this once
  std::mt19937_64 dice{7};
  int measurements = 0;

  PairResult measure(int round, const Pair& pair) {
    const auto health = [&](const NodeId& node) {
      const auto found = faults.find({node, pair.rail});
      return found == faults.end() ? Health{} : found->second;
    };
    const auto leaf = [&](const NodeId& node) {
      for (const auto& endpoint : endpoints) {
        if (endpoint.node == node) return endpoint.leaf;
      }
      return std::string{};
    };
    const auto share = [](const auto& shares, std::string a, std::string b) {
      if (b < a) std::swap(a, b);
      const auto found = shares.find({a, b});
      return found == shares.end() ? 1.0 : found->second;
    };
    const auto a = health(pair.a);
    const auto b = health(pair.b);
    PairResult result{.round = round, .pair = pair};
    const auto dip = dips.find(measurements++);
    if (a.dead || b.dead) {
      result.error = "connection refused";
      return result;
    }
    const double path =
        std::min(share(paths, leaf(pair.a), leaf(pair.b)), share(pairs, pair.a, pair.b));
    std::normal_distribution<double> jitter(1, noise);
    const double once = dip == dips.end() ? 1 : dip->second;
    result.gbps_ab = healthy_gbps * std::min({a.tx, b.rx, path}) * jitter(dice) * once;
    result.gbps_ba = healthy_gbps * std::min({b.tx, a.rx, path}) * jitter(dice) * once;
    return result;
  }
};

/// `nodes` nodes cu0001… in leaves of `leaf_size` (0: no labels), each with `rails` ports.
inline SimulatedFabric make_fabric(int nodes, int leaf_size, int rails = 1, double rate = 100) {
  SimulatedFabric fabric;
  for (int node = 0; node < nodes; ++node) {
    for (int rail = 0; rail < rails; ++rail) {
      fabric.endpoints.push_back(
          {.node = fmt::format("cu{:04}", node + 1),
           .rail = rail,
           .leaf = leaf_size == 0 ? std::string{} : fmt::format("l{:03}", node / leaf_size + 1),
           .rate_gbps = rate,
           .address = {},
           .device = {}});
    }
  }
  return fabric;
}

struct Campaign {
  std::vector<Round> planned;
  std::vector<Round> extra;
  std::vector<PairResult> results;
  FabricReport report;
};

/// Plans, measures, asks for more, judges: what the engine does.
inline Campaign run(SimulatedFabric& fabric, const Options& options = {}) {
  Campaign campaign;
  campaign.planned = plan_rounds(fabric.endpoints, options);
  int number = 0;
  const auto measure = [&](const std::vector<Round>& rounds) {
    for (const auto& round : rounds) {
      ++number;
      for (const auto& pair : round) campaign.results.push_back(fabric.measure(number, pair));
    }
  };
  measure(campaign.planned);
  for (;;) {
    const auto more = next_rounds(fabric.endpoints, campaign.results, options);
    if (more.empty()) break;
    measure(more);
    campaign.extra.insert(campaign.extra.end(), more.begin(), more.end());
  }
  campaign.report = judge(fabric.endpoints, campaign.results, options);
  return campaign;
}

}  // namespace podwright::fabric::test
