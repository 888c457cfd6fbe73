#include "catalog/measurements/port_counters.hpp"

#include <doctest/doctest.h>

#include "unit/catalog/observed_case.hpp"
#include "unit/catalog/resource_case.hpp"

namespace podwright {
namespace {

TEST_CASE("port counters: read of InfiniBand and Ethernet ports, in every shell") {
  const std::string tree =
      "sys/class/infiniband/mlx5_0/ports/1/counters/symbol_error 3\n"
      "sys/class/infiniband/mlx5_0/ports/1/counters/link_downed 1\n"
      "sys/class/infiniband/mlx5_0/ports/1/counters/port_xmit_data 99\n"
      "sys/class/infiniband/mlx5_0/ports/1/hw_counters/out_of_sequence 12\n"
      "sys/class/infiniband/hfi1_0/ports/1/counters/symbol_error N/A (no PMA)\n"
      "sys/class/net/eth1/statistics/rx_crc_errors 7\n"
      "sys/class/net/eth1/carrier_down_count 2\n"
      "sys/class/net/lo/statistics/rx_crc_errors 7\n";
  for (const auto& shell : test::shells()) {
    const auto observed = test::run_on_tree(shell, port_counters_script(), tree);
    const auto counters = read_port_counters(observed.out);
    REQUIRE_MESSAGE(counters, observed.out << observed.err);
    CHECK(counters->at("mlx5_0/1").at("symbol_error") == 3);
    CHECK(counters->at("mlx5_0/1").at("out_of_sequence") == 12);
    CHECK_FALSE(counters->at("mlx5_0/1").contains("port_xmit_data"));
    CHECK(counters->at("eth1").at("carrier_down_count") == 2);
    CHECK_FALSE(counters->contains("lo"));
    CHECK_FALSE(counters->contains("hfi1_0/1"));
  }
}

TEST_CASE("port counters: only what rose on the measured ports, errors apart from congestion") {
  const PortCounters before = {{"mlx5_0/1", {{"symbol_error", 3}, {"out_of_sequence", 5}, {"link_downed", 9}}},
                               {"eth0", {{"rx_crc_errors", 1}}}};
  const PortCounters after = {{"mlx5_0/1", {{"symbol_error", 5}, {"out_of_sequence", 6}, {"link_downed", 2}}},
                              {"eth0", {{"rx_crc_errors", 4}}},
                              {"eth7", {{"rx_crc_errors", 4}}}};
  const auto rose = counters_that_rose("cu01", before, after, {"mlx5_0"});
  REQUIRE(rose.size() == 3);
  CHECK(rose[0].counter == "link_downed");  // reset in between: counted from zero
  CHECK(rose[0].delta == 2);
  CHECK(rose[1].counter == "out_of_sequence");
  CHECK_FALSE(rose[1].fatal);
  CHECK(rose[2].counter == "symbol_error");
  CHECK(rose[2].delta == 2);
  CHECK(rose[2].fatal);
  CHECK(counters_that_rose("cu01", before, before, {}).empty());
  CHECK(counters_that_rose("cu01", before, after, {}).size() == 4);
}

TEST_CASE("port counters: an answer that breaks off or holds something else is an error") {
  CHECK_FALSE(read_port_counters("mlx5_0/1 symbol_error 3\n"));
  CHECK_FALSE(read_port_counters("hello\nend\n"));
  CHECK_FALSE(read_port_counters("mlx5_0/1 symbol_error minus\nend\n"));
  CHECK(read_port_counters("end\n"));
}

}  // namespace
}  // namespace podwright
