// Drift: who differs from its kind, and in what.
#include <doctest/doctest.h>

#include "engine/drift.hpp"

namespace podwright {

namespace {

struct Cluster {
  Inventory inventory;
  std::map<NodeId, Facts> facts;

  Facts& add(const NodeId& name, const std::string& role = "compute") {
    Node node;
    node.name = name;
    node.roles = {role};
    inventory.nodes.push_back(node);
    auto& one = facts[name];
    one.node = name;
    one.os = {.id = "debian", .version = "12", .codename = "bookworm", .name = "Debian 12"};
    one.kernel = "6.1.0-18";
    one.bios = "1.2";
    one.drivers = {{"nvidia", "570.124.06"}};
    one.packages = {{"chrony", "4.3-2"}, {"munge", "0.5.15"}};
    one.sysctl = {{"vm.swappiness", "10"}};
    return one;
  }
};

}  // namespace

TEST_CASE("drift: nodes that differ are named with what differs") {
  Cluster cluster;
  for (int i = 1; i <= 9; ++i) cluster.add("cu0" + std::to_string(i));
  cluster.facts["cu07"].drivers["nvidia"] = "570.86.15";
  cluster.facts["cu07"].bios = "1.1";
  cluster.facts["cu08"].packages.erase("munge");
  cluster.facts["cu09"].packages.erase("munge");
  const auto classes = drift_of(cluster.facts, cluster.inventory);
  REQUIRE(classes.size() == 1);
  CHECK(classes[0].alike.size() == 6);
  REQUIRE(classes[0].odd.size() == 2);
  CHECK(classes[0].odd[0].nodes == std::vector<NodeId>{"cu07"});
  CHECK(classes[0].odd[0].differences ==
        std::vector<Difference>{{"BIOS", "1.1", "1.2"}, {"driver nvidia", "570.86.15", "570.124.06"}});
  CHECK(classes[0].odd[1].nodes == std::vector<NodeId>{"cu08", "cu09"});
  CHECK(classes[0].odd[1].differences == std::vector<Difference>{{"package munge", "none", "0.5.15"}});
}

TEST_CASE("drift: nodes are compared with those of their kind and role alone") {
  Cluster cluster;
  cluster.add("cu01");
  cluster.add("cu02");
  cluster.add("head", "head").packages["slurmctld"] = "22.05";
  cluster.add("big").memory_bytes = std::uint64_t{1} << 40U;
  cluster.facts["big"].kernel = "6.8";
  const auto classes = drift_of(cluster.facts, cluster.inventory);
  REQUIRE(classes.size() == 1);
  CHECK(classes[0].nodes == std::vector<NodeId>{"cu01", "cu02"});
  CHECK(classes[0].odd.empty());
}

TEST_CASE("drift: what a node did not tell is not compared, and two of each have no usual") {
  Cluster cluster;
  for (const auto* name : {"cu01", "cu02", "cu03", "cu04"}) cluster.add(name);
  cluster.facts["cu04"].packages.clear();
  cluster.facts["cu04"].missing["packages"] = "dpkg cannot read its database";
  CHECK(drift_of(cluster.facts, cluster.inventory).at(0).odd.empty());
  cluster.facts["cu01"].kernel = cluster.facts["cu02"].kernel = "6.1.0-20";
  const auto odd = drift_of(cluster.facts, cluster.inventory).at(0).odd;
  REQUIRE(odd.size() == 2);
  CHECK(odd[0].differences == std::vector<Difference>{{"kernel", "6.1.0-20", ""}});
  CHECK(odd[1].differences == std::vector<Difference>{{"kernel", "6.1.0-18", ""}});
}

}  // namespace podwright
