#include <doctest/doctest.h>

#include <filesystem>

#include "base/json.hpp"
#include "base/text.hpp"
#include "config/json.hpp"
#include "engine/report_data.hpp"

using namespace podwright;
namespace fs = std::filesystem;

namespace {

struct Cluster {
  Inventory inventory;

  Cluster() {
    inventory.name = "pod1";
    inventory.profile = "tiny";
    inventory.state_dir = (fs::temp_directory_path() / ("podwright-report-" + random_hex(6))).string();
    for (const auto* name : {"cu01", "cu02"}) {
      Node node;
      node.name = name;
      inventory.nodes.push_back(node);
    }
  }
  ~Cluster() { fs::remove_all(inventory.state_dir); }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// A run of that name; names sort as runs do.
  [[nodiscard]] RunFolder run(const std::string& id) const {
    fs::create_directories(fs::path(inventory.state_dir) / "runs" / id);
    return *RunFolder::open(inventory.state_dir, id);
  }
};

Applied applied(const std::string& run, std::map<NodeId, NodeStatus> nodes) {
  Applied all{.run = run, .nodes = {}};
  for (const auto& [name, status] : nodes) all.nodes[name] = {.status = status, .changed = {"package/chrony"}};
  return all;
}

CheckReport checks(std::map<NodeId, std::vector<CheckResult>> nodes) {
  CheckReport report;
  for (auto& [name, results] : nodes) report.nodes[name].checks = results;
  return report;
}

CheckResult check(std::string id, CheckStatus status) { return {.id = std::move(id), .status = status, .observed = "", .expected = ""}; }

}  // namespace

TEST_CASE("without runs there is nothing to report") {
  const Cluster cluster;
  const auto none = load_report(cluster.inventory);
  REQUIRE_FALSE(none);
  CHECK(none.error().fault == Fault::usage);
}

TEST_CASE("a run that mended one node does not hide the others") {
  const Cluster cluster;
  REQUIRE(cluster.run("20260101-000000-apply")
              .save("applied.json", to_json(applied("a", {{"cu01", NodeStatus::ok}, {"cu02", NodeStatus::failed}, {"gone", NodeStatus::failed}}))));
  REQUIRE(cluster.run("20260102-000000-apply").save("applied.json", to_json(applied("b", {{"cu02", NodeStatus::ok}}))));
  const auto data = load_report(cluster.inventory);
  REQUIRE(data);
  const auto& nodes = data->report.applied->nodes;
  CHECK(nodes.size() == 2);  // "gone" left the inventory
  CHECK(nodes.at("cu01").status == NodeStatus::ok);
  CHECK(nodes.at("cu02").status == NodeStatus::ok);
  CHECK(data->sources.at("applied") == "20260102-000000-apply");

  const auto one = load_report(cluster.inventory, cluster.run("20260101-000000-apply"));
  REQUIRE(one);
  CHECK(one->report.applied->nodes.at("cu02").status == NodeStatus::failed);
}

TEST_CASE("of each check the newest result counts, also from a run of a few") {
  const Cluster cluster;
  REQUIRE(cluster.run("20260101-000000-check")
              .save("checks.json", to_json(checks({{"cu01", {check("fs.use", CheckStatus::fail), check("mem.total", CheckStatus::pass)}},
                                                   {"cu02", {check("fs.use", CheckStatus::fail)}}}))));
  REQUIRE(cluster.run("20260102-000000-check").save("checks.json", to_json(checks({{"cu01", {check("fs.use", CheckStatus::pass)}}}))));
  const auto data = load_report(cluster.inventory);
  REQUIRE(data);
  const auto& all = data->report.checks->nodes;
  REQUIRE(all.at("cu01").checks.size() == 2);
  CHECK(all.at("cu01").checks[0].status == CheckStatus::pass);
  CHECK(all.at("cu02").checks[0].status == CheckStatus::fail);
}

TEST_CASE("a node that could not be checked any more is not excused by an older pass") {
  const Cluster cluster;
  REQUIRE(cluster.run("20260101-000000-check").save("checks.json", to_json(checks({{"cu01", {check("fs.use", CheckStatus::pass)}}}))));
  CheckReport later;
  later.nodes["cu01"].error = "unreachable";
  REQUIRE(cluster.run("20260102-000000-check").save("checks.json", to_json(later)));
  const auto data = load_report(cluster.inventory);
  REQUIRE(data);
  CHECK(data->report.checks->nodes.at("cu01").checks.empty());
  CHECK_FALSE(data->report.pass());
}

TEST_CASE("a verdict that is older than the last change is warned of") {
  const Cluster cluster;
  REQUIRE(cluster.run("20260101-000000-check").save("checks.json", to_json(checks({{"cu01", {check("fs.use", CheckStatus::pass)}}}))));
  CHECK(load_report(cluster.inventory)->warnings.empty());
  REQUIRE(cluster.run("20260102-000000-apply").save("applied.json", to_json(applied("b", {{"cu01", NodeStatus::ok}}))));
  const auto data = load_report(cluster.inventory);
  REQUIRE(data);
  REQUIRE(data->warnings.size() == 1);
  CHECK(data->warnings[0].find("checks") != std::string::npos);
}

TEST_CASE("facts: the newest of each node, be it that it did not answer") {
  const Cluster cluster;
  Facts facts;
  facts.node = "cu01";
  facts.kernel = "6.1";
  const Json first = {{"nodes", {{"cu01", to_json(facts)}, {"cu02", to_json(facts)}}}, {"failed", Json::object()}};
  REQUIRE(cluster.run("20260101-000000-facts").save("facts.json", first));
  const Json second = {{"nodes", Json::object()}, {"failed", {{"cu02", {{"fault", "unreachable"}, {"what", "no route"}}}}}};
  REQUIRE(cluster.run("20260102-000000-facts").save("facts.json", second));
  const auto data = load_report(cluster.inventory);
  REQUIRE(data);
  CHECK(data->report.facts.contains("cu01"));
  CHECK_FALSE(data->report.facts.contains("cu02"));
  CHECK(data->report.unreachable.at("cu02").what == "no route");
}
