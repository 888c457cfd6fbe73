#include "engine/planner.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "base/files.hpp"
#include "base/text.hpp"
#include "engine/apply.hpp"
#include "engine/preflight.hpp"
#include "engine/stage_script.hpp"
#include "support/local_nodes.hpp"

using namespace podwright;
namespace fs = std::filesystem;

namespace {

/// A folder of its own for a test's state and the files that it manages.
struct Scratch {
  fs::path path = fs::temp_directory_path() / ("podwright-engine-" + random_hex(6));
  Scratch() { fs::create_directories(path); }
  ~Scratch() { fs::remove_all(path); }
};

Value text(const std::string& content) { return Value(Value::Data(content)); }

Node node(const std::string& name, const std::string& role) {
  Node one;
  one.name = name;
  one.address = "192.0.2.1";
  one.roles = {role};
  return one;
}

Inventory cluster(const fs::path& state) {
  Inventory inventory;
  inventory.name = "test";
  inventory.state_dir = state.string();
  inventory.nodes = {node("head", "head"), node("cu01", "compute"), node("cu02", "compute")};
  return inventory;
}

Wanted file(const fs::path& path, const std::string& content, std::vector<std::string> roles = {"all"}) {
  Wanted wanted;
  wanted.kind = "file";
  wanted.name = path.string();
  wanted.component = "test";
  wanted.roles = std::move(roles);
  set_value(wanted.fields, "path", text(path.string()));
  set_value(wanted.fields, "content", text(content));
  return wanted;
}

Facts facts(const std::string& name) {
  Facts one;
  one.node = name;
  one.hostname = name;
  one.os = {.id = "debian", .version = "12", .codename = "bookworm", .name = "Debian 12"};
  one.arch = "x86_64";
  one.package_manager = "apt";
  one.cpu.logical = 2;
  one.memory_bytes = 4ULL << 30U;
  return one;
}

std::map<NodeId, Facts> all_facts(const Inventory& inventory) {
  std::map<NodeId, Facts> all;
  for (const auto& one : inventory.nodes) all[one.name] = facts(one.name);
  return all;
}

/// A bench for the engine: everything that a run needs, with nodes that are this machine.
struct Bench {
  Scratch scratch;
  Inventory inventory = cluster(scratch.path / "state");
  testing::LocalNodes nodes;
  events::Bus bus;
  SecretStore secrets{scratch.path / "state/secrets"};
  Profile profile;
  std::map<NodeId, Facts> facts = all_facts(inventory);

  Site site() { return {inventory, inventory.names(), nodes, bus}; }

  Result<Planned> plan(const std::map<NodeId, Error>& failed = {}) {
    auto here = site();
    auto known = facts;
    for (const auto& [name, error] : failed) known.erase(name);
    auto wanted = resolve(inventory, profile, known, {facts, {}, {}});
    if (!wanted) return fail(wanted.error());
    std::map<NodeId, ObservedNode> seen;
    for (auto& [name, result] : observe(here, *wanted, known)) {
      if (!result) return fail(result.error());
      seen.emplace(name, *result);
    }
    auto plan = make_plan(inventory, profile, *wanted, seen, known, failed);
    if (!plan) return fail(plan.error());
    return Planned{*plan, *wanted, known};
  }

  Applied apply(const Planned& planned) {
    auto here = site();
    const auto folder = RunFolder::create(inventory.state_dir, "apply");
    REQUIRE(folder);
    return apply_plan(here, planned, secrets, *folder);
  }
};

}  // namespace

