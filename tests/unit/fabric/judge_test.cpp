#include "fabric/judge.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <stdexcept>

#include "unit/fabric/simulated_fabric.hpp"

namespace podwright::fabric {
namespace {

using test::make_fabric;
using test::run;
using test::SimulatedFabric;

/// "cu0003/0 tx slow" for every node that is named.
std::set<std::string> nodes_of(const FabricVerdict& verdict) {
  std::set<std::string> names;
  for (const auto& fault : verdict.nodes) {
    names.insert(fmt::format("{}/{} {} {}", fault.name, fault.rail, fault.direction, fault.cause));
  }
  return names;
}

std::set<std::string> links_of(const FabricVerdict& verdict) {
  std::set<std::string> names;
  for (const auto& fault : verdict.links) names.insert(fault.a + " " + fault.b);
  return names;
}

using Names = std::set<std::string>;

TEST_CASE("a sound fabric passes in the planned rounds") {
  auto fabric = make_fabric(64, 8);
  const auto campaign = run(fabric);
  CHECK(campaign.report.verdict.pass);
  CHECK(campaign.extra.empty());
  CHECK(campaign.report.rounds == 2);
  CHECK(campaign.report.probes == 64);
  CHECK(campaign.report.pairs.front().expected_gbps == doctest::Approx(92));
  CHECK(campaign.report.verdict.summary == "Every pair reaches what is expected of it.");
}

TEST_CASE("a slow node is named with its direction, and nobody else") {
  for (const auto& [health, name] :
       {std::pair{test::Health{.tx = 0.45, .rx = 0.45}, "cu0007/0 both slow"},
        {test::Health{.tx = 0.45}, "cu0007/0 tx slow"},
        {test::Health{.rx = 0.85}, "cu0007/0 rx slow"},
        {test::Health{.dead = true}, "cu0007/0 both failed"}}) {
    for (const int leaf_size : {0, 4, 16}) {
      CAPTURE(name);
      CAPTURE(leaf_size);
      auto fabric = make_fabric(16, leaf_size);
      fabric.faults[{"cu0007", 0}] = health;
      const auto campaign = run(fabric);
      CHECK_FALSE(campaign.report.verdict.pass);
      CHECK(nodes_of(campaign.report.verdict) == Names{name});
      CHECK(campaign.report.verdict.links.empty());
      CHECK(campaign.report.verdict.ambiguous.empty());
      CHECK(campaign.extra.size() <= 2);
      CHECK(campaign.report.verdict.nodes.front().confidence > 0.9);
      CHECK_FALSE(campaign.report.verdict.nodes.front().evidence.empty());
    }
  }
}

TEST_CASE("the evidence says what was measured with whom") {
  auto fabric = make_fabric(4, 0);
  fabric.noise = 0;
  fabric.faults[{"cu0002", 0}] = {.tx = 0.5};
  const auto verdict = run(fabric).report.verdict;
  REQUIRE(verdict.nodes.size() == 1);
  CHECK(verdict.nodes[0].gbps == doctest::Approx(48.5));
  CHECK(verdict.nodes[0].evidence ==
        "sends at best 48.5 of 92.0 Gbit/s with each of 3 partners (cu0001, cu0003 and cu0004); "
        "others reach 97.0");
  CHECK(verdict.summary == "1 node at fault.");
}

TEST_CASE("a slow pair of leaves is a link, not its nodes") {
  auto fabric = make_fabric(64, 8);
  fabric.paths[{"l002", "l005"}] = 0.5;
  const auto campaign = run(fabric);
  CHECK(campaign.report.verdict.nodes.empty());
  CHECK(links_of(campaign.report.verdict) == Names{"leaf:l002 leaf:l005"});
  CHECK(campaign.report.verdict.links.front().gbps == doctest::Approx(48.5).epsilon(0.05));
  CHECK(campaign.extra.size() <= 2);
}

TEST_CASE("a dip that does not come back blames nobody") {
  for (const int dip : {0, 20, 40, 60}) {
    auto fabric = make_fabric(64, 8);
    fabric.dips[dip] = 0.5;
    const auto campaign = run(fabric);
    CAPTURE(dip);
    CHECK(campaign.report.verdict.pass);
    CHECK_FALSE(campaign.extra.empty());
    CHECK(campaign.report.verdict.summary.find("did not come back") != std::string::npos);
  }
}

TEST_CASE("a pair that stays slow between sound nodes is listed as ambiguous") {
  auto fabric = make_fabric(8, 0);
  fabric.pairs[{"cu0002", "cu0005"}] = 0.5;
  const auto verdict = run(fabric).report.verdict;
  CHECK_FALSE(verdict.pass);
  CHECK(verdict.nodes.empty());
  CHECK(verdict.ambiguous == std::vector<std::vector<NodeId>>{{"cu0002", "cu0005"}});
}

TEST_CASE("two nodes: ambiguous") {
  for (const auto& health :
       {test::Health{.tx = 0.5, .rx = 0.5}, test::Health{.tx = 0.5}, test::Health{.dead = true}}) {
    auto fabric = make_fabric(2, 0);
    fabric.faults[{"cu0002", 0}] = health;
    const auto campaign = run(fabric);
    CHECK_FALSE(campaign.report.verdict.pass);
    CHECK(campaign.report.verdict.nodes.empty());
    CHECK(campaign.report.verdict.ambiguous ==
          std::vector<std::vector<NodeId>>{{"cu0001", "cu0002"}});
    CHECK(campaign.extra.size() == 2);
  }
}

TEST_CASE("two nodes of unknown rate: only a difference between the directions shows") {
  auto fabric = make_fabric(2, 0, 1, 0);
  fabric.faults[{"cu0002", 0}] = {.tx = 0.5};
  CHECK_FALSE(run(fabric).report.verdict.pass);
  auto sound = make_fabric(2, 0, 1, 0);
  const auto verdict = run(sound).report.verdict;
  CHECK(verdict.pass);
  CHECK(verdict.summary.find("line rates are not known") != std::string::npos);
}

TEST_CASE("three nodes, one slow: named") {
  auto fabric = make_fabric(3, 0);
  fabric.faults[{"cu0003", 0}] = {.tx = 0.5, .rx = 0.5};
  CHECK(nodes_of(run(fabric).report.verdict) == Names{"cu0003/0 both slow"});
}

TEST_CASE("all bad: nobody is named, everybody is in one set, and a shared cause is suggested") {
  for (const int nodes : {3, 8, 64}) {
    auto fabric = make_fabric(nodes, nodes > 8 ? 8 : 0);
    fabric.healthy_gbps = 60;
    const auto campaign = run(fabric);
    const auto& verdict = campaign.report.verdict;
    CAPTURE(nodes);
    CHECK_FALSE(verdict.pass);
    CHECK(verdict.nodes.empty());
    CHECK(verdict.links.empty());
    REQUIRE_FALSE(verdict.ambiguous.empty());
    std::set<NodeId> all;
    for (const auto& set : verdict.ambiguous) all.insert(set.begin(), set.end());
    CHECK(all.size() == static_cast<std::size_t>(nodes));
    CHECK(verdict.summary.find("All pairs are bad") == 0);
  }
}

TEST_CASE("all failed: nobody is named") {
  auto fabric = make_fabric(16, 4);
  for (const auto& endpoint : fabric.endpoints) fabric.faults[{endpoint.node, 0}] = {.dead = true};
  const auto verdict = run(fabric).report.verdict;
  CHECK_FALSE(verdict.pass);
  CHECK(verdict.nodes.empty());
  CHECK_FALSE(verdict.ambiguous.empty());
}

TEST_CASE("a majority of bad nodes is named when two sound ones prove it, and called a majority") {
  auto fabric = make_fabric(8, 0);
  for (const int node : {1, 2, 4, 5, 7}) {
    fabric.faults[{fmt::format("cu{:04}", node), 0}] = {.tx = 0.5, .rx = 0.5};
  }
  const auto verdict = run(fabric).report.verdict;
  CHECK(nodes_of(verdict) == Names{"cu0001/0 both slow", "cu0002/0 both slow", "cu0004/0 both slow",
                                   "cu0005/0 both slow", "cu0007/0 both slow"});
  CHECK(verdict.summary.find("majority") != std::string::npos);

  // One sound node cannot be told from the rest: no pair is good.
  auto worse = make_fabric(8, 0);
  for (int node = 1; node <= 7; ++node)
    worse.faults[{fmt::format("cu{:04}", node), 0}] = {.tx = 0.5, .rx = 0.5};
  const auto undecided = run(worse).report.verdict;
  CHECK(undecided.nodes.empty());
  REQUIRE(undecided.ambiguous.size() == 1);
  CHECK(undecided.ambiguous.front().size() == 8);
}

TEST_CASE("a majority of bad nodes shows without a line rate too") {
  auto fabric = make_fabric(8, 0, 1, 0);
  for (int node = 1; node <= 5; ++node)
    fabric.faults[{fmt::format("cu{:04}", node), 0}] = {.tx = 0.5, .rx = 0.5};
  CHECK_FALSE(run(fabric).report.verdict.pass);
}

TEST_CASE("an odd number of nodes") {
  for (const int nodes : {5, 9, 33}) {
    for (const int leaf_size : {0, nodes}) {
      auto fabric = make_fabric(nodes, leaf_size);
      const auto last = fmt::format("cu{:04}", nodes);
      fabric.faults[{last, 0}] = {.rx = 0.6};
      CAPTURE(nodes);
      CAPTURE(leaf_size);
      CHECK(nodes_of(run(fabric).report.verdict) == Names{last + "/0 rx slow"});
    }
  }
}

TEST_CASE("one rail of eight") {
  for (const bool together : {false, true}) {
    auto fabric = make_fabric(16, 8, 8);
    fabric.faults[{"cu0005", 3}] = {.tx = 0.5};
    fabric.faults[{"cu0009", 6}] = {.dead = true};
    const auto campaign = run(fabric, {.rails_together = together});
    CHECK(nodes_of(campaign.report.verdict) == Names{"cu0005/3 tx slow", "cu0009/6 both failed"});
    CHECK(campaign.extra.size() <= 2);
  }
}

TEST_CASE("a whole leaf that is slow, also within itself: its switch or all of its nodes") {
  auto fabric = make_fabric(64, 8);
  for (int node = 9; node <= 16; ++node)
    fabric.faults[{fmt::format("cu{:04}", node), 0}] = {.tx = 0.5, .rx = 0.5};
  const auto verdict = run(fabric).report.verdict;
  CHECK_FALSE(verdict.pass);
  CHECK(verdict.nodes.empty());
  CHECK(verdict.links.empty());
  std::set<NodeId> all;
  for (const auto& set : verdict.ambiguous) all.insert(set.begin(), set.end());
  CHECK(all.size() == 8);
  CHECK(all.contains("cu0009"));
}

TEST_CASE("a leaf whose uplinks are slow: every path of it, with the hint") {
  auto fabric = make_fabric(64, 8);
  for (int leaf = 1; leaf <= 8; ++leaf) {
    if (leaf != 3)
      fabric.paths[std::minmax(std::string("l003"), fmt::format("l{:03}", leaf))] = 0.5;
  }
  const auto verdict = run(fabric).report.verdict;
  CHECK(verdict.nodes.empty());
  CHECK(verdict.links.size() == 7);
  CHECK(verdict.links.front().evidence.find("most paths of leaf:l003") != std::string::npos);
}

TEST_CASE("a node alone in its leaf is named, though each of its paths is its own") {
  auto fabric = make_fabric(33, 8);
  fabric.faults[{"cu0033", 0}] = {.tx = 0.5, .rx = 0.5};
  const auto verdict = run(fabric).report.verdict;
  CHECK(nodes_of(verdict) == Names{"cu0033/0 both slow"});
  CHECK(verdict.links.empty());
}

TEST_CASE("a node without a label among labelled ones is measured and named") {
  auto fabric = make_fabric(33, 8);
  fabric.endpoints[0].leaf.clear();
  CHECK(run(fabric).report.verdict.pass);
  fabric.faults[{"cu0001", 0}] = {.tx = 0.5};
  const auto campaign = run(fabric, {.oversubscription = 2});
  CHECK(nodes_of(campaign.report.verdict) == Names{"cu0001/0 tx slow"});
}

TEST_CASE("a dip within a leaf of few pairs does not pass for a fault of the leaf") {
  for (int dip = 0; dip < 32; ++dip) {
    auto fabric = make_fabric(16, 4);
    fabric.dips[dip] = 0.5;
    CAPTURE(dip);
    CHECK(run(fabric).report.verdict.pass);
  }
}

TEST_CASE("what comes and goes with a node is that node") {
  auto fabric = make_fabric(8, 0);
  fabric.pairs[{"cu0002", "cu0005"}] = 0.5;
  fabric.pairs[{"cu0002", "cu0007"}] = 0.5;
  const auto verdict = run(fabric).report.verdict;
  CHECK(nodes_of(verdict) == Names{"cu0002/0 both slow"});
  CHECK(verdict.nodes.front().evidence.find("measurements") != std::string::npos);
  CHECK(verdict.nodes.front().confidence <= 0.9);
}

TEST_CASE("two speeds of ports are judged each by its own line rate") {
  auto fabric = make_fabric(16, 0);
  for (int node = 0; node < 4; ++node)
    fabric.endpoints[static_cast<std::size_t>(node)].rate_gbps = 25;
  for (int node = 1; node <= 4; ++node)
    fabric.faults[{fmt::format("cu{:04}", node), 0}] = {.tx = 0.25, .rx = 0.25};
  CHECK(run(fabric).report.verdict.pass);
}

TEST_CASE("a cluster just above its floor is not judged by its noise, one below it is") {
  auto fabric = make_fabric(64, 8);
  fabric.healthy_gbps = 93;
  const auto report = run(fabric).report;
  CHECK(report.verdict.pass);
  // The pairs are still told what they are.
  const auto slow = std::ranges::count(report.pairs, Verdict::slow, &JudgedPair::status);
  CHECK(slow > 0);
  for (const auto& pair : report.pairs) {
    CHECK(pair.expected_gbps == doctest::Approx(92));
    CHECK((pair.status == Verdict::slow) == (pair.gbps < 92));
  }
  CHECK(report.verdict.summary.find("No pair is slower than noise explains.") == 0);
  CHECK(report.verdict.summary.find("below the floor by no more than noise.") != std::string::npos);
  auto below = make_fabric(64, 8);
  below.healthy_gbps = 91;
  CHECK_FALSE(run(below).report.verdict.pass);
}

TEST_CASE("a low floor still finds the node that differs from the others") {
  auto fabric = make_fabric(64, 8);
  fabric.faults[{"cu0011", 0}] = {.tx = 0.85, .rx = 0.85};
  CHECK(nodes_of(run(fabric, {.floor_fraction = 0.5}).report.verdict) ==
        Names{"cu0011/0 both slow"});
}

TEST_CASE("a value that is no number is a failure, and so is what was never measured") {
  const auto fabric = make_fabric(3, 0);
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  const std::vector<PairResult> results = {
      {.round = 1, .pair = {"cu0001", "cu0002", 0}, .gbps_ab = nothing, .gbps_ba = 97}};
  const auto report = judge(fabric.endpoints, results, {});
  CHECK(report.pairs.front().status == Verdict::failed);
  CHECK_FALSE(report.pairs.front().result.error.empty());
  CHECK(nodes_of(report.verdict) == Names{"cu0003/0 both failed"});
  CHECK(report.verdict.ambiguous == std::vector<std::vector<NodeId>>{{"cu0001", "cu0002"}});
}

TEST_CASE("nothing measured is no pass") {
  CHECK_FALSE(judge({}, {}, {}).verdict.pass);
  const auto one = make_fabric(1, 0);
  const auto verdict = judge(one.endpoints, {}, {}).verdict;
  CHECK_FALSE(verdict.pass);
  CHECK(verdict.summary.find("needs two nodes") != std::string::npos);
}

TEST_CASE("ends given the other way round are the same pair") {
  const auto fabric = make_fabric(2, 0);
  const std::vector<PairResult> results = {
      {.round = 1, .pair = {"cu0002", "cu0001", 0}, .gbps_ab = 97, .gbps_ba = 50},
      {.round = 2, .pair = {"cu0001", "cu0002", 0}, .gbps_ab = 97, .gbps_ba = 97},
      {.round = 3, .pair = {"cu0002", "cu0001", 0}, .gbps_ab = 97, .gbps_ba = 97}};
  CHECK(judge(fabric.endpoints, results, {}).verdict.pass);
}

TEST_CASE("a result of somebody else's end points is a bug of the caller") {
  const auto fabric = make_fabric(2, 0);
  const std::vector<PairResult> stranger = {
      {.round = 1, .pair = {"cu0001", "cu9", 0}, .gbps_ab = 1, .gbps_ba = 1}};
  CHECK_THROWS_AS(judge(fabric.endpoints, stranger, {}), std::invalid_argument);
  const std::vector<PairResult> rail = {
      {.round = 1, .pair = {"cu0001", "cu0002", 4}, .gbps_ab = 1, .gbps_ba = 1}};
  CHECK_THROWS_AS(judge(fabric.endpoints, rail, {}), std::invalid_argument);
}

/// Faults as the world has them: up to 5 % of the nodes (slow both ways, one way, or dead) and two
/// pairs of leaves, 15 to 60 % slower, 1 % noise.
struct Score {
  int true_positive = 0;
  int false_positive = 0;
  int false_negative = 0;

