#include "config/cluster_file.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "config/config.hpp"

using namespace podwright;

namespace {

Node node(std::string name, std::string address, std::string role = "compute", int port = 22) {
  Node one;
  one.name = std::move(name);
  one.address = std::move(address);
  one.roles = {std::move(role)};
  one.ssh.port = port;
  return one;
}

Inventory read(const std::string& text) {
  auto inventory = parse_inventory(text, "cluster.toml");
  REQUIRE_MESSAGE(inventory, (inventory ? "" : inventory.error().message()), "\n", text);
  return *inventory;
}

std::string added(const std::string& text, const std::vector<Node>& nodes) {
  const auto result = add_nodes(text, "cluster.toml", nodes);
  REQUIRE_MESSAGE(result, (result ? "" : result.error().message()));
  CHECK(result->starts_with(text));
  read(*result);
  return result->substr(text.size());
}

}  // namespace

TEST_CASE("a new cluster.toml is valid, commented and holds what was given") {
  NewCluster cluster;
  cluster.name = "pod1";
  cluster.user = "ops";
  cluster.key = "~/.ssh/a \"key\"";
  cluster.nodes = {node("head", "10.0.0.1", "head"), node("cu01", "10.0.0.11"),
                   node("cu02", "10.0.0.12"), node("cu03", "10.0.0.13"),
                   node("cu05", "10.0.0.15", "compute", 2222)};
  cluster.nodes[4].labels = {{"leaf", "l1"}, {"odd key", "x"}};
  cluster.nodes[4].fabric = {{.name = "eth1", .address = "10.1.0.15", .rate_gbps = 100, .rail = 0},
                             {.name = "eth2", .address = "", .rate_gbps = 0, .rail = 1}};
  const auto text = render_cluster_file(cluster);
  const auto inventory = read(text);
  CHECK(inventory.name == "pod1");
  CHECK(inventory.profile == "debian12-slurm-cpu");
  CHECK(inventory.ssh.user == "ops");
  CHECK(inventory.ssh.key.ends_with("/.ssh/a \"key\""));
  REQUIRE(inventory.nodes.size() == 5);
  CHECK(text.find("name = \"cu[01-03]\"\naddress = \"10.0.0.[11-13]\"\n") != std::string::npos);
  CHECK(inventory.nodes[3].name == "cu03");
  CHECK(inventory.nodes[3].address == "10.0.0.13");
  CHECK(inventory.nodes[4].ssh.port == 2222);
  CHECK(inventory.nodes[4].labels.at("odd key") == "x");
  REQUIRE(inventory.nodes[4].fabric.size() == 2);
  CHECK(inventory.nodes[4].fabric[0].rate_gbps == 100);
  CHECK(inventory.nodes[4].fabric[1].rail == 1);
}

TEST_CASE("a new cluster.toml without nodes shows how they are written") {
  const auto text = render_cluster_file({});
  CHECK(read(text).nodes.empty());
  // What is commented out works once the marks are taken away.
  std::string uncommented = text;
  for (auto at = uncommented.find("# [[node]]"); at != std::string::npos;
       at = uncommented.find("\n# ", at)) {
    uncommented.erase(uncommented[at] == '\n' ? at + 1 : at, 2);
  }
  CHECK(read(uncommented).nodes.size() == 65);
}

TEST_CASE("nodes are appended; what a person wrote stays byte for byte") {
  const std::string text =
      "# my cluster\n[ssh]\nport = 2222   # odd\n\n[[node]]\nname='head' # the head\naddress   =   "
      "\"10.0.0.1\"\n# end\n";
  const auto tail = added(
      text, {node("cu01", "10.0.0.11", "compute", 2222), node("cu02", "10.0.0.12", "compute", 22)});
  CHECK(tail ==
        "\n[[node]]\nname = \"cu01\"\naddress = \"10.0.0.11\"\nroles = [\"compute\"]\n"
        "\n[[node]]\nname = \"cu02\"\naddress = \"10.0.0.12\"\nport = 22\nroles = [\"compute\"]\n");
}

