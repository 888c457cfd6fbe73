// The rules of the preflight: what each finds, and what each must bring.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "base/process.hpp"
#include "base/text.hpp"
#include "config/json.hpp"
#include "unit/catalog/observed_case.hpp"
#include "unit/catalog/resource_case.hpp"

namespace podwright {

TEST_CASE("preflight: cases") {
  for (const auto& one : test::preflight_cases()) {
    CAPTURE(one.name);
    const auto* rule = find_in_catalog<Preflight>(one.text("rule"));
    REQUIRE_MESSAGE(rule != nullptr, "no rule is called " << one.text("rule"));
    CHECK_FALSE(one.text("summary").empty());
    const auto* said = one.document.find("facts");
    const auto facts = test::facts_of(said == nullptr ? Json::object() : to_json(*said));
    std::vector<Step> steps;
    const auto* planned = one.document.find("steps");
    REQUIRE_MESSAGE(planned != nullptr, "steps = [\"package/x\"] are missing");
    for (const auto& step : *planned->array()) {
      const auto text = step.scalar_text();
      steps.push_back({.id = text, .action = text.starts_with("reboot/") ? "reboot" : "install", .why = {}});
      steps.back().reboots = text.starts_with("reboot/");
    }
    const auto finding = rule->judge(one.text("printed"), {facts, steps, {}});
    const auto wanted = one.text("finding");
    REQUIRE_MESSAGE((wanted.empty() || wanted == "fatal" || wanted == "warning"), wanted);
    CHECK_MESSAGE(finding.has_value() == !wanted.empty(), (finding ? finding->what : "nothing was found"));
    if (!finding || wanted.empty()) continue;
    CHECK(finding->fatal == (wanted == "fatal"));
    CHECK_MESSAGE(finding->what.find(one.text("what")) != std::string::npos, finding->what);
    CHECK_MESSAGE(finding->hint.find(one.text("hint")) != std::string::npos, finding->hint);
    CHECK_FALSE(finding->hint.empty());
  }
}

TEST_CASE("conformance: preflight") {
  REQUIRE_FALSE(catalog<Preflight>().empty());
  std::set<std::string_view> ids;
  for (const auto& rule : catalog<Preflight>()) {
    CAPTURE(rule.id);
    CHECK(ids.insert(rule.id).second);
    CHECK_FALSE(rule.summary.empty());
    CHECK_FALSE(rule.source.empty());
    REQUIRE((rule.judge != nullptr));
    const auto has_case = [&](bool finds) {
      return std::ranges::any_of(test::preflight_cases(), [&](const auto& one) {
        return one.text("rule") == rule.id && one.text("finding").empty() != finds;
      });
    };
    CHECK_MESSAGE(has_case(true), "no case file in which it finds something");
    CHECK_MESSAGE(has_case(false), "no case file in which it finds nothing");
    // Every shell runs the probe, and it prints nothing that looks like another rule's heading.
    for (const auto& shell : test::shells()) {
      CAPTURE(shell);
      std::vector<std::string> command;
      for (const auto word : words(shell)) command.emplace_back(word);
      command.emplace_back("-s");
      const auto ran = run_process(command, rule.probe, Millis(20000));
      REQUIRE(ran);
      CHECK(ran->out.find("\n[") == std::string::npos);
      CHECK(ran->err.find("yntax error") == std::string::npos);
    }
  }
}

}  // namespace podwright