  void add(const Names& found, const Names& injected) {
    for (const auto& name : found) ++(injected.contains(name) ? true_positive : false_positive);
    for (const auto& name : injected) false_negative += found.contains(name) ? 0 : 1;
  }
  [[nodiscard]] double precision() const {
    return true_positive / std::max(1.0, 1.0 * true_positive + false_positive);
  }
  [[nodiscard]] double recall() const {
    return true_positive / std::max(1.0, 1.0 * true_positive + false_negative);
  }
};

void simulate(int nodes, int leaf_size, int campaigns, Score& node_score, Score& link_score,
              std::size_t& most_rounds) {
  for (int campaign = 0; campaign < campaigns; ++campaign) {
    std::mt19937_64 dice(static_cast<std::uint64_t>(1000 * nodes + campaign));
    auto fabric = make_fabric(nodes, leaf_size);
    fabric.dice.seed(dice());
    Names nodes_injected;
    for (int fault = 0; fault < nodes / 20; ++fault) {
      const auto name = fmt::format("cu{:04}", 1 + dice() % static_cast<std::uint64_t>(nodes));
      if (fabric.faults.contains({name, 0})) continue;
      const double left = 0.85 - 0.45 * static_cast<double>(dice() % 1000) / 1000;
      constexpr std::array<std::string_view, 4> kinds = {"both slow", "tx slow", "rx slow",
                                                         "both failed"};
      const auto kind = dice() % kinds.size();
      auto& health = fabric.faults[{name, 0}];
      if (kind == 3) health.dead = true;
      if (kind == 0 || kind == 1) health.tx = left;
      if (kind == 0 || kind == 2) health.rx = left;
      nodes_injected.insert(fmt::format("{}/0 {}", name, kinds[kind]));
    }
    Names links_injected;
    const auto leaves = static_cast<std::uint64_t>(leaf_size == 0 ? 0 : nodes / leaf_size);
    for (int link = 0; leaves > 1 && link < 2; ++link) {
      const auto a = 1 + dice() % leaves;
      const auto b = 1 + dice() % leaves;
      if (a == b) continue;
      const std::pair<std::string, std::string> path =
          std::minmax(fmt::format("l{:03}", a), fmt::format("l{:03}", b));
      fabric.paths[path] = 0.85 - 0.45 * static_cast<double>(dice() % 1000) / 1000;
      links_injected.insert(fmt::format("leaf:{} leaf:{}", path.first, path.second));
    }
    const auto done = run(fabric, {.seed = dice()});
    node_score.add(nodes_of(done.report.verdict), nodes_injected);
    link_score.add(links_of(done.report.verdict), links_injected);
    CHECK(done.report.verdict.pass == (nodes_injected.empty() && links_injected.empty()));
    CHECK(done.extra.size() <= 2);
    most_rounds = std::max(most_rounds, done.planned.size() + done.extra.size());
  }
}

TEST_CASE("node precision and recall of 0.99, link precision and recall of 0.95") {
  for (const auto& [nodes, leaf_size, campaigns] : {std::tuple{64, 8, 200},
                                                    {256, 16, 50},
                                                    {256, 32, 50},
                                                    {64, 64, 100},
                                                    {64, 0, 100},
                                                    {256, 0, 50}}) {
    Score node_score;
    Score link_score;
    std::size_t rounds = 0;
    simulate(nodes, leaf_size, campaigns, node_score, link_score, rounds);
    CAPTURE(nodes);
    CAPTURE(leaf_size);
    MESSAGE(fmt::format(
        "{} nodes, leaves of {}: nodes {:.4f}/{:.4f} of {}, links {:.4f}/{:.4f} of {}, at most {} "
        "rounds",
        nodes, leaf_size, node_score.precision(), node_score.recall(),
        node_score.true_positive + node_score.false_negative, link_score.precision(),
        link_score.recall(), link_score.true_positive + link_score.false_negative, rounds));
    CHECK(node_score.precision() >= 0.99);
    CHECK(node_score.recall() >= 0.99);
    if (leaf_size == 0 || leaf_size == nodes) {
      CHECK(link_score.false_positive == 0);
    } else {
      CHECK(link_score.precision() >= 0.95);
      CHECK(link_score.recall() >= 0.95);
    }
    CHECK(rounds <= 5);
  }
}

TEST_CASE("4,096 nodes are scheduled and judged in seconds") {
  auto fabric = make_fabric(4096, 32);
  for (int node = 20; node <= 4096; node += 20) {
    fabric.faults[{fmt::format("cu{:04}", node), 0}] = {.tx = 0.6, .rx = 0.6};
  }
  std::map<NodeId, const Endpoint*> by_name;
  using Clock = std::chrono::steady_clock;
  Clock::duration spent{};
  const auto timed = [&](auto work) {
    const auto begin = Clock::now();
    auto value = work();
    spent += Clock::now() - begin;
    return value;
  };
  std::map<NodeId, std::string> leaf;
  for (const auto& endpoint : fabric.endpoints) leaf[endpoint.node] = endpoint.leaf;
  std::vector<PairResult> results;
  int number = 0;
  auto rounds = timed([&] { return plan_rounds(fabric.endpoints, {}); });
  while (!rounds.empty()) {
    for (const auto& round : rounds) {
      ++number;
      for (const auto& pair : round) {
        const auto share = [&](const NodeId& node) {
          return fabric.faults.contains({node, 0}) ? 0.6 : 1.0;
        };
        std::normal_distribution<double> jitter(97, 0.97);
        const double left = std::min(share(pair.a), share(pair.b));
        results.push_back({.round = number,
                           .pair = pair,
                           .gbps_ab = jitter(fabric.dice) * left,
                           .gbps_ba = jitter(fabric.dice) * left});
      }
    }
    rounds = timed([&] { return next_rounds(fabric.endpoints, results, {}); });
  }
  const auto report = timed([&] { return judge(fabric.endpoints, results, {}); });
  CHECK(report.rounds <= 7);
  CHECK(report.verdict.nodes.size() == 204);
  CHECK(report.verdict.links.empty());
  CHECK(report.verdict.ambiguous.empty());
  const auto seconds = std::chrono::duration<double>(spent).count();
  MESSAGE(fmt::format("{} rounds, {} probes, {:.2f} s", report.rounds, report.probes, seconds));
  CHECK(seconds < 20);
}

}  // namespace
}  // namespace podwright::fabric
