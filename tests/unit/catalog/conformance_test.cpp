// What every probe and every check of the catalog must bring.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "base/process.hpp"
#include "base/text.hpp"
#include "unit/catalog/observed_case.hpp"
#include "unit/catalog/resource_case.hpp"

namespace podwright {

namespace {

/// Every shell understands the script, and it takes no interpreter for granted.
void check_script(std::string_view script) {
  for (const auto& shell : test::shells()) {
    CAPTURE(shell);
    std::vector<std::string> command;
    for (const auto word : words(shell)) command.emplace_back(word);
    command.insert(command.end(), {"-n"});
    const auto read = run_process(command, script, Millis(10000));
    REQUIRE(read);
    CHECK_MESSAGE(read->exit_status == 0, read->err);
  }
  for (const auto* word : {"python", "perl", "bash ", "[[", "local ", " == "}) {
    CHECK_MESSAGE(script.find(word) == std::string_view::npos, word);
  }
}

}  // namespace

TEST_CASE("conformance: probes") {
  REQUIRE_FALSE(catalog<Probe>().empty());
  std::set<std::string_view> ids;
  for (const auto& probe : catalog<Probe>()) {
    CAPTURE(probe.id);
    CHECK_FALSE(probe.id.empty());
    CHECK(ids.insert(probe.id).second);
    CHECK_FALSE(probe.summary.empty());
    CHECK((probe.parse != nullptr));
    CHECK(probe.deadline.count() > 0);
    check_script(probe.script);
    const auto has_case = [&](bool good) {
      return std::ranges::any_of(test::probe_cases(), [&](const auto& one) {
        return one.text("probe") == probe.id && one.text("error").empty() == good;
      });
    };
    CHECK_MESSAGE(has_case(true), "no case file of what it reads");
    CHECK_MESSAGE(has_case(false), "no case file of what it refuses");
  }
}

TEST_CASE("conformance: checks") {
  REQUIRE_FALSE(catalog<Check>().empty());
  std::set<std::string_view> ids;
  for (const auto& check : catalog<Check>()) {
    CAPTURE(check.id);
    CHECK_FALSE(check.id.empty());
    CHECK(ids.insert(check.id).second);
    CHECK_FALSE(check.summary.empty());
    CHECK_FALSE(check.source.empty());
    CHECK((check.judge != nullptr));
    CHECK(check.deadline.count() > 0);
    CHECK_MESSAGE((!check.probe.empty() || !check.needs.empty()), "it reads nothing");
    for (const auto need : check.needs) CHECK_MESSAGE(find_in_catalog<Probe>(need) != nullptr, need);
    for (const auto& option : check.options) CHECK_FALSE(option.doc.empty());
    if (!check.probe.empty()) check_script(check.probe);
    const auto has_case = [&](std::set<std::string> statuses) {
      return std::ranges::any_of(test::check_cases(), [&](const auto& one) {
        if (one.text("check") != check.id) return false;
        return std::ranges::any_of(*one.document.find("result")->array(), [&](const Value& result) {
          return statuses.contains(result.find("status")->scalar_text());
        });
      });
    };
    CHECK_MESSAGE(has_case({"pass"}), "no case file in which it passes");
    CHECK_MESSAGE(has_case({"fail", "warn"}), "no case file in which it finds fault");
  }
}

TEST_CASE("conformance: every case file belongs to something") {
  for (const auto& one : test::probe_cases()) CHECK_MESSAGE(find_in_catalog<Probe>(one.text("probe")) != nullptr, one.name);
  for (const auto& one : test::check_cases()) CHECK_MESSAGE(find_in_catalog<Check>(one.text("check")) != nullptr, one.name);
  for (const auto* all : {&test::probe_cases(), &test::check_cases()}) {
    for (const auto& one : *all) CHECK_MESSAGE(!one.text("summary").empty(), one.name);
  }
}

}  // namespace podwright
