// Compatibility rules against their case files (tests/cases/rule).
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/files.hpp"
#include "catalog/rules/compatibility.hpp"
#include "config/config.hpp"
#include "unit/catalog/resource_case.hpp"

namespace podwright {
namespace {

namespace fs = std::filesystem;

std::string text_of(const Value& table, std::string_view key) {
  const auto* value = table.find(key);
  return value == nullptr ? std::string{} : value->scalar_text();
}

std::vector<std::string> list_of(const Value& table, std::string_view key) {
  std::vector<std::string> texts;
  if (const auto* value = table.find(key)) {
    for (const auto& item : *value->array()) texts.push_back(item.scalar_text());
  }
  return texts;
}

std::vector<Wanted> resources_of(const Value& document) {
  std::vector<Wanted> all;
  for (const auto* kind : {"package", "installer"}) {
    const auto* tables = document.find(kind);
    if (tables == nullptr) continue;
    for (const auto& table : *tables->array()) {
      Wanted wanted{.kind = kind, .name = text_of(table, "name"), .fields = *table.table(), .when = {}, .after = {},
                    .component = {}, .pos = table.pos};
      all.push_back(std::move(wanted));
    }
  }
  return all;
}

Facts facts_of(const Value& table) {
  Facts facts;
  facts.kernel = text_of(table, "kernel");
  if (const auto* packages = table.find("packages")) {
    for (const auto& [name, version] : *packages->table()) facts.packages[name] = version.scalar_text();
  }
  return facts;
}

std::vector<std::pair<std::string, Value>> cases() {
  std::vector<std::pair<std::string, Value>> all;
  for (const auto& entry : fs::directory_iterator(fs::path(PODWRIGHT_CASES) / "rule")) {
    if (entry.path().extension() != ".toml") continue;
    const auto text = read_file(entry.path());
    REQUIRE(text);
    const auto document = parse_toml(*text, entry.path().filename());
    REQUIRE_MESSAGE(document, (document ? "" : document.error().message()));
    all.emplace_back(entry.path().stem(), *document);
  }
  return all;
}

}  // namespace

TEST_CASE("compatibility rules: case files") {
  REQUIRE_FALSE(cases().empty());
  for (const auto& [name, document] : cases()) {
    CAPTURE(name);
    CHECK_FALSE(text_of(document, "summary").empty());
    const auto resources = resources_of(document);
    const auto* vars = document.find("vars");
    const auto* facts_table = document.find("facts");
    const auto facts = facts_table == nullptr ? Facts{} : facts_of(*facts_table);
    const Value::Table none;
    const auto broken = incompatibilities(
        {resources, vars == nullptr ? none : *vars->table(), facts_table == nullptr ? nullptr : &facts});
    std::vector<std::string> rules;
    for (const auto& one : broken) rules.emplace_back(one.rule);
    CHECK(rules == list_of(document, "breaks"));
    for (const auto& part : list_of(document, "says")) {
      REQUIRE_FALSE(broken.empty());
      CHECK_MESSAGE(broken.front().what.find(part) != std::string::npos, broken.front().what);
    }
  }
}

TEST_CASE("compatibility rules: each has a source, and a case that breaks it") {
  std::set<std::string> broken;
  for (const auto& [name, document] : cases()) {
    for (const auto& rule : list_of(document, "breaks")) broken.insert(rule);
  }
  std::set<std::string_view> ids;
  for (const auto& rule : compatibility_rules()) {
    CAPTURE(rule.id);
    CHECK(ids.insert(rule.id).second);
    CHECK_FALSE(rule.source.empty());
    CHECK_FALSE(rule.pairs.empty());
    // NSCQ's is Fabric Manager's rule again.
    if (rule.id != "nvidia.nscq") CHECK_MESSAGE(broken.contains(std::string(rule.id)), "no case breaks it");
  }
  for (const auto& rule : broken) CHECK_MESSAGE(ids.contains(rule), rule);
}

}  // namespace podwright
