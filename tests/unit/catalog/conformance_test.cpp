// What every probe and every check of the catalog must bring.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
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

// A probe runs once for all checks that name it alike, and a snapshot keeps it under that name.
TEST_CASE("conformance: a probe's name stands for one script, and for one thing in a snapshot") {
  std::map<std::string_view, const Check*> by_name;
  for (const auto& check : catalog<Check>()) {
    if (check.probe.empty()) {
      CHECK_MESSAGE(check.reads.empty(), check.id);
      continue;
    }
    CHECK_MESSAGE(find_in_catalog<Probe>(probe_name(check)) == nullptr, check.id);
    const auto [first, fresh] = by_name.emplace(probe_name(check), &check);
    if (fresh) continue;
    CHECK_MESSAGE(first->second->probe == check.probe, check.id);
    CHECK_MESSAGE(first->second->deadline == check.deadline, check.id);
  }
}

TEST_CASE("conformance: every case file belongs to something") {
  for (const auto& one : test::probe_cases()) CHECK_MESSAGE(find_in_catalog<Probe>(one.text("probe")) != nullptr, one.name);
  for (const auto& one : test::check_cases()) CHECK_MESSAGE(find_in_catalog<Check>(one.text("check")) != nullptr, one.name);
  for (const auto* all : {&test::probe_cases(), &test::check_cases()}) {
    for (const auto& one : *all) CHECK_MESSAGE(!one.text("summary").empty(), one.name);
  }
}

TEST_CASE("conformance: the kinds of resource that an administrator expects") {
  for (const auto* name :
       {"package", "repo", "file", "directory", "symlink", "line", "archive", "installer", "command", "service", "unit",
        "user", "group", "authorized_key", "mount", "nfs_export", "sysctl", "limit", "kernel_module", "kernel_param",
        "hosts", "hostname", "timezone", "swap", "container_image", "secret", "reboot"}) {
    const bool there = find_in_catalog<ResourceKind>(name) != nullptr;
    CHECK_MESSAGE(there, name);
  }
}

TEST_CASE("conformance: every packager knows repositories, and brings what it says") {
  for (const auto& packager : catalog<Packager>()) {
    CAPTURE(packager.id);
    REQUIRE((packager.repo != nullptr));
    CHECK_FALSE(packager.try_repo.empty());
    const auto files = packager.repo(test::make_wanted(
        "repo", "name = 'x'\nuris = ['https://example.org/x']\nsuites = ['s']\nbaseurl = ['https://example.org/x']\n"
                "key = 'k'\noptions = ['By-Hash: no', 'timeout=10']\n"));
    REQUIRE(files);
    CHECK(files->path.find("x") != std::string::npos);
    CHECK(files->content.find("https://example.org/x") != std::string::npos);
    CHECK(files->content.find(files->key_path) != std::string::npos);
    const bool one_option = (files->content.find("By-Hash: no") != std::string::npos) !=
                            (files->content.find("timeout=10") != std::string::npos);
    CHECK(one_option);
  }
}

}  // namespace podwright