TEST_CASE("apply twice: the second plan is empty") {
  Bench bench;
  bench.profile.resources = {file(bench.scratch.path / "{{node.name}}.conf", "name={{node.name}}\n"),
                             file(bench.scratch.path / "{{node.name}}.list",
                                  "{{#nodes}}{{name}} {{/nodes}}\n")};
  const auto planned = bench.plan();
  REQUIRE(planned);
  CHECK(planned->plan.step_count() == 6);
  CHECK(planned->plan.stages == 1);
  const auto applied = bench.apply(*planned);
  for (const auto& [name, one] : applied.nodes) {
    CHECK_MESSAGE(one.status == NodeStatus::ok, name << ": " << one.error);
    CHECK(one.changed.size() == 2);
  }
  CHECK(read_file(bench.scratch.path / "cu01.conf") == "name=cu01\n");
  CHECK(read_file(bench.scratch.path / "cu02.list") == "head cu01 cu02 \n");
  const auto again = bench.plan();
  REQUIRE(again);
  CHECK(again->plan.step_count() == 0);
  CHECK(again->plan.stages == 0);
}

TEST_CASE("a drifted file is planned with its difference, and nothing else") {
  Bench bench;
  bench.profile.resources = {file(bench.scratch.path / "{{node.name}}.a", "one\ntwo\n"),
                             file(bench.scratch.path / "{{node.name}}.b", "x\n")};
  bench.apply(*bench.plan());
  REQUIRE(write_file(bench.scratch.path / "cu02.a", "one\nTWO\n"));
  const auto planned = bench.plan();
  REQUIRE(planned);
  CHECK(planned->plan.step_count() == 1);
  const auto& step = planned->plan.nodes.at("cu02").steps.at(0);
  CHECK(step.id == "file/" + (bench.scratch.path / "cu02.a").string());
  CHECK(step.diff.find("-TWO\n+two\n") != std::string::npos);
}

TEST_CASE("roles and conditions select, and a wrong condition names its place") {
  Bench bench;
  auto only_head = file(bench.scratch.path / "{{node.name}}.h", "x", {"head"});
  auto conditional = file(bench.scratch.path / "{{node.name}}.c", "x");
  conditional.when = "node.name == 'cu01'";
  bench.profile.resources = {only_head, conditional};
  const auto planned = bench.plan();
  REQUIRE(planned);
  CHECK(planned->plan.nodes.at("head").steps.size() == 1);
  CHECK(planned->plan.nodes.at("cu01").steps.size() == 1);
  CHECK(planned->plan.nodes.at("cu02").steps.empty());
  bench.profile.resources[1].when = "gpuu.count > 0";
  bench.profile.resources[1].pos = {"profile.toml", 7, 1};
  const auto wrong = bench.plan();
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().what.find("profile.toml:7") != std::string::npos);
}

TEST_CASE("after across roles is a barrier, and only where there is work before it") {
  Bench bench;
  auto first = file(bench.scratch.path / "{{node.name}}.1", "x");
  auto server = file(bench.scratch.path / "server", "x", {"head"});
  auto client = file(bench.scratch.path / "{{node.name}}.client", "x", {"compute"});
  client.after = {{.role = "head", .resource = server.id(), .pos = {}}};
  auto last = file(bench.scratch.path / "{{node.name}}.last", "x", {"compute"});
  bench.profile.resources = {first, server, client, last};
  const auto planned = bench.plan();
  REQUIRE(planned);
  CHECK(planned->plan.stages == 2);
  const auto& steps = planned->plan.nodes.at("cu01").steps;
  REQUIRE(steps.size() == 3);
  CHECK(steps[0].stage == 0);
  CHECK(steps[1].stage == 1);
  CHECK(steps[2].stage == 1);
  CHECK(steps[1].waits_for == std::vector<NodeId>{"head"});
  CHECK(steps[0].waits_for.empty());
  bench.apply(*planned);
  fs::remove(bench.scratch.path / "cu01.client");
  const auto again = bench.plan();
  REQUIRE(again);
  CHECK(again->plan.stages == 1);
  CHECK(again->plan.step_count() == 1);
}

TEST_CASE("after within a node overrules the order of the document") {
  Bench bench;
  auto early = file(bench.scratch.path / "{{node.name}}.early", "x");
  auto late = file(bench.scratch.path / "late", "x");
  early.after = {{.role = "", .resource = late.id(), .pos = {}}};
  bench.profile.resources = {early, late};
  const auto planned = bench.plan();
  REQUIRE(planned);
  const auto& steps = planned->plan.nodes.at("cu01").steps;
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].id == late.id());
}

