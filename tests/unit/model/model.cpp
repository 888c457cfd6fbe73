#include <doctest/doctest.h>

#include <stdexcept>

#include "model/node.hpp"
#include "model/profile.hpp"
#include "model/report.hpp"

using namespace podwright;

namespace {

Value text(std::string words) { return Value(std::move(words)); }
Value whole(std::int64_t number) { return Value(number); }

}  // namespace

TEST_CASE("a place prints as much as is known of it") {
  CHECK(SourcePos{"cluster.toml", 12, 3}.str() == "cluster.toml:12:3");
  CHECK(SourcePos{"cluster.toml", 12, 0}.str() == "cluster.toml:12");
  CHECK(SourcePos{"--set a=b", 0, 0}.str() == "--set a=b");
}

TEST_CASE("values tell their type and print as templates print them") {
  CHECK(text("x").scalar_text() == "x");
  CHECK(whole(-3).scalar_text() == "-3");
  CHECK(Value(true).scalar_text() == "true");
  CHECK(Value(2.5).scalar_text() == "2.5");
  CHECK(Value(3.0).scalar_text() == "3");
  CHECK(Value(Value::Array{text("x")}).scalar_text().empty());
  CHECK(Value().type_name() == "nothing");
  CHECK(Value(true).type_name() == "a boolean");
  CHECK(whole(1).type_name() == "an integer");
  CHECK(Value(1.5).type_name() == "a number");
  CHECK(text("").type_name() == "a string");
  CHECK(Value(Value::Array{}).type_name() == "an array");
  CHECK(Value(Value::Table{}).type_name() == "a table");
  CHECK(whole(2).number() == 2.0);
  CHECK(Value(0.5).number() == 0.5);
  CHECK_FALSE(text("2").number().has_value());
}

TEST_CASE("a table keeps its order; setting a key replaces it where it stands") {
  Value::Table table = {{"z", whole(1)}, {"a", whole(2)}};
  set_value(table, "z", whole(3));
  set_value(table, "m", whole(4));
  REQUIRE(table.size() == 3);
  CHECK(table[0].first == "z");
  CHECK(*table[0].second.integer() == 3);
  CHECK(table[2].first == "m");
  CHECK(find_value(table, "b") == nullptr);
  CHECK(Value(table).find("m") != nullptr);
  CHECK(whole(1).find("m") == nullptr);
}

TEST_CASE("everybody has the role all") {
  Inventory inventory;
  inventory.nodes.resize(2);
  inventory.nodes[0].name = "head";
  inventory.nodes[0].roles = {"head"};
  inventory.nodes[1].name = "cu01";
  CHECK(inventory.with_role("all").size() == 2);
  CHECK(inventory.with_role("head").size() == 1);
  CHECK(inventory.with_role("login").empty());
  CHECK(inventory.names() == std::vector<std::string>{"head", "cu01"});
  CHECK(inventory.find("cu01") == &inventory.nodes[1]);
  CHECK(inventory.find("cu02") == nullptr);
}

TEST_CASE("a resource's fields are read by type, also after a template was rendered") {
  Wanted wanted;
  wanted.kind = "file";
  wanted.name = "/etc/x";
  wanted.fields = {
      {"text", text("words")},        {"number", whole(7)},
      {"rendered", text("42")},       {"yes", Value(true)},
      {"rendered_no", text("false")}, {"list", Value(Value::Array{text("a"), whole(2)})}};
  CHECK(wanted.id() == "file//etc/x");
  CHECK(wanted.text("text") == "words");
  CHECK(wanted.text("absent", "otherwise") == "otherwise");
  CHECK(wanted.text("number") == "7");
  CHECK(wanted.integer("number", 0) == 7);
  CHECK(wanted.integer("rendered", 0) == 42);
  CHECK(wanted.integer("absent", 5) == 5);
  CHECK(wanted.flag("yes", false));
  CHECK_FALSE(wanted.flag("rendered_no", true));
  CHECK(wanted.flag("absent", true));
  CHECK(wanted.list("list") == std::vector<std::string>{"a", "2"});
  CHECK(wanted.list("text") == std::vector<std::string>{"words"});
  CHECK(wanted.list("absent").empty());
  CHECK(wanted.has("yes"));
  CHECK_FALSE(wanted.has("absent"));
  CHECK_THROWS_AS((void)wanted.integer("text", 0), std::logic_error);
  CHECK_THROWS_AS((void)wanted.flag("text", false), std::logic_error);
  CHECK_THROWS_AS((void)wanted.text("list"), std::logic_error);
}

TEST_CASE("plans count their steps and reboots") {
  Plan plan;
  plan.nodes["a"].steps.resize(2);
  plan.nodes["b"].steps.resize(1);
  plan.nodes["b"].steps[0].reboots = true;
  CHECK(plan.step_count() == 3);
  CHECK(plan.reboot_count() == 1);
}

TEST_CASE("checks pass without a fail or an error, and never when nothing was checked") {
  CheckReport report;
  CHECK_FALSE(report.pass());
  auto& checks = report.nodes["a"].checks;
  checks.push_back({.id = "x", .status = CheckStatus::pass, .observed = "", .expected = ""});
  checks.push_back({.id = "y", .status = CheckStatus::warn, .observed = "", .expected = ""});
  checks.push_back({.id = "z", .status = CheckStatus::skip, .observed = "", .expected = ""});
  CHECK(report.pass());
  checks[1].status = CheckStatus::error;
  CHECK_FALSE(report.pass());
  checks[1].status = CheckStatus::fail;
  CHECK_FALSE(report.pass());
  checks[1].status = CheckStatus::pass;
  report.nodes["b"].error = "no answer";
  CHECK_FALSE(report.pass());
}

TEST_CASE("a hand-off passes when every target and every proof does") {
  HandoffReport report;
  CHECK_FALSE(report.pass());
  report.targets.push_back({.name = "slurm", .status = "ok", .files = {}});
  CHECK(report.pass());
  report.proofs.push_back({.name = "srun", .pass = false, .summary = "", .command = ""});
  CHECK_FALSE(report.pass());
  report.proofs[0].pass = true;
  CHECK(report.pass());
  report.targets[0].status = "failed";
  CHECK_FALSE(report.pass());
}

TEST_CASE("a report passes when every part does and the nodes left behind are quarantined") {
  Report report;
  CHECK_FALSE(report.pass());
  report.applied = Applied{.run = "r", .nodes = {{"a", {}}}};
  CHECK(report.pass());
  report.unreachable["b"] = Error{.what = "no answer"};
  CHECK_FALSE(report.pass());
  report.applied->nodes["b"].status = NodeStatus::quarantined;
  CHECK(report.pass());
  report.applied->nodes["c"].status = NodeStatus::failed;
  CHECK_FALSE(report.pass());
  report.applied->nodes.erase("c");
  report.fabric.emplace();
  CHECK_FALSE(report.pass());
  report.fabric->verdict.pass = true;
  CHECK(report.pass());
  report.checks.emplace();
  CHECK_FALSE(report.pass());
}

TEST_CASE("statuses have the words of the command line's contract") {
  CHECK(to_string(NodeStatus::quarantined) == "quarantined");
  CHECK(to_string(NodeStatus::unreachable) == "unreachable");
  CHECK(to_string(Verdict::slow) == "slow");
  CHECK(to_string(CheckStatus::error) == "error");
}
