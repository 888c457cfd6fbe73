#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "bad_files.hpp"
#include "base/files.hpp"
#include "config/config.hpp"

using namespace podwright;
namespace fs = std::filesystem;

namespace {

Result<Inventory> load_text(const std::string& text) {
  const fs::path folder =
      fs::temp_directory_path() / ("podwright-inventory-" + std::to_string(getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "cluster.toml") << text;
  auto inventory = load_inventory(folder / "cluster.toml");
  fs::remove_all(folder);
  return inventory;
}

Inventory loaded(const std::string& text) {
  auto inventory = load_text(text);
  REQUIRE_MESSAGE(inventory, (inventory ? "" : inventory.error().message()));
  return *inventory;
}

}  // namespace

TEST_CASE("bad cluster files are refused with the place and the reason") {
  const auto files = bad_files(PODWRIGHT_CASES "/config/bad");
  CHECK(files.size() >= 25);
  for (const auto& [file, expected] : files) {
    CAPTURE(file.string());
    REQUIRE_FALSE(expected.empty());
    const auto inventory = load_inventory(file);
    REQUIRE_FALSE(inventory);
    CHECK(inventory.error().fault == Fault::usage);
    const auto message = inventory.error().message();
    for (const auto& words : expected) {
      const auto found = message.find(words) != std::string::npos;
      CHECK_MESSAGE(found, words, "\nis not in:\n", message);
    }
    CHECK(message.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("a missing cluster.toml says how to get one") {
  const auto inventory = load_inventory("/nonexistent/cluster.toml");
  REQUIRE_FALSE(inventory);
  CHECK(inventory.error().fault == Fault::usage);
  CHECK(inventory.error().hint.find("podwright init") != std::string::npos);
  CHECK(inventory.error().hint.find("podwright discover") != std::string::npos);
}

TEST_CASE("a folder is no cluster.toml") {
  const auto inventory = load_inventory("/tmp");
  REQUIRE_FALSE(inventory);
  CHECK(inventory.error().fault == Fault::usage);
}

TEST_CASE("an empty file is a cluster of nobody with the defaults") {
  const auto inventory = loaded("");
  CHECK(inventory.nodes.empty());
  CHECK(inventory.name == "cluster");
  CHECK(inventory.quorum == 0);
  CHECK(inventory.ssh.user == "root");
  CHECK_FALSE(inventory.ssh.user_set);
  CHECK(inventory.state_dir == inventory.directory + "/.podwright");
  CHECK(inventory.ssh.known_hosts == inventory.directory + "/known_hosts");
}

TEST_CASE("the file of the manual: ranges expand together, ssh is merged, paths are resolved") {
  const auto inventory = load_inventory(PODWRIGHT_CASES "/config/manual.toml");
  REQUIRE_MESSAGE(inventory, (inventory ? "" : inventory.error().message()));
  CHECK(inventory->name == "pod1");
  CHECK(inventory->profile == "debian12-slurm-cpu");
  CHECK(inventory->quorum == 0.5);
  CHECK(inventory->state_dir == PODWRIGHT_CASES "/config/.podwright");
  REQUIRE(inventory->nodes.size() == 66);

  const auto& head = inventory->nodes.front();
  CHECK(head.name == "head");
  CHECK(head.address == "10.0.0.1");
  CHECK(head.has_role("head"));
  CHECK(head.has_role("all"));
  CHECK_FALSE(head.has_role("compute"));
  CHECK(head.ssh.user == "ops");
  CHECK(head.ssh.user_set);
  CHECK_FALSE(head.ssh.port_set);
  CHECK(head.ssh.become == "sudo");
  CHECK(head.ssh.become_password_env == "PW_SUDO_PASSWORD");
  CHECK(head.ssh.jump == std::vector<std::string>{"admin@bastion:22"});
  CHECK(head.ssh.known_hosts == PODWRIGHT_CASES "/config/known_hosts");
  CHECK(head.ssh.key == expand_home("~/.ssh/id_ed25519").string());
  CHECK(head.pos.line == 18);

  const auto* last = inventory->find("cu64");
  REQUIRE(last != nullptr);
  CHECK(last->address == "10.0.0.74");
  CHECK(last->labels.at("leaf") == "l1");
  CHECK(last->labels.at("u") == "12");
  REQUIRE(last->fabric.size() == 2);
  CHECK(last->fabric[0].name == "eth1");
  CHECK(last->fabric[0].address == "10.1.0.74");
  CHECK(last->fabric[0].rate_gbps == 100);
  CHECK(last->fabric[0].rail == 0);
  CHECK(last->fabric[1].name == "mlx5_0");
  CHECK(last->fabric[1].address.empty());
  CHECK(last->fabric[1].rail == 1);

  const auto* odd = inventory->find("odd");
  REQUIRE(odd != nullptr);
  CHECK(odd->address == "odd");
  CHECK(odd->ssh.user == "admin");
  CHECK(odd->ssh.port == 2222);
  CHECK(odd->ssh.port_set);
  CHECK(odd->ssh.key == PODWRIGHT_CASES "/config/keys/odd");
  CHECK(odd->ssh.jump.empty());
  CHECK(odd->ssh.jump_set);
  CHECK_FALSE(odd->ssh.use_ssh_config);
  CHECK_FALSE(odd->ssh.agent);
  CHECK(odd->ssh.ask_password);

  REQUIRE(find_value(inventory->vars, "slurm_partition") != nullptr);
  CHECK(find_value(inventory->vars, "slurm_partition")->scalar_text() == "train");
  CHECK(inventory->with_role("compute").size() == 64);
  CHECK(inventory->find("nobody") == nullptr);
}

TEST_CASE("a node's ssh may be a table of its own") {
  const auto inventory = loaded(
      "[ssh]\nuser = \"a\"\n[[node]]\nname = \"x\"\nssh = { user = \"b\", port = 2201, ssh_config "
      "= \"conf\" }\n");
  const auto& ssh = inventory.nodes.front().ssh;
  CHECK(ssh.user == "b");
  CHECK(ssh.port == 2201);
  CHECK(ssh.use_ssh_config);
  CHECK(ssh.ssh_config == inventory.directory + "/conf");
}

TEST_CASE("one address on two ports, or behind two bastions, is two nodes") {
  CHECK(loaded("[[node]]\nname=\"a\"\naddress=\"127.0.0.1\"\nport=2201\n"
               "[[node]]\nname=\"b\"\naddress=\"127.0.0.1\"\nport=2202\n")
            .nodes.size() == 2);
  CHECK(loaded("[[node]]\nname=\"a\"\naddress=\"10.0.0.1\"\njump=[\"x\"]\n"
               "[[node]]\nname=\"b\"\naddress=\"10.0.0.1\"\njump=[\"y@[fd00::1]:22\"]\n")
            .nodes.size() == 2);
}

TEST_CASE("IPv6 addresses and names with dots are addresses") {
  const auto inventory = loaded("[[node]]\nname=\"a.example\"\naddress=\"fd00::1\"\n");
  CHECK(inventory.nodes.front().address == "fd00::1");
}

TEST_CASE("CRLF and a byte order mark do no harm") {
  CHECK(loaded("\xEF\xBB\xBF[cluster]\r\nname = \"pod2\"\r\n").name == "pod2");
}