TEST_CASE("a failed head holds what waits for it, and the rest goes on") {
  Bench bench;
  bench.inventory.quorum = 0;
  auto first = file(bench.scratch.path / "{{node.name}}.1", "x");
  auto server = file(bench.scratch.path / "no/such/folder/server", "x", {"head"});
  auto client = file(bench.scratch.path / "{{node.name}}.client", "x", {"compute"});
  client.after = {{.role = "head", .resource = server.id(), .pos = {}}};
  bench.profile.resources = {first, server, client};
  const auto applied = bench.apply(*bench.plan());
  CHECK(applied.nodes.at("head").status == NodeStatus::failed);
  CHECK(applied.nodes.at("head").failed_step == server.id());
  CHECK(applied.nodes.at("cu01").status == NodeStatus::quarantined);
  CHECK(applied.nodes.at("cu01").error.find("waits for head") != std::string::npos);
  CHECK(applied.nodes.at("cu01").changed.size() == 1);
  CHECK_FALSE(fs::exists(bench.scratch.path / "cu01.client"));

  // The same when the head could not even be planned.
  const auto planned = bench.plan({{"head", {.fault = Fault::unreachable, .what = "no route"}}});
  REQUIRE(planned);
  const auto without = bench.apply(*planned);
  CHECK(without.nodes.at("head").status == NodeStatus::unreachable);
  CHECK(without.nodes.at("cu02").status == NodeStatus::quarantined);
}

TEST_CASE("below the quorum no further stage begins") {
  Bench bench;
  bench.inventory.quorum = 0.9;
  auto first = file(bench.scratch.path / "no/such/{{node.name}}", "x");
  first.when = "node.name == 'cu01'";
  auto server = file(bench.scratch.path / "server", "x", {"head"});
  auto client = file(bench.scratch.path / "{{node.name}}.client", "x", {"compute"});
  client.after = {{.role = "head", .resource = server.id(), .pos = {}}};
  bench.profile.resources = {first, server, client};
  const auto applied = bench.apply(*bench.plan());
  CHECK(applied.nodes.at("cu01").status == NodeStatus::failed);
  CHECK(applied.nodes.at("cu02").status == NodeStatus::quarantined);
  CHECK(applied.nodes.at("cu02").error.find("90 %") != std::string::npos);
  CHECK(applied.nodes.at("head").status == NodeStatus::ok);
}

TEST_CASE("below the quorum from the start nothing begins") {
  Bench bench;
  bench.inventory.quorum = 0.7;
  bench.profile.resources = {file(bench.scratch.path / "{{node.name}}.a", "x\n")};
  const auto planned = bench.plan({{"head", {.fault = Fault::unreachable, .what = "no route"}}});
  REQUIRE(planned);
  const auto applied = bench.apply(*planned);
  CHECK(applied.nodes.at("head").status == NodeStatus::unreachable);
  CHECK(applied.nodes.at("cu01").status == NodeStatus::quarantined);
  CHECK(applied.nodes.at("cu01").error.find("not begun") != std::string::npos);
  CHECK_FALSE(fs::exists(bench.scratch.path / "cu01.a"));

  bench.inventory.quorum = 0.6;
  CHECK(bench.apply(*planned).nodes.at("cu01").status == NodeStatus::ok);
}

TEST_CASE("a step that succeeds without an effect is a failure") {
  Bench bench;
  Wanted command;
  command.kind = "command";
  command.name = "pretend";
  set_value(command.fields, "name", text(std::string("pretend")));
  set_value(command.fields, "run", text(std::string("true")));
  set_value(command.fields, "creates", text((bench.scratch.path / "never").string()));
  bench.profile.resources = {command};
  const auto applied = bench.apply(*bench.plan());
  CHECK(applied.nodes.at("cu01").status == NodeStatus::failed);
  CHECK(applied.nodes.at("cu01").error.find("afterwards") != std::string::npos);
}