TEST_CASE("a missing final newline is added, an empty file starts with the node") {
  CHECK(added("[cluster]\nname = \"p\"", {node("a", "10.0.0.1")}).starts_with("\n\n[[node]]\n"));
  CHECK(added("", {node("a", "10.0.0.1")}).starts_with("[[node]]\n"));
  CHECK(added("# only a comment", {node("a", "10.0.0.1")}).starts_with("\n\n[[node]]\n"));
}

TEST_CASE("a file with CRLF stays one") {
  const auto tail = added("[cluster]\r\nname = \"p\"\r\n", {node("a", "10.0.0.1")});
  CHECK(tail.starts_with("\r\n[[node]]\r\nname = \"a\"\r\n"));
  CHECK(std::ranges::count(tail, '\n') == std::ranges::count(tail, '\r'));
}

TEST_CASE("addresses that are there, also within ranges, are not added again") {
  const std::string text = "[[node]]\nname = \"cu[01-04]\"\naddress = \"10.0.0.[11-14]\"\n";
  CHECK(added(text, {node("x", "10.0.0.12"), node("cu03", "10.0.0.13")}).empty());
  CHECK(added(text, {node("x", "10.0.0.12", "compute", 2222)}).find("port = 2222") !=
        std::string::npos);
  CHECK(added(text, {node("new", "10.0.0.15"), node("again", "10.0.0.15")}).find("again") ==
        std::string::npos);
}

TEST_CASE("a name that another machine has is refused") {
  const auto result = add_nodes("[[node]]\nname = \"cu01\"\naddress = \"10.0.0.11\"\n",
                                "cluster.toml", {node("cu01", "10.0.0.99")});
  REQUIRE_FALSE(result);
  CHECK(result.error().what ==
        "cluster.toml:1:1: cu01 is the node at 10.0.0.11 already, so 10.0.0.99 needs another name");
}

TEST_CASE("what cannot take [[node]] tables is refused, not broken") {
  const auto result =
      add_nodes("node = [{ name = \"a\" }]\n", "cluster.toml", {node("b", "10.0.0.2")});
  REQUIRE_FALSE(result);
  CHECK(result.error().fault == Fault::usage);
  CHECK(result.error().what.find("no nodes can be added to cluster.toml") != std::string::npos);
  CHECK_FALSE(add_nodes("[[node]\n", "cluster.toml", {node("b", "10.0.0.2")}));
}

TEST_CASE("neighbours become one table only when ranges give the very same names and addresses") {
  const auto tables = [](const std::vector<Node>& nodes) {
    const auto text = added("", nodes);
    const auto inventory = read(text);
    REQUIRE(inventory.nodes.size() == nodes.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      CHECK(inventory.nodes[i].name == nodes[i].name);
      CHECK(inventory.nodes[i].address == nodes[i].address);
    }
    std::size_t count = 0;
    for (auto at = text.find("[[node]]"); at != std::string::npos;
         at = text.find("[[node]]", at + 1))
      ++count;
    return count;
  };
  CHECK(tables({node("cu09", "10.0.0.9"), node("cu10", "10.0.0.10"), node("cu11", "10.0.0.11")}) ==
        1);
  CHECK(tables({node("cu9", "10.0.0.9"), node("cu10", "10.0.0.10")}) == 1);
  CHECK(tables({node("cu9", "10.0.0.9"), node("cu010", "10.0.0.10")}) == 2);
  CHECK(tables({node("cu1", "10.0.0.1"), node("cu2", "10.0.0.3")}) == 2);
  CHECK(tables({node("cu1", "10.0.0.1"), node("cu2", "10.0.0.2", "login")}) == 2);
  CHECK(tables({node("a", "x"), node("b", "y")}) == 2);
}
