// The shipped profiles as nodes would get them: facts in (tests/cases/profile/facts), resources and
// files out, compared with what is recorded in tests/cases/profile/PROFILE/NODE. After a wanted
// change, PODWRIGHT_RECORD=1 writes them anew; the diff is to be read before it is committed.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <vector>

#include "base/assets.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/schema.hpp"
#include "config/config.hpp"
#include "config/json.hpp"
#include "engine/planner.hpp"
#include "engine/render_context.hpp"

namespace podwright {
namespace {

namespace fs = std::filesystem;

Profile load(const std::string& name) {
  const auto profile = load_profile(name, PODWRIGHT_SOURCE_DIR, {}, {}, cli::catalog_schema());
  REQUIRE_MESSAGE(profile, (profile ? "" : profile.error().message()));
  return *profile;
}

/// The recorded facts of a class of machines, as those of a node at these addresses.
Facts facts_of(const std::string& hardware, const std::string& node, int octet) {
  const auto text = read_file(fmt::format("{}/profile/facts/{}.json", PODWRIGHT_CASES, hardware));
  REQUIRE(text);
  auto facts = facts_from_json(Json::parse(*text));
  REQUIRE_MESSAGE(facts, (facts ? "" : facts.error().message()));
  facts->node = node;
  facts->hostname = node;
  REQUIRE(facts->nics.size() == 2);
  facts->nics[0].addresses = {fmt::format("10.98.0.{}/16", octet)};
  facts->nics[1].addresses = {fmt::format("10.99.0.{}/16", octet)};
  return *facts;
}

/// A head, two small machines without GPUs, and two with eight H100.
struct Cluster {
  Inventory inventory;
  std::map<NodeId, Facts> facts;
  std::map<NodeId, std::string> host_keys;
};

Cluster make_cluster() {
  Cluster cluster;
  cluster.inventory.name = "pod1";
  const auto add = [&](const std::string& name, const std::string& role,
                       const std::string& hardware, int octet) {
    Node node;
    node.name = name;
    node.address = fmt::format("10.98.0.{}", octet);
    node.roles = {role};
    node.fabric = {{.name = "fabric", .address = fmt::format("10.99.0.{}", octet)}};
    cluster.inventory.nodes.push_back(node);
    cluster.facts[name] = facts_of(hardware, name, octet);
    cluster.host_keys[name] = fmt::format("ssh-ed25519 AAAAkeyof{}", name);
  };
  add("head", "head", "lab_cpu", 1);
  add("cu01", "compute", "lab_cpu", 11);
  add("cu02", "compute", "lab_cpu", 12);
  add("gpu01", "compute", "8xh100", 21);
  add("gpu02", "compute", "8xh100", 22);
  return cluster;
}

Result<std::map<NodeId, NodeWanted>> resolve_all(const Cluster& cluster, const Profile& profile) {
  const std::map<std::string, std::string> public_keys = {
      {"training_ssh", "ssh-ed25519 AAAAtraining training_ssh"}};
  return resolve(cluster.inventory, profile, cluster.facts,
                 {cluster.facts, cluster.host_keys, public_keys});
}

const std::vector<std::string> same_everywhere = {"slurm.conf", "gres.conf", "mpi.conf",
                                                  "mpi-hostfile", "ssh_known_hosts"};

/// File name -> text: the list of a node's resources, and the content of each file.
std::map<std::string, std::string> documents(const NodeWanted& wanted) {
  std::map<std::string, std::string> all;
  for (const auto& one : wanted.resources) {
    all["resources"] += one.id() + "\n";
    if (one.kind != "file" || one.name.ends_with(".c")) continue;
    all[fs::path(one.name).filename()] = one.text("content");
  }
  return all;
}

void compare_with_record(const std::string& profile, const NodeId& node, const NodeWanted& wanted) {
  const fs::path folder = fs::path(PODWRIGHT_CASES) / "profile" / profile / node;
  auto found = documents(wanted);
  // Recorded once, for the head: that they are the same is another test.
  if (node != "head") {
    for (const auto& name : same_everywhere) found.erase(name);
  }
  if (std::getenv("PODWRIGHT_RECORD") != nullptr) {
    fs::remove_all(folder);
    for (const auto& [name, text] : found) REQUIRE(write_file(folder / name, text));
  }
  for (const auto& [name, text] : found) {
    const auto recorded = read_file(folder / name);
    CAPTURE(node);
    REQUIRE_MESSAGE(recorded, name);
    CHECK_MESSAGE(text == *recorded, unified_diff(*recorded, text, name));
  }
  for (const auto& entry : fs::directory_iterator(folder)) {
    CHECK_MESSAGE(found.contains(entry.path().filename()), entry.path().string());
  }
}

TEST_CASE("debian12-slurm-cpu on small machines and on 8xH100 is as recorded") {
  const auto cluster = make_cluster();
  const auto wanted = resolve_all(cluster, load("debian12-slurm-cpu"));
  REQUIRE_MESSAGE(wanted, (wanted ? "" : wanted.error().message()));
  for (const auto* node : {"head", "cu01", "gpu01"}) {
    compare_with_record("debian12-slurm-cpu", node, wanted->at(node));
  }
}

TEST_CASE("what nodes compare with each other is the same text on all of them") {
  const auto cluster = make_cluster();
  const auto wanted = resolve_all(cluster, load("debian12-slurm-cpu"));
  REQUIRE(wanted);
  for (const auto& file : same_everywhere) {
    const auto reference = documents(wanted->at("head")).at(file);
    for (const auto& [node, resources] : *wanted) {
      CAPTURE(node);
      CHECK(documents(resources).at(file) == reference);
    }
  }
}

TEST_CASE("every shipped profile loads, and has what its hand-off needs") {
  const auto names = list_profiles();
  REQUIRE_FALSE(names.empty());
  for (const auto& name : names) {
    CAPTURE(name);
    const auto profile = load(name);
    CHECK_FALSE(profile.summary.empty());
    CHECK_FALSE(profile.requires_os.empty());
    CHECK_FALSE(profile.handoff_targets.empty());
  }
}

}  // namespace
}  // namespace podwright