TEST_CASE("a lost node is unreachable, the others are done") {
  Bench bench;
  bench.profile.resources = {file(bench.scratch.path / "{{node.name}}.a", "x")};
  const auto planned = bench.plan();
  REQUIRE(planned);
  bench.nodes.broken["cu01"] = {.fault = Fault::unreachable, .what = "connection lost"};
  const auto applied = bench.apply(*planned);
  CHECK(applied.nodes.at("cu01").status == NodeStatus::unreachable);
  CHECK(applied.nodes.at("cu02").status == NodeStatus::ok);
  CHECK(fs::exists(bench.scratch.path / "cu02.a"));
}

TEST_CASE("a saved plan is stale as soon as a node has changed") {
  Bench bench;
  bench.profile.resources = {file(bench.scratch.path / "{{node.name}}.a", "x\n"),
                             file(bench.scratch.path / "{{node.name}}.b", "x\n")};
  const auto saved = bench.plan();
  REQUIRE(saved);
  CHECK(stale_nodes(saved->plan, bench.plan()->plan).empty());
  CHECK(saved->plan.digest == bench.plan()->plan.digest);
  REQUIRE(write_file(bench.scratch.path / "cu01.a", "x\n"));
  const auto stale = stale_nodes(saved->plan, bench.plan()->plan);
  REQUIRE(stale.size() == 1);
  CHECK(stale.at("cu01").find("cu01.a needs nothing any more") != std::string::npos);
  CHECK(saved->plan.digest != bench.plan()->plan.digest);
}

TEST_CASE("a stale plan says what became of each step") {
  Bench bench;
  bench.profile.resources = {file(bench.scratch.path / "{{node.name}}.a", "x\n"),
                             file(bench.scratch.path / "{{node.name}}.b", "x\n")};
  REQUIRE(write_file(bench.scratch.path / "cu01.a", "one\n"));
  REQUIRE(write_file(bench.scratch.path / "cu01.b", "x\n"));
  const auto saved = bench.plan();
  REQUIRE(saved);
  REQUIRE(write_file(bench.scratch.path / "cu01.a", "two\n"));
  fs::remove(bench.scratch.path / "cu01.b");
  const auto why = stale_nodes(saved->plan, bench.plan()->plan).at("cu01");
  CHECK_MESSAGE(why.find("cu01.a: what it changes differs again") != std::string::npos, why);
  CHECK_MESSAGE(why.find("cu01.b has changed since: ") != std::string::npos, why);
}

TEST_CASE("what follows a reboot waits for it, on its node and behind barriers") {
  Bench bench;
  Wanted reboot;
  reboot.kind = "reboot";
  reboot.name = "driver";
  reboot.roles = {"compute"};
  set_value(reboot.fields, "name", text(std::string("driver")));
  const auto first = (bench.scratch.path / "cu01.a").string();
  set_value(reboot.fields, "on", Value(Value::Array{text("file/" + first)}));
  auto behind = file(bench.scratch.path / "head.c", "x\n", {"head"});
  behind.after = {{.role = "compute", .resource = "reboot/driver", .pos = {}}};
  bench.profile.resources = {file(bench.scratch.path / "{{node.name}}.a", "x\n", {"compute"}), reboot,
                             file(bench.scratch.path / "{{node.name}}.b", "x\n", {"compute"}), behind};
  const auto planned = bench.plan();
  REQUIRE(planned);
  const auto stage = [&](const NodeId& node, std::size_t step) {
    return planned->plan.nodes.at(node).steps.at(step).stage;
  };
  REQUIRE(planned->plan.nodes.at("cu01").steps.size() == 3);
  CHECK(planned->plan.nodes.at("cu01").steps[1].only_reboots());
  CHECK(stage("cu01", 0) == 0);
  CHECK(stage("cu01", 1) == 0);
  CHECK(stage("cu01", 2) == 1);
  CHECK(stage("head", 0) == 1);
  // cu02's file is another one: nothing there asks for a reboot, unless this very machine does.
  CHECK(planned->plan.reboot_count() >= 1);
  const auto script = stage_script(*planned, "cu01", 0, nullptr, "M");
  REQUIRE(script);
  CHECK(script->script.text().find("/var/lib/podwright/reboot-owed") != std::string::npos);
}

