// Every kind of resource against its case files (tests/cases/resource), and what all kinds owe.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

#include "base/digest.hpp"
#include "base/text.hpp"
#include "unit/catalog/resource_case.hpp"

namespace podwright::test {
namespace {

std::string text_at(const Value& value, std::string_view key) {
  const auto* found = value.find(key);
  return found == nullptr ? std::string{} : found->scalar_text();
}

std::vector<std::string> list_at(const Value& value, std::string_view key) {
  std::vector<std::string> texts;
  const auto* found = value.find(key);
  if (found == nullptr) return texts;
  if (found->array() == nullptr) return {found->scalar_text()};
  for (const auto& item : *found->array()) texts.push_back(item.scalar_text());
  return texts;
}

Facts managed_by(const char* packager) {
  Facts facts;
  facts.package_manager = packager;
  return facts;
}

Facts facts_of(const Value& document) {
  Facts facts;
  const auto* table = document.find("facts");
  if (table == nullptr) return facts;
  facts.package_manager = text_at(*table, "package_manager");
  if (const auto* packages = table->find("packages")) {
    for (const auto& [name, version] : *packages->table())
      facts.packages[name] = version.scalar_text();
  }
  return facts;
}

/// [observed]: out as the probe printed it; `content` stands for the digest, size and base64 of a
/// file.
Observed observed_of(const Value& document, const ResourceKind& kind, const Wanted& wanted,
                     const Facts& facts) {
  const auto* table = document.find("observed");
  if (table == nullptr) {
    const bool reads_facts = kind.known != nullptr;
    REQUIRE_MESSAGE(reads_facts, "the case has no [observed], and the kind reads no facts");
    const auto known = kind.known(wanted, facts);
    REQUIRE_MESSAGE(known, "the facts do not tell; the case needs [observed]");
    return *known;
  }
  Observed observed{.out = text_at(*table, "out"), .err = text_at(*table, "err")};
  if (const auto* status = table->find("exit")) {
    observed.exit_status = static_cast<int>(*status->integer());
  }
  observed.timed_out = text_at(*table, "timed_out") == "true";
  if (table->find("content") != nullptr) {
    const auto content = text_at(*table, "content");
    observed.out += fmt::format("size {}\ntype file\nsha256 {}\ncontent\n{}\n", content.size(),
                                sha256_hex(content), base64_encode(content));
  }
  return observed;
}

void check_step(const Step& step, const Value& expected, const Wanted& wanted) {
  CHECK(step.id == wanted.id());
  CHECK(step.action == text_at(expected, "action"));
  CHECK(step.why == text_at(expected, "why"));
  CHECK(step.reboots == (text_at(expected, "reboots") == "true"));
  for (const auto& part : list_at(expected, "diff")) {
    CHECK_MESSAGE(step.diff.find(part) != std::string::npos, "the diff lacks '" << part << "':\n"
                                                                                << step.diff);
  }
  for (const auto& part : list_at(expected, "script")) {
    CHECK_MESSAGE(step.script.find(part) != std::string::npos, "the script lacks '" << part
                                                                                    << "':\n"
                                                                                    << step.script);
  }
  for (const auto& part : list_at(expected, "not_in_script")) {
    CHECK_MESSAGE(step.script.find(part) == std::string::npos, "the script has '" << part << "':\n"
                                                                                  << step.script);
  }
  if (expected.find("batch_words") != nullptr) {
    CHECK(step.batch_words == list_at(expected, "batch_words"));
    CHECK_FALSE(step.batch.empty());
  }
  for (const auto& source : list_at(expected, "artifacts")) {
    CHECK(std::ranges::find(step.artifacts, source, &Artifact::source) != step.artifacts.end());
  }
  for (const auto& name : list_at(expected, "secrets")) {
    CHECK(std::ranges::any_of(step.secrets, [&](const auto& one) { return one.second == name; }));
  }
}

void check_case(const Value& document) {
  const auto& kind = kind_of(text_at(document, "kind"));
  const auto* fields = document.find("wanted");
  REQUIRE_MESSAGE(fields != nullptr, "a case needs [wanted]");
  const auto wanted = make_wanted(kind, *fields->table());
  const auto facts = facts_of(document);
  const auto names = list_at(document, "changing");
  const std::set<std::string> changing(names.begin(), names.end());

  const auto steps = kind.plan(wanted, observed_of(document, kind, wanted, facts),
                               {.facts = facts, .changing = changing});
  if (const auto error = text_at(document, "error"); !error.empty()) {
    REQUIRE_FALSE(steps.has_value());
    CHECK_MESSAGE(steps.error().message().find(error) != std::string::npos,
                  steps.error().message());
    CHECK(steps.error().step == wanted.id());
    return;
  }
  REQUIRE_MESSAGE(steps.has_value(), (steps ? "" : steps.error().message()));

  const auto* expected = document.find("step");
  const auto count = expected == nullptr ? 0 : expected->array()->size();
  REQUIRE_MESSAGE(steps->size() == count, (steps->empty() ? "" : steps->front().why));
  for (std::size_t i = 0; i < count; ++i) check_step((*steps)[i], (*expected->array())[i], wanted);
}

/// Syntax errors that a shell finds in a script, if any.
std::string syntax_errors(const std::string& script) {
  std::string found;
  for (const auto& shell : shells()) {
    const auto checked =
        run_sh("sh", shell + " -n <<'podwright-syntax'\n" + script + "\npodwright-syntax\n");
    if (checked.exit_status != 0) found += fmt::format("{}: {}\n", shell, checked.err);
  }
  return found;
}

}  // namespace

TEST_CASE("resources: case files") {
  REQUIRE_FALSE(resource_cases().empty());
  for (const auto& one : resource_cases()) {
    const auto name = one.file.filename().string();
    CAPTURE(name);
    CHECK(name.starts_with(text_at(one.document, "kind") + "-"));
    CHECK_FALSE(text_at(one.document, "summary").empty());
    check_case(one.document);
  }
}

TEST_CASE("resources: every kind has a summary, documented fields, and cases of both sorts") {
  std::map<std::string, std::pair<bool, bool>> cases;  // with steps, without
  for (const auto& one : resource_cases()) {
    auto& [with, without] = cases[text_at(one.document, "kind")];
    if (one.document.find("error") != nullptr) continue;
    (one.document.find("step") != nullptr ? with : without) = true;
  }
  for (const auto& kind : catalog<ResourceKind>()) {
    const std::string name(kind.table);
    CAPTURE(name);
    CHECK_FALSE(kind.summary.empty());
    const bool complete = kind.probe != nullptr && kind.plan != nullptr;
    CHECK(complete);
    CHECK(std::ranges::any_of(kind.fields,
                              [&](const Field& f) { return f.name == kind.key && f.required; }));
    std::set<std::string_view> fields;
    for (const auto& field : kind.fields) {
      CAPTURE(field.name);
      CHECK(fields.insert(field.name).second);
      CHECK_FALSE(field.doc.empty());
      // Everybody's fields are not a kind's own.
      for (const auto reserved : {"roles", "when", "after", "names"}) CHECK(field.name != reserved);
    }
    CHECK_MESSAGE(cases[name].first, "no case of " << name << " with a step");
    CHECK_MESSAGE(cases[name].second, "no case of " << name << " without a step");
  }
}

TEST_CASE("resources: probes and scripts of all cases are sh that every shell accepts") {
  for (const auto& one : resource_cases()) {
    const auto name = one.file.filename().string();
    CAPTURE(name);
    const auto& kind = kind_of(text_at(one.document, "kind"));
    const auto wanted = make_wanted(kind, *one.document.find("wanted")->table());
    const auto facts = facts_of(one.document);
    CHECK(syntax_errors(kind.probe(wanted, facts)) == "");
    if (one.document.find("error") != nullptr) continue;
    const std::set<std::string> changing;
    const auto steps = kind.plan(wanted, observed_of(one.document, kind, wanted, facts),
                                 {.facts = facts, .changing = changing});
    REQUIRE(steps);
    for (const auto& step : *steps) {
      CHECK(syntax_errors(step.script) == "");
      if (!step.batch.empty()) CHECK(syntax_errors(step.batch + " 'x'") == "");
    }
  }
}

TEST_CASE("resources: every step has a way back, or says why not") {
  // What these ask of is not on every machine that runs the tests.
  static const std::set<std::string> elsewhere = {"service", "package", "installer",
                                                   "container_image", "kernel_param"};
  std::set<std::string> checked;  // many steps have the same text
  for (const auto& one : resource_cases()) {
    const auto name = one.file.filename().string();
    CAPTURE(name);
    if (one.document.find("error") != nullptr) continue;
    const auto& kind = kind_of(text_at(one.document, "kind"));
    const auto wanted = make_wanted(kind, *one.document.find("wanted")->table());
    const auto facts = facts_of(one.document);
    const auto names = list_at(one.document, "changing");
    const std::set<std::string> changing(names.begin(), names.end());
    const auto steps = kind.plan(wanted, observed_of(one.document, kind, wanted, facts),
                                 {.facts = facts, .changing = changing});
    REQUIRE(steps);
    for (const auto& step : *steps) {
      CHECK(step.undo.possible() == step.undo.why_not.empty());
      for (const auto& path : step.undo.paths) CHECK(path.starts_with('/'));
      for (const auto& text : {step.undo.state, step.undo.restore, step.undo.finish}) {
        if (checked.insert(text).second) CHECK(syntax_errors(text) == "");
      }
      // It has to print the state also where there is nothing yet.
      if (step.undo.state.empty() || elsewhere.contains(std::string(kind.table))) continue;
      const auto printed = run_sh("sh", step.undo.state);
      CHECK_MESSAGE(printed.exit_status == 0, printed.err);
      CHECK(printed.err == "");
    }
  }
}

TEST_CASE("resources: a probe that failed is an error that names the resource, never a plan") {
  const auto facts = managed_by("apt");
  const std::set<std::string> changing;
  std::set<std::string> tried;
  for (const auto& one : resource_cases()) {
    const auto& kind = kind_of(text_at(one.document, "kind"));
    if (one.document.find("error") != nullptr) continue;
    const auto wanted = make_wanted(kind, *one.document.find("wanted")->table());
    CAPTURE(kind.table);
    const auto failed =
        kind.plan(wanted, {.exit_status = 2, .out = "", .err = "stat: Input/output error\n"},
                  {.facts = facts, .changing = changing});
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().step == wanted.id());
    CHECK(failed.error().what.find("Input/output error") != std::string::npos);
    const auto late = kind.plan(wanted, {.exit_status = 124, .out = "", .timed_out = true},
                                {.facts = facts, .changing = changing});
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().fault == Fault::timeout);
    tried.insert(std::string(kind.table));
  }
  CHECK(tried.size() == catalog<ResourceKind>().size());
}

