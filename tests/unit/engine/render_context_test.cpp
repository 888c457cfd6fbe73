#include <doctest/doctest.h>

#include "base/json.hpp"
#include "engine/render_context.hpp"

using namespace podwright;

namespace {

Node node(const char* name, const char* address) {
  Node made;
  made.name = name;
  made.address = address;
  return made;
}

Nic nic(const char* name, const char* state, std::vector<std::string> addresses) {
  Nic made;
  made.name = name;
  made.state = state;
  made.addresses = std::move(addresses);
  return made;
}

}  // namespace

TEST_CASE("a node that the inventory knows by a host name has an address all the same") {
  Inventory inventory;
  inventory.nodes = {node("cu01", "cu01.example.org"), node("cu02", "10.0.0.12"), node("cu03", "cu03.example.org")};
  FabricPort port;
  port.name = "eth1";
  port.address = "10.1.0.1";
  inventory.nodes[0].fabric = {port};
  std::map<NodeId, Facts> facts;
  facts["cu01"].nics = {nic("lo", "up", {"127.0.0.1/8"}), nic("eth1", "up", {"10.1.0.1/16"}),
                        nic("eth2", "down", {"10.9.0.1/16"}),
                        nic("eth0", "up", {"fe80::1/64", "169.254.3.4/16", "10.0.0.11/24"})};
  facts["cu02"].nics = {nic("eth0", "up", {"192.168.0.1/24", "10.0.0.12/24"})};
  const std::map<NodeId, std::string> no_keys;
  const auto context = shared_context(inventory, {}, {facts, no_keys, no_keys});
  CHECK(context["nodes"][0]["ip"] == "10.0.0.11");
  CHECK(context["nodes"][0]["interface"] == "eth0");
  CHECK(context["nodes"][0]["network"] == "10.0.0.0/24");
  CHECK(context["nodes"][1]["ip"] == "10.0.0.12");
  CHECK(context["nodes"][2]["ip"] == "cu03.example.org");  // nothing is known of it yet
}
