// The hand-off targets. Their judges are tried against case files,
// tests/cases/handoff/TARGET/*.txt:
//   # what the case is about
//   expect: pass | fail
//   says: a text that the summary holds          (any number)
//   silent: a text that the summary does not hold (any number)
//   timed_out: yes                                the engine ended the proof
//   floor: 0.085                                  min_busbw_gbytes_per_s of a collective
//   --- output
//   what the proof script printed, on a cluster of head and cu01 to cu03
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "catalog/registry.hpp"

namespace podwright {
namespace {

struct Cluster {
  Inventory inventory;
  Profile profile;
  std::map<NodeId, Facts> facts;

  [[nodiscard]] HandoffContext context() const { return {inventory, profile, facts}; }
};

Cluster make_cluster(int compute = 3) {
  Cluster cluster;
  const auto add = [&](const std::string& name, const std::string& address,
                       const std::string& role) {
    Node node;
    node.name = name;
    node.address = address;
    node.roles = {role};
    cluster.inventory.nodes.push_back(node);
    cluster.facts[name].hostname = name;
  };
  add("head", "10.98.0.1", "head");
  for (int i = 1; i <= compute; ++i) {
    add(fmt::format("cu{:02}", i), fmt::format("10.98.0.{}", 10 + i), "compute");
  }
  cluster.profile.handoff_targets = {"hosts", "mpi", "slurm"};
  set_value(cluster.profile.vars, "training_user", Value(std::string("train")));
  return cluster;
}

struct Case {
  std::string target;
  std::string file;
  std::multimap<std::string, std::string> wanted;
  Observed observed;
};

Case read_case(const std::filesystem::path& path) {
  const auto text = read_file(path);
  REQUIRE_MESSAGE(text, path.string());
  Case one{.target = path.parent_path().filename(), .file = path, .wanted = {}, .observed = {}};
  constexpr std::string_view separator = "--- output\n";
  const auto at = text->find(separator);
  REQUIRE_MESSAGE(at != std::string::npos, path.string());
  one.observed.out = text->substr(at + separator.size());
  for (const auto line : lines(std::string_view(*text).substr(0, at))) {
    if (line.starts_with('#')) continue;
    const auto colon = line.find(": ");
    REQUIRE_MESSAGE(colon != std::string_view::npos, fmt::format("{}: {}", path.string(), line));
    one.wanted.emplace(line.substr(0, colon), line.substr(colon + 2));
  }
  one.observed.timed_out = one.wanted.contains("timed_out");
  return one;
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(PODWRIGHT_CASES "/handoff")) {
    if (entry.path().extension() == ".txt") cases.push_back(read_case(entry.path()));
  }
  return cases;
}

TEST_CASE("the judges of the hand-off say what the cases say") {
  const auto cases = all_cases();
  REQUIRE(cases.size() > 25);
  for (const auto& one : cases) {
    CAPTURE(one.file);
    const auto* target = find_in_catalog<Handoff>(one.target);
    REQUIRE(target != nullptr);
    auto cluster = make_cluster();
    if (const auto floor = one.wanted.find("floor"); floor != one.wanted.end()) {
      MeasurementSpec collective;
      collective.kind = "collective";
      collective.tool = "mpi-allreduce";
      collective.min_busbw_gbytes_per_s = to_double(floor->second).value();
      cluster.profile.measurements = {collective};
    }
    const auto result = target->judge(one.observed, cluster.context());
    CAPTURE(result.summary);
    CHECK(result.pass == (one.wanted.find("expect")->second == "pass"));
    for (const auto& [key, text] : one.wanted) {
      CAPTURE(text);
      if (key == "says") CHECK(result.summary.find(text) != std::string::npos);
      if (key == "silent") CHECK(result.summary.find(text) == std::string::npos);
    }
    CHECK(result.output.starts_with(one.observed.out));
  }
}

TEST_CASE("every target has a passing case and two that fail") {
  std::map<std::string, std::map<std::string, int>> count;
  for (const auto& one : all_cases()) ++count[one.target][one.wanted.find("expect")->second];
  for (const auto& target : catalog<Handoff>()) {
    if (target.judge == nullptr) continue;
    CAPTURE(target.name);
    CHECK(count[std::string(target.name)]["pass"] >= 1);
    CHECK(count[std::string(target.name)]["fail"] >= 2);
  }
}

TEST_CASE("a cluster without healthy nodes proves nothing") {
  auto cluster = make_cluster();
  cluster.facts.clear();
  for (const auto& target : catalog<Handoff>()) {
    if (target.judge == nullptr) continue;
    CAPTURE(target.name);
    const auto result =
        target.judge(Observed{.out = "== begin nodes\n== end 0\n"}, cluster.context());
    CHECK_FALSE(result.pass);
    CHECK(result.summary.find("there is nothing to prove") != std::string::npos);
  }
}

TEST_CASE("nodes that are not handed over are not asked for") {
  auto cluster = make_cluster();
  cluster.facts.erase("cu02");
  for (const auto* name : {"hosts", "slurm", "mpi"}) {
    const auto* target = find_in_catalog<Handoff>(name);
    CAPTURE(name);
    const auto script = target->proof(cluster.context());
    CHECK(script.find("cu01") != std::string::npos);
    CHECK(script.find("cu02") == std::string::npos);
  }
}

TEST_CASE("without Slurm, mpirun alone proves MPI; without an account, root does") {
  auto cluster = make_cluster();
  cluster.profile.handoff_targets = {"hosts", "mpi"};
  cluster.profile.vars.clear();
  const auto* mpi = find_in_catalog<Handoff>("mpi");
  const auto script = mpi->proof(cluster.context());
  CHECK(script.find("salloc") == std::string::npos);
  CHECK(script.find("user=''") != std::string::npos);
  const auto result = mpi->judge(
      Observed{.out = "== begin mpirun\n"
                      "[1,0]<stdout>:podwright-allreduce rank 0 of 3 on cu01\n"
                      "[1,0]<stdout>:podwright-allreduce rank 1 of 3 on cu02\n"
                      "[1,0]<stdout>:podwright-allreduce rank 2 of 3 on cu03\n"
                      "[1,0]<stdout>:podwright-allreduce result ranks 3 hosts 3 correct yes "
                      "busbw_gbytes_per_s 0.077329\n"
                      "== end 0\n"},
      cluster.context());
  CHECK_MESSAGE(result.pass, result.summary);
}

TEST_CASE("a single compute node has no bus bandwidth, and passes") {
  const auto cluster = make_cluster(1);
  std::string output;
  for (const auto* how : {"srun", "mpirun"}) {
    output += fmt::format(
        "== begin {}\npodwright-allreduce rank 0 of 1 on cu01\n"
        "podwright-allreduce result ranks 1 hosts 1 correct yes busbw_gbytes_per_s 0.000000\n== "
        "end 0\n",
        how);
  }
  const auto result =
      find_in_catalog<Handoff>("mpi")->judge(Observed{.out = output}, cluster.context());
  CHECK_MESSAGE(result.pass, result.summary);
}

TEST_CASE("proof scripts are sh, whatever names the inventory holds") {
  auto cluster = make_cluster();
  cluster.inventory.nodes[1].address = "x'; touch /tmp/never; '";
  for (const auto& target : catalog<Handoff>()) {
    if (target.proof == nullptr) continue;
    CAPTURE(target.name);
    const auto checked = run_process({"sh", "-n"}, target.proof(cluster.context()), Millis{10000});
    REQUIRE(checked);
    CHECK(checked->exit_status == 0);
    CHECK(checked->err.empty());
  }
  CHECK(find_in_catalog<Handoff>("hosts")->proof(cluster.context()).find("'x'\\''; touch") !=
        std::string::npos);
}

}  // namespace
}  // namespace podwright
