#include "engine/validate.hpp"

#include <doctest/doctest.h>

using namespace podwright;

namespace {

Inventory cluster(int compute) {
  Inventory inventory;
  Node head;
  head.name = "head";
  head.address = "10.0.0.1";
  head.roles = {"head"};
  inventory.nodes.push_back(head);
  for (int i = 1; i <= compute; ++i) {
    const auto name = "cu" + std::to_string(i);
    Node node;
    node.name = name;
    node.address = "10.0.0.1" + std::to_string(i);
    node.roles = {"compute"};
    node.fabric = {{.name = "eth1", .address = "10.1.0.1" + std::to_string(i), .rate_gbps = 100, .rail = 0}};
    inventory.nodes.push_back(node);
  }
  return inventory;
}

Result<FabricReport> measure(const Inventory& inventory, const std::string& command) {
  events::Bus bus;
  Profile profile;
  profile.fabric.floor_fraction = 0.9;
  const auto endpoints = fabric_endpoints(inventory, inventory.names(), {});
  return validate(bus, {}, profile, endpoints, measure_with_command(command, Millis(10000), {}), {});
}

/// A fabric in awk: every pair at 95 Gbit/s, but cu2 sends at 40.
const char* slow_sender = R"(tr '{' '\n' | awk -F'"' 'BEGIN{printf "{\"results\":["}
  /"a":/{ab=$4=="cu2"?40:95; ba=$8=="cu2"?40:95; printf "%s{\"a\":\"%s\",\"b\":\"%s\",\"rail\":0,\"gbps_ab\":%d,\"gbps_ba\":%d}", sep, $4, $8, ab, ba; sep=","}
  END{print "]}"}')";

}  // namespace

TEST_CASE("end points are the compute nodes' fabric ports") {
  const auto inventory = cluster(3);
  const auto endpoints = fabric_endpoints(inventory, inventory.names(), {});
  REQUIRE(endpoints.size() == 3);
  CHECK(endpoints[0].node == "cu1");
  CHECK(endpoints[0].address == "10.1.0.11");
  CHECK(endpoints[0].rate_gbps == 100);
}

TEST_CASE("a site's own command is judged like any tool") {
  const auto report = measure(cluster(5), slow_sender);
  REQUIRE(report);
  CHECK_FALSE(report->verdict.pass);
  REQUIRE(report->verdict.nodes.size() == 1);
  CHECK(report->verdict.nodes[0].name == "cu2");
  CHECK(report->verdict.nodes[0].direction == "tx");
}

TEST_CASE("a command that prints nonsense is an error, never a zero") {
  CHECK(measure(cluster(3), "echo hello").error().what.find("not JSON") != std::string::npos);
  CHECK(measure(cluster(3), "exit 7").error().what.find("exit status 7") != std::string::npos);
  CHECK(measure(cluster(3), "echo '{}'").error().what.find("results") != std::string::npos);
  const auto silent = measure(cluster(3), "echo '{\"results\":[]}'");
  REQUIRE(silent);
  CHECK_FALSE(silent->verdict.pass);
  for (const auto& pair : silent->pairs) CHECK(pair.status == Verdict::failed);
}

TEST_CASE("one node cannot be measured") {
  const auto report = measure(cluster(1), "true");
  REQUIRE_FALSE(report);
  CHECK(report.error().fault == Fault::usage);
}
