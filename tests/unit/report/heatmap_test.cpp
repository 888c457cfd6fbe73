#include "report/heatmap.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/text.hpp"
#include "report/layout.hpp"
#include "report/matrix.hpp"
#include "unit/report/sample_report.hpp"

namespace podwright {
namespace {

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++found;
  return found;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Neighbours measured with each other, in leaves of `leaf_size`.
FabricReport big_fabric(int nodes, int leaf_size, std::vector<Node>& inventory) {
  FabricReport report;
  for (int i = 0; i < nodes; ++i) {
    Node node;
    node.name = fmt::format("cu{}", i + 1);
    if (leaf_size > 0) node.labels["leaf"] = fmt::format("l{}", i / leaf_size + 1);
    inventory.push_back(node);
    if (i % 2 == 0) continue;
    JudgedPair pair;
    pair.result.round = 1;
    pair.result.pair = {.a = fmt::format("cu{}", i), .b = node.name};
    pair.result.gbps_ab = pair.result.gbps_ba = pair.gbps = 95;
    pair.expected_gbps = 92;
    report.pairs.push_back(pair);
  }
  return report;
}

TEST_CASE("svg: a cell for every direction that was measured, with its figures on hover") {
  const auto report = test::sample_report();
  const auto svg = svg_heatmap(*report.fabric, report.nodes);
  CHECK(count(svg, "<title>cu") == 56);
  CHECK(count(svg, "<rect class=\"h2\" x=") == 7);  // cu07 to everybody: below 60 %
  CHECK(has(svg, "<title>cu07 → cu01: 41.2 Gbit/s, expected 92.0</title>"));
  CHECK(has(svg, "<title>cu01 → cu07: 94.8 Gbit/s, expected 92.0</title>"));
  CHECK(has(svg, ">▲ cu07<"));
  CHECK(has(svg, "node at fault"));
  CHECK(has(svg, "Gbit/s"));
  CHECK(has(svg, "prefers-color-scheme:dark"));
  CHECK(svg_heatmap(FabricReport{}, report.nodes).empty());
}

TEST_CASE("svg: what failed is crossed out, links are framed, sets are marked") {
  auto report = test::sample_report();
  auto& pair = report.fabric->pairs.front();
  pair.status = Verdict::failed;
  pair.result.error = "connection refused <b>";
  report.fabric->verdict.links.push_back({.a = "leaf:l1", .b = "leaf:l2"});
  report.fabric->verdict.ambiguous.push_back({"cu01", "cu02"});
  const auto svg = svg_heatmap(*report.fabric, report.nodes);
  CHECK(has(svg, "<title>cu01 → cu02: failed: connection refused &lt;b&gt;</title>"));
  CHECK(count(svg, "<path class=\"x\"") == 3);  // both directions, and the legend
  CHECK(count(svg, "<rect class=\"l\"") == 3);
  CHECK(count(svg, ">? cu0") == 4);
}

TEST_CASE("svg: thousands of nodes become blocks") {
  std::vector<Node> nodes;
  auto report = big_fabric(4096, 32, nodes);
  report.pairs[1000].gbps = report.pairs[1000].result.gbps_ab = 40;
  report.pairs[1000].status = Verdict::slow;
  const auto svg = svg_heatmap(report, nodes);
  CHECK(svg.size() < 2'000'000);
  CHECK(has(svg, "<title>cu2001 → cu2002: 40.0 Gbit/s, expected 92.0 (the worst of "));
  CHECK(has(svg, "a cell is a block of nodes"));
}

TEST_CASE("matrix: rows are sorted by leaf as people count, and blocks stay within a leaf") {
  std::vector<Node> nodes;
  auto report = big_fabric(240, 24, nodes);
  std::ranges::reverse(nodes);
  const auto matrices = matrices_of(report, nodes, 96);
  REQUIRE(matrices.size() == 1);
  const auto& axes = matrices[0].axes;
  CHECK(axes.size() <= 96);
  CHECK(axes.front().leaf == "l1");
  CHECK(axes.back().leaf == "l10");
  std::size_t covered = 0;
  for (const auto& axis : axes) {
    covered += axis.nodes.size();
    for (const auto node : axis.nodes) {
      const auto& name = matrices[0].names[node];
      CHECK(fmt::format("l{}", (std::stoi(name.substr(2)) - 1) / 24 + 1) == axis.leaf);
    }
  }
  CHECK(covered == 240);
}

TEST_CASE("matrix: the latest measurement counts, and a block is as bad as its worst pair") {
  std::vector<Node> nodes;
  auto report = big_fabric(4, 0, nodes);
  auto again = report.pairs[0];
  again.result.round = 2;
  again.result.gbps_ab = again.gbps = 50;
  again.status = Verdict::slow;
  report.pairs.insert(report.pairs.begin(), again);
  auto matrices = matrices_of(report, nodes, 96);
  CHECK(matrices[0].at(0, 1).heat == Heat::slow_far);
  CHECK(matrices[0].at(1, 0).heat == Heat::good_high);
  CHECK(matrices[0].at(0, 2).heat == Heat::none);
  matrices = matrices_of(report, nodes, 2);
  REQUIRE(matrices[0].axes.size() == 2);
  CHECK(matrices[0].at(0, 0).heat == Heat::slow_far);
  CHECK(matrices[0].at(0, 0).pairs == 2);
  CHECK(matrices[0].at(1, 1).heat == Heat::good_high);
}

TEST_CASE("a rail is a panel of its own") {
  auto report = test::sample_report();
  auto pairs = report.fabric->pairs;
  for (auto& pair : pairs) pair.result.pair.rail = 3;
  report.fabric->pairs.insert(report.fabric->pairs.end(), pairs.begin(), pairs.end());
  const auto svg = svg_heatmap(*report.fabric, report.nodes);
  CHECK(has(svg, ">Rail 0<"));
  CHECK(has(svg, ">Rail 3<"));
  CHECK(count(svg, ">▲ cu07<") == 2);  // row and column of the rail at fault only
  CHECK(has(text_heatmap(*report.fabric, report.nodes, 80, false), "  rail 3\n"));
}

TEST_CASE("text: fits the terminal whatever the number of nodes") {
  for (const int size : {2, 8, 50, 64, 100, 1000}) {
    std::vector<Node> nodes;
    const auto report = big_fabric(size, 16, nodes);
    for (const int width : {60, 80, 200}) {
      const auto map = text_heatmap(report, nodes, width, false);
      CAPTURE(size);
      for (const auto line : lines(map)) {
        CHECK_MESSAGE(layout::width_of(line) <= static_cast<std::size_t>(width), line);
      }
      CHECK(has(map, "█"));
    }
  }
}

}  // namespace
}  // namespace podwright
