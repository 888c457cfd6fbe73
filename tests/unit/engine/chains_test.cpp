#include <doctest/doctest.h>

#include "engine/chains.hpp"

using namespace podwright;

namespace {

Inventory rack(std::size_t count, std::size_t leaves) {
  Inventory inventory;
  for (std::size_t i = 0; i < count; ++i) {
    Node node;
    node.name = "cu" + std::to_string(i);
    if (leaves > 0) node.labels["leaf"] = "l" + std::to_string(i % leaves);
    inventory.nodes.push_back(node);
  }
  return inventory;
}

}  // namespace

TEST_CASE("a chain goes through one leaf after the other, in the order of the inventory") {
  const auto inventory = rack(6, 2);
  const auto all = chains(inventory, inventory.names(), 1U << 30U);
  REQUIRE(all.size() == 1);
  CHECK(all[0] == std::vector<NodeId>{"cu0", "cu2", "cu4", "cu1", "cu3", "cu5"});
  CHECK(chains(inventory, {}, 1).empty());
}

TEST_CASE("several chains share the nodes evenly, each in its leaves") {
  const auto inventory = rack(7, 0);
  const auto all = chains(inventory, inventory.names(), 1, 3);
  REQUIRE(all.size() == 3);
  CHECK(all[0].size() == 3);
  CHECK(all[1].size() == 2);
  CHECK(all[2].size() == 2);
  CHECK(chains(inventory, inventory.names(), 1, 99).size() == 7);
}

TEST_CASE("one chain for what is large, several for what is small or for very many") {
  const auto small = rack(32, 0);
  const auto large = rack(1000, 0);
  CHECK(chains(small, small.names(), 200U << 20U).size() == 1);
  CHECK(chains(large, large.names(), 1U << 20U).size() > 8);
  CHECK(chains(large, large.names(), std::uint64_t{10} << 30U).size() == 4);  // none is longer than 250
}

TEST_CASE("chunks grow with the transfer, within bounds") {
  CHECK(chunk_size(0) == 32U << 10U);
  CHECK(chunk_size(200'000'000) == 128U << 10U);
  CHECK(chunk_size(std::uint64_t{1} << 40U) == 4U << 20U);
}
