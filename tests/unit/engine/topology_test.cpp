#include "engine/topology.hpp"

#include <doctest/doctest.h>

using namespace podwright;

namespace {

Endpoint port(const NodeId& node, int rail, const std::string& device, const std::string& leaf = "") {
  Endpoint made;
  made.node = node;
  made.rail = rail;
  made.leaf = leaf;
  made.device = device;
  return made;
}

std::vector<Endpoint> ports() {
  return {port("cu01", 0, "mlx5_0"), port("cu01", 1, "mlx5_1"), port("cu02", 0, "ib0"),
          port("cu03", 0, "mlx5_0", "by label")};
}

std::map<NodeId, Facts> facts() {
  std::map<NodeId, Facts> all;
  all["cu02"].hostname = "gpu-two.cluster";
  auto& hca = all["cu02"].hcas.emplace_back();
  hca.name = "mlx5_4";
  hca.netdev = "ib0";
  return all;
}

}  // namespace

TEST_CASE("leaves: of ibnetdiscover, by node and adapter, by host name, and labels go before") {
  auto endpoints = ports();
  const auto found = leaves_from_ibnetdiscover(
      endpoints,
      "Switch  41 \"S-248a070300aa0001\"  # \"leaf01\" enhanced port 0 lid 11 lmc 0\n"
      "[1]  \"H-248a070300bb0001\"[1](248a070300bb0001)  # \"cu01 mlx5_0\" lid 21 4xHDR s=4 w=2 v=4 e=4\n"
      "[2]  \"H-248a070300bb0003\"[1](248a070300bb0003)  # \"gpu-two mlx5_4\" lid 23 4xHDR s=4 w=2 v=4 e=4\n"
      "[3]  \"H-248a070300bb0004\"[1](248a070300bb0004)  # \"cu03 mlx5_0\" lid 24 4xHDR s=4 w=2 v=4 e=4\n"
      "Switch  41 \"S-248a070300aa0002\"  # \"leaf02\" enhanced port 0 lid 12 lmc 0\n"
      "[1]  \"H-248a070300bb0002\"[1](248a070300bb0002)  # \"cu01 mlx5_1\" lid 22 4xHDR s=4 w=2 v=4 e=4\n",
      facts());
  REQUIRE(found);
  CHECK(*found == 3);
  CHECK(endpoints[0].leaf == "leaf01");
  CHECK(endpoints[1].leaf == "leaf02");
  CHECK(endpoints[2].leaf == "leaf01");
  CHECK(endpoints[3].leaf == "by label");
  CHECK_FALSE(leaves_from_ibnetdiscover(endpoints, "ibpanic: no such device\n", {}));
}

TEST_CASE("leaves: of LLDP, on the interface of the end point only") {
  auto endpoints = ports();
  const auto known = facts();
  const auto found = leaves_from_lldp(endpoints, "cu02",
                                      "lldp.eno1.via=LLDP\nlldp.eno1.chassis.name=management-switch\n"
                                      "lldp.ib0.via=LLDP\nlldp.ib0.chassis.name=leaf07\nlldp.ib0.port.ifname=swp3\n",
                                      &known.at("cu02"));
  REQUIRE(found);
  CHECK(*found == 1);
  CHECK(endpoints[2].leaf == "leaf07");
  CHECK(endpoints[0].leaf.empty());
}
