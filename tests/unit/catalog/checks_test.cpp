// Checks: every case file, every probe on this machine, and what all checks have in common.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "base/text.hpp"
#include "config/json.hpp"
#include "config/nodeset.hpp"
#include "unit/catalog/observed_case.hpp"
#include "unit/catalog/resource_case.hpp"

namespace podwright {

namespace {

const Check& check_of(const std::string& id) {
  const auto* check = find_in_catalog<Check>(id);
  REQUIRE_MESSAGE(check != nullptr, "no check is called " << id);
  return *check;
}

/// All that an Expectation refers to.
struct World {
  Value::Table options;
  Facts facts = test::facts_of(Json::object());
  Node node;
  Inventory inventory;
  Profile profile;
  std::map<NodeId, Facts> cohort;

  [[nodiscard]] Expectation expectation() const {
    return {.options = options, .facts = facts, .node = node, .inventory = inventory, .profile = profile, .cohort = cohort};
  }
};

std::vector<std::string> texts(const Value* list) {
  std::vector<std::string> all;
  if (list == nullptr) return all;
  for (const auto& item : *list->array()) all.push_back(item.scalar_text());
  return all;
}

void add_node(World& world, const std::string& name, const std::vector<std::string>& roles, const Facts& facts) {
  Node node;
  node.name = name;
  node.roles = roles;
  world.inventory.nodes.push_back(node);
  world.cohort[name] = facts;
}

World make_world(const test::ObservedCase& one) {
  World world;
  const auto& document = one.document;
  if (const auto* options = document.find("options")) world.options = *options->table();
  world.node.name = "cu01";
  world.node.roles = {"compute"};
  if (const auto* roles = document.find("roles")) world.node.roles = texts(roles);
  const auto* said = document.find("facts");
  const Json own = said == nullptr ? Json::object() : to_json(*said);
  world.facts = test::facts_of(own);
  if (const auto* probes = document.find("probes")) {
    for (const auto& [id, out] : *probes->table()) {
      const auto* probe = find_in_catalog<Probe>(id);
      REQUIRE_MESSAGE(probe != nullptr, "no probe is called " << id);
      const auto parsed = probe->parse({.exit_status = 0, .out = out.scalar_text()}, world.facts);
      REQUIRE_MESSAGE(parsed, (parsed ? "" : parsed.error().what));
    }
  }
  add_node(world, world.node.name, world.node.roles, world.facts);
  if (const auto* cohort = document.find("cohort")) {
    for (const auto& peer : *cohort->array()) {
      Json facts = own;
      if (const auto* differs = peer.find("facts")) {
        const auto other = to_json(*differs);
        for (const auto& [key, value] : other.items()) {
          if (value.is_object() && facts.contains(key)) facts[key].update(value);
          else facts[key] = value;
        }
      }
      const auto names = expand_range(peer.find("name")->scalar_text());
      REQUIRE(names);
      const auto* roles = peer.find("roles");
      for (const auto& name : *names) add_node(world, name, roles == nullptr ? world.node.roles : texts(roles), test::facts_of(facts));
    }
  }
  world.profile.fabric.transport = one.text("transport").empty() ? "tcp" : one.text("transport");
  if (const auto* resources = document.find("resource")) {
    for (const auto& resource : *resources->array()) {
      Wanted wanted;
      wanted.kind = resource.find("kind")->scalar_text();
      for (const auto& [key, value] : *resource.table()) {
        if (key == "kind") continue;
        if (key == "roles") wanted.roles = texts(&value);
        else set_value(wanted.fields, key, value);
        if (key == "name" || key == "path") wanted.name = value.scalar_text();
      }
      world.profile.resources.push_back(std::move(wanted));
    }
  }
  return world;
}

void judge_case(const test::ObservedCase& one, const Observed& observed) {
  const auto& check = check_of(one.text("check"));
  const auto world = make_world(one);
  const auto results = judge_check(check, observed, world.expectation());
  const auto* wanted = one.document.find("result");
  REQUIRE_MESSAGE(wanted != nullptr, "a case needs [[result]]");
  REQUIRE(results.size() == wanted->array()->size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto& result = results[i];
    const auto& want = (*wanted->array())[i];
    CAPTURE(result.observed);
    const auto* id = want.find("id");
    CHECK(result.id == (id == nullptr ? std::string(check.id) : id->scalar_text()));
    CHECK(to_string(result.status) == want.find("status")->scalar_text());
    for (const auto& [key, found] : {std::pair{"observed", result.observed}, {"expected", result.expected}, {"remedy", result.remedy}}) {
      const auto* text = want.find(key);
      if (text != nullptr) CHECK_MESSAGE(found.find(text->scalar_text()) != std::string::npos, std::string(key) << " is: " << found);
    }
    CHECK_FALSE(result.observed.empty());
    if (result.status != CheckStatus::skip) CHECK_FALSE(result.expected.empty());
    const bool trouble = result.status == CheckStatus::fail || result.status == CheckStatus::warn || result.status == CheckStatus::error;
    CHECK(trouble == !result.remedy.empty());
  }
}

}  // namespace

TEST_CASE("checks: a diagnosis runs at the level that the profile asks for, with its deadline") {
  const auto* dcgm = find_in_catalog<Check>("nv.dcgm");
  REQUIRE(dcgm != nullptr);
  CHECK(probe_text(*dcgm, {}).starts_with("level=\ndeadline=120\n"));
  const Value::Table third = {{"level", Value(std::int64_t{3})}};
  CHECK(probe_text(*dcgm, third).starts_with("level=3\ndeadline=3600\n"));
  CHECK(probe_deadline(*dcgm, third) == std::chrono::hours(1));
  const auto* use = find_in_catalog<Check>("fs.use");
  REQUIRE(use != nullptr);
  CHECK(probe_text(*use, third) == use->probe);
  CHECK(probe_deadline(*use, third) == use->deadline);
}

TEST_CASE("checks: every case file is judged as it says") {
  REQUIRE_FALSE(test::check_cases().empty());
  for (const auto& one : test::check_cases()) {
    SUBCASE(one.name.c_str()) {
      const auto tree = one.text("tree");
      if (tree.empty()) {
        judge_case(one, one.observed());
        continue;
      }
      for (const auto& shell : test::shells()) {
        CAPTURE(shell);
        judge_case(one, test::run_on_tree(shell, check_of(one.text("check")).probe, tree));
      }
    }
  }
}

TEST_CASE("checks: every probe runs on this machine, in every shell, and is judged") {
  World world;
  world.node.name = "here";
  world.node.roles = {"compute"};
  for (const auto& probe : catalog<Probe>()) {
    const auto parsed = probe.parse(test::run_sh("sh", std::string(probe.script)), world.facts);
    if (!parsed) world.facts.missing[std::string(probe.id)] = parsed.error().what;
  }
  add_node(world, "here", {"compute"}, world.facts);
  for (const auto& shell : test::shells()) {
    for (const auto& check : catalog<Check>()) {
      CAPTURE(shell);
      CAPTURE(check.id);
      Observed observed;
      if (!check.probe.empty()) {
        observed = test::run_sh(shell, std::string(check.probe));
        CHECK(observed.exit_status == 0);
        CHECK(observed.err == "");
      }
      for (const auto& result : judge_check(check, observed, world.expectation())) {
        CAPTURE(result.observed);
        CHECK_FALSE(result.observed.empty());
      }
    }
  }
}

// Whatever a node prints, a check comes to a verdict, and says why.
TEST_CASE("checks: no output brings a judge down") {
  std::mt19937 random(20260131);
  const auto dice = [&](std::size_t sides) { return std::uniform_int_distribution<std::size_t>(0, sides - 1)(random); };
  for (const auto& one : test::check_cases()) {
    const auto& check = check_of(one.text("check"));
    const auto seed = one.text("out");
    if (check.probe.empty() || seed.empty()) continue;
    const auto world = make_world(one);
    for (int round = 0; round < 100; ++round) {
      std::string text = seed;
      for (std::size_t change = dice(5); change > 0 && !text.empty(); --change) {
        const auto at = dice(text.size());
        switch (dice(5)) {
          case 0: text[at] = static_cast<char>(dice(256)); break;
          case 1: text.erase(at, dice(30)); break;
          case 2: text.insert(at, "99999999999999999999"); break;
          case 3: text.insert(at, std::vector<std::string>{"nan", "-inf", "\t", "\n", "=", ","}[dice(6)]); break;
          default: text.resize(at); break;
        }
      }
      CAPTURE(one.name);
      CAPTURE(text);
      for (const auto& result : judge_check(check, {.exit_status = 0, .out = text}, world.expectation())) {
        CHECK_FALSE(result.id.empty());
        CHECK_FALSE(result.observed.empty());
      }
    }
  }
}

TEST_CASE("checks: what is about hardware skips without it, though nothing was read") {
  const World world;
  for (const auto& check : catalog<Check>()) {
    if (check.hardware.empty()) continue;
    CAPTURE(check.id);
    CHECK_FALSE(check.probe.empty());
    CHECK_FALSE(concerns(check, world.facts));
    const auto results = judge_check(check, {}, world.expectation());
    REQUIRE(results.size() == 1);
    CHECK(results[0].status == CheckStatus::skip);
  }
}

TEST_CASE("checks: nothing fails open") {
  const World world;
  for (const auto& check : catalog<Check>()) {
    CAPTURE(check.id);
    const auto status_of = [&](const Observed& observed, const Expectation& expectation) {
      const auto results = judge_check(check, observed, expectation);
      REQUIRE(results.size() == 1);
      CHECK_FALSE(results[0].remedy.empty());
      return results[0].status;
    };
    // An option that does not exist, and one of a wrong type.
    auto other = world;
    other.options = {{"no_such_option", Value(std::string("x"))}};
    CHECK(status_of({}, other.expectation()) == CheckStatus::error);
    if (!check.options.empty()) {
      other.options = {{std::string(check.options[0].name), Value(Value::Table{})}};
      CHECK(status_of({}, other.expectation()) == CheckStatus::error);
    }
    // Facts that could not be read.
    for (const auto need : check.needs) {
      REQUIRE_MESSAGE(find_in_catalog<Probe>(need) != nullptr, need);
      auto blind = world;
      blind.facts.missing[std::string(need)] = "did not finish in time";
      CHECK(status_of({.exit_status = 0, .out = "end\n"}, blind.expectation()) == CheckStatus::error);
    }
    // A probe that hangs, fails, or says nothing.
    if (check.probe.empty()) continue;
    CHECK(status_of({.exit_status = 124, .out = "", .timed_out = true}, world.expectation()) == CheckStatus::error);
    CHECK(status_of({.exit_status = 2, .out = "", .err = "sh: broken\n"}, world.expectation()) == CheckStatus::error);
    for (const auto& result : judge_check(check, {.exit_status = 0, .out = ""}, world.expectation())) {
      CHECK_MESSAGE((result.status == CheckStatus::error || result.status == CheckStatus::skip), result.observed);
    }
  }
}

}  // namespace podwright