TEST_CASE("a node that its preflight finds unfit, or knows nothing of, is not planned") {
  Bench bench;
  bench.profile.resources = {file(bench.scratch.path / "{{node.name}}.a", "x\n")};
  bench.facts["cu01"].clock_epoch = 1e9;
  bench.facts["cu01"].time_offset_seconds = 4000;
  const auto planned = bench.plan();
  REQUIRE(planned);
  REQUIRE(planned->plan.failed.contains("cu01"));
  CHECK(planned->plan.failed.at("cu01").what.find("clock is 4000 s ahead") != std::string::npos);
  CHECK(planned->plan.nodes.contains("cu02"));
  const auto findings = judge_preflight("\n", {bench.facts["cu02"], {}, {}});
  REQUIRE_FALSE(findings.empty());
  CHECK(findings.front().fatal);
  CHECK(findings.front().what.find("had no answer") != std::string::npos);
  // One that has nothing to do is left in peace.
  REQUIRE(write_file(bench.scratch.path / "cu01.a", "x\n"));
  CHECK_FALSE(bench.plan()->plan.failed.contains("cu01"));
}

TEST_CASE("batches are numbers or shares") {
  CHECK(parse_batch("4")->of(100) == 4);
  CHECK(parse_batch("10%")->of(64) == 7);
  CHECK(parse_batch("1%")->of(3) == 1);
  CHECK(Batch{}.of(64) == 64);
  for (const auto* wrong : {"", "0", "-1", "0%", "101%", "x", "nan%"}) CHECK_FALSE(parse_batch(wrong));
}

TEST_CASE("observing takes one execution a node") {
  Bench bench;
  for (int i = 0; i < 60; ++i) {
    bench.profile.resources.push_back(file(bench.scratch.path / ("{{node.name}}." + std::to_string(i)), "x"));
  }
  REQUIRE(bench.plan());
  CHECK(bench.nodes.executions.at("cu01") == 1);
}

TEST_CASE("a secret reaches the node, and is in no plan, script or journal") {
  Bench bench;
  Wanted secret;
  secret.kind = "secret";
  secret.name = (bench.scratch.path / "{{node.name}}.key").string();
  set_value(secret.fields, "path", text(secret.name));
  set_value(secret.fields, "name", text(std::string("the-key")));
  bench.profile.resources = {secret};
  const auto planned = bench.plan();
  REQUIRE(planned);
  const auto shown = stage_script(*planned, "cu01", 0, nullptr, "M");
  REQUIRE(shown);
  const auto applied = bench.apply(*planned);
  CHECK_MESSAGE(applied.nodes.at("cu01").status == NodeStatus::ok, applied.nodes.at("cu01").error);
  const auto bytes = read_file(bench.scratch.path / "state/secrets/the-key");
  REQUIRE(bytes);
  CHECK(bytes->size() == 1024);
  CHECK(read_file(bench.scratch.path / "cu01.key") == *bytes);
  CHECK(read_file(bench.scratch.path / "cu02.key") == *bytes);
  for (const auto& entry : fs::recursive_directory_iterator(bench.scratch.path / "state/runs")) {
    if (!entry.is_regular_file()) continue;
    CHECK(read_file(entry.path())->find(bytes->substr(0, 16)) == std::string::npos);
  }
}

TEST_CASE("a profile for another system is refused, by node") {
  Bench bench;
  bench.profile.requires_os = {"debian 12", "ubuntu 22.04"};
  bench.profile.name = "p";
  CHECK(unsuitable(bench.profile, bench.facts).empty());
  bench.facts["cu01"].os.version = "13";
  const auto unfit = unsuitable(bench.profile, bench.facts);
  REQUIRE(unfit.size() == 1);
  CHECK(unfit.at("cu01").what.find("debian 13") != std::string::npos);
}
