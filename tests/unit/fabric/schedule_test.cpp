#include "fabric/schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "unit/fabric/simulated_fabric.hpp"

namespace podwright::fabric {
namespace {

using test::make_fabric;

std::set<std::pair<NodeId, NodeId>> pairs_of(const std::vector<Round>& rounds, int rail = 0) {
  std::set<std::pair<NodeId, NodeId>> all;
  for (const auto& round : rounds) {
    for (const auto& pair : round) {
      if (pair.rail == rail) all.insert({pair.a, pair.b});
    }
  }
  return all;
}

void check_no_end_point_twice(const std::vector<Round>& rounds, bool rails_together) {
  for (const auto& round : rounds) {
    std::set<std::pair<NodeId, int>> seen;
    for (const auto& pair : round) {
      CHECK(pair.a < pair.b);
      const int rail = rails_together ? pair.rail : 0;
      CHECK(seen.insert({pair.a, rail}).second);
      CHECK(seen.insert({pair.b, rail}).second);
    }
  }
}

TEST_CASE("all pairs take N-1 rounds for an even and N for an odd number of nodes") {
  for (const int nodes : {2, 3, 4, 5, 8, 9, 16, 31, 64}) {
    CAPTURE(nodes);
    const auto fabric = make_fabric(nodes, 0);
    const auto rounds = plan_rounds(fabric.endpoints, {.full = true});
    CHECK(rounds.size() == static_cast<std::size_t>(nodes % 2 == 0 ? nodes - 1 : nodes));
    CHECK(rounds.size() == planned_rounds(fabric.endpoints, {.full = true}));
    CHECK(pairs_of(rounds).size() == static_cast<std::size_t>(nodes * (nodes - 1) / 2));
    check_no_end_point_twice(rounds, false);
    std::size_t probes = 0;
    std::set<NodeId> byes;
    for (const auto& round : rounds) {
      probes += round.size();
      if (nodes % 2 == 0) continue;
      std::set<NodeId> busy;
      for (const auto& pair : round) busy.insert({pair.a, pair.b});
      for (const auto& endpoint : fabric.endpoints) {
        if (!busy.contains(endpoint.node)) byes.insert(endpoint.node);
      }
    }
    CHECK(probes == static_cast<std::size_t>(nodes * (nodes - 1) / 2));
    if (nodes % 2 == 1) CHECK(byes.size() == static_cast<std::size_t>(nodes));
  }
}

TEST_CASE("quick rounds cover every node within its leaf and every pair of leaves") {
  for (const auto& [nodes, leaf_size] : {std::pair{64, 8}, {256, 16}, {96, 32}, {60, 7}, {40, 4}}) {
    CAPTURE(nodes);
    CAPTURE(leaf_size);
    const auto fabric = make_fabric(nodes, leaf_size);
    const auto rounds = plan_rounds(fabric.endpoints, {});
    const int leaves = (nodes + leaf_size - 1) / leaf_size;
    const int smallest = nodes % leaf_size == 0 ? leaf_size : nodes % leaf_size;
    CHECK(rounds.size() <=
          static_cast<std::size_t>(1 + (leaves - 1 + smallest - 1) / smallest + leaves % 2));
    CHECK(rounds.size() == planned_rounds(fabric.endpoints, {}));
    check_no_end_point_twice(rounds, false);
    std::map<NodeId, std::string> leaf;
    for (const auto& endpoint : fabric.endpoints) leaf[endpoint.node] = endpoint.leaf;
    std::set<std::pair<std::string, std::string>> covered;
    std::set<NodeId> measured;
    for (const auto& [a, b] : pairs_of(rounds)) {
      measured.insert({a, b});
      if (leaf[a] != leaf[b]) covered.insert(std::minmax(leaf[a], leaf[b]));
    }
    CHECK(measured.size() == static_cast<std::size_t>(nodes));
    CHECK(covered.size() == static_cast<std::size_t>(leaves * (leaves - 1) / 2));
  }
  CHECK(plan_rounds(make_fabric(64, 8).endpoints, {}).size() == 2);
  CHECK(plan_rounds(make_fabric(256, 16).endpoints, {}).size() == 2);
  CHECK(plan_rounds(make_fabric(4096, 32).endpoints, {}).size() == 1 + 4);
}

TEST_CASE("without topology: a few different partners for everybody") {
  for (const int nodes : {16, 33}) {
    const auto fabric = make_fabric(nodes, 0);
    const auto rounds = plan_rounds(fabric.endpoints, {});
    CHECK(rounds.size() == 3);
    check_no_end_point_twice(rounds, false);
    CHECK(pairs_of(rounds).size() == static_cast<std::size_t>(3 * (nodes / 2)));
    std::set<NodeId> measured;
    for (const auto& [a, b] : pairs_of(rounds)) measured.insert({a, b});
    CHECK(measured.size() == static_cast<std::size_t>(nodes));
  }
}

TEST_CASE("labels that group nobody are no topology") {
  const auto fabric = make_fabric(20, 1);
  CHECK(plan_rounds(fabric.endpoints, {}).size() == 3);
}

TEST_CASE("one leaf: every node once, an odd one out in a further round") {
  CHECK(plan_rounds(make_fabric(16, 16).endpoints, {}).size() == 1);
  const auto rounds = plan_rounds(make_fabric(17, 17).endpoints, {});
  REQUIRE(rounds.size() == 2);
  CHECK(rounds[1].size() == 1);
}

TEST_CASE("a small cluster gets every pair, one node none") {
  CHECK(plan_rounds(make_fabric(8, 4).endpoints, {}).size() == 7);
  CHECK(plan_rounds(make_fabric(2, 0).endpoints, {}).size() == 1);
  CHECK(plan_rounds(make_fabric(1, 0).endpoints, {}).empty());
  CHECK(plan_rounds({}, {}).empty());
}

TEST_CASE("a seed decides the rounds") {
  const auto fabric = make_fabric(64, 8);
  const auto one = plan_rounds(fabric.endpoints, {.seed = 1});
  CHECK(one == plan_rounds(fabric.endpoints, {.seed = 1}));
  CHECK(one != plan_rounds(fabric.endpoints, {.seed = 2}));
}

TEST_CASE("a node is busy on one rail at a time, unless rails are asked together") {
  const auto fabric = make_fabric(16, 0, 8);
  const auto apart = plan_rounds(fabric.endpoints, {});
  CHECK(apart.size() == 3 * 8);
  check_no_end_point_twice(apart, false);
  const auto together = plan_rounds(fabric.endpoints, {.rails_together = true});
  CHECK(together.size() == 3);
  CHECK(together.front().size() == 8 * 8);
  check_no_end_point_twice(together, true);
  for (int rail = 0; rail < 8; ++rail) CHECK(pairs_of(together, rail) == pairs_of(apart, 0));
}

TEST_CASE("oversubscribed uplinks carry no more flows than they were built for") {
  for (const bool full : {false, true}) {
    const auto fabric = make_fabric(32, 8);
    const Options options{.full = full, .oversubscription = 4};
    const auto rounds = plan_rounds(fabric.endpoints, options);
    CHECK(rounds.size() == planned_rounds(fabric.endpoints, options));
    check_no_end_point_twice(rounds, false);
    std::map<NodeId, std::string> leaf;
    for (const auto& endpoint : fabric.endpoints) leaf[endpoint.node] = endpoint.leaf;
    for (const auto& round : rounds) {
      std::map<std::string, int> flows;
      for (const auto& pair : round) {
        if (leaf[pair.a] == leaf[pair.b]) continue;
        CHECK(++flows[leaf[pair.a]] <= 2);
        CHECK(++flows[leaf[pair.b]] <= 2);
      }
    }
    if (full) CHECK(pairs_of(rounds).size() == 32 * 31 / 2);
  }
}

}  // namespace
}  // namespace podwright::fabric