TEST_CASE("resources: output that was cut or garbled is an error or a plan, never a crash") {
  std::mt19937 random(7);
  for (const auto& one : resource_cases()) {
    const auto name = one.file.filename().string();
    CAPTURE(name);
    const auto& kind = kind_of(text_at(one.document, "kind"));
    if (one.document.find("observed") == nullptr) continue;
    const auto wanted = make_wanted(kind, *one.document.find("wanted")->table());
    const auto facts = facts_of(one.document);
    const std::set<std::string> changing;
    const auto whole = observed_of(one.document, kind, wanted, facts);
    for (int i = 0; i < 200; ++i) {
      auto observed = whole;
      observed.out.resize(random() % (whole.out.size() + 1));
      for (int k = i % 4; k > 0 && !observed.out.empty(); --k) {
        observed.out[random() % observed.out.size()] = "\n :[]=/0Az"[random() % 10];
      }
      const auto steps = kind.plan(wanted, observed, {.facts = facts, .changing = changing});
      if (!steps) CHECK_FALSE(steps.error().what.empty());
    }
  }
}

TEST_CASE("resources: nothing printed is never taken for a file as wanted") {
  const auto facts = managed_by("apt");
  const std::set<std::string> changing;
  for (const auto& one : resource_cases()) {
    const auto name = one.file.filename().string();
    CAPTURE(name);
    // No output is how the databases of these say "there is none".
    static const std::set<std::string> databases = {"package", "user", "group"};
    const auto& kind = kind_of(text_at(one.document, "kind"));
    if (databases.contains(std::string(kind.table))) continue;
    const auto wanted = make_wanted(kind, *one.document.find("wanted")->table());
    const auto steps = kind.plan(wanted, {}, {.facts = facts, .changing = changing});
    const bool as_wanted = steps.has_value() && steps->empty();
    CHECK_FALSE(as_wanted);
  }
}

TEST_CASE("resources: on a machine that has nothing of it, every kind has something to do") {
  const std::set<std::string> changing;
  std::set<std::string> planned;
  for (const auto& one : resource_cases()) {
    const auto& kind = kind_of(text_at(one.document, "kind"));
    const auto wanted = make_wanted(kind, *one.document.find("wanted")->table());
    if (one.document.find("error") != nullptr || wanted.text("state") == "absent") continue;
    Facts facts = managed_by("apt");
    const auto steps = kind.plan(wanted, assumed_state(kind, wanted, facts),
                                 {.facts = facts, .changing = changing});
    if (steps && !steps->empty()) planned.insert(std::string(kind.table));
  }
  for (const auto& kind : catalog<ResourceKind>()) {
    // Only what other resources do asks for a reboot.
    if (kind.table == "reboot") continue;
    CHECK_MESSAGE(planned.contains(std::string(kind.table)),
                  kind.table << " cannot be planned against recorded facts: what does its probe print where "
                                "there is nothing? See ResourceKind::nothing");
  }
}

TEST_CASE("packagers: each is complete, and its texts are sh that every shell accepts") {
  for (const auto& packager : catalog<Packager>()) {
    CAPTURE(packager.id);
    CHECK_FALSE(packager.summary.empty());
    CHECK(syntax_errors(packager.query("a'b")) == "");
    for (const auto& command :
         {packager.install, packager.remove, packager.hold, packager.unhold}) {
      CHECK_FALSE(command.empty());
      CHECK(syntax_errors(command + " 'a' 'b'") == "");
    }
    CHECK(packager.versioned("a", "1").find('1') != std::string::npos);
  }
  CHECK(packager_for(managed_by("yum"))->id == "dnf");
  CHECK(packager_for(managed_by("pacman")) == nullptr);
}

}  // namespace podwright::test
