// Probes: every case file, every script on this machine, and hostile outputs.
#include <doctest/doctest.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "base/text.hpp"
#include "config/json.hpp"
#include "unit/catalog/observed_case.hpp"
#include "unit/catalog/resource_case.hpp"

namespace podwright {

namespace {

const Probe& probe_of(const std::string& id) {
  const auto* probe = find_in_catalog<Probe>(id);
  REQUIRE_MESSAGE(probe != nullptr, "no probe is called " << id);
  return *probe;
}

void judge_case(const test::ObservedCase& one, const Probe& probe, const Observed& observed) {
  Facts facts;
  const auto parsed = probe.parse(observed, facts);
  const auto error = one.text("error");
  if (!error.empty()) {
    REQUIRE_MESSAGE(!parsed, "accepted, wanted the error: " << error);
    CHECK_MESSAGE(parsed.error().what.find(error) != std::string::npos, "the error is: " << parsed.error().what);
    CHECK_MESSAGE(to_json(facts) == to_json(Facts{}), "a failed probe left facts behind");
    return;
  }
  REQUIRE_MESSAGE(parsed, (parsed ? "" : parsed.error().what) << "\n" << observed.out);
  const auto* wanted = one.document.find("facts");
  REQUIRE_MESSAGE(wanted != nullptr, "a case needs [facts] or error");
  CHECK_MESSAGE(test::difference(to_json(*wanted), to_json(facts)) == "", test::difference(to_json(*wanted), to_json(facts)));
}

}  // namespace

TEST_CASE("probes: every case file says what is read") {
  REQUIRE_FALSE(test::probe_cases().empty());
  for (const auto& one : test::probe_cases()) {
    SUBCASE(one.name.c_str()) {
      const auto& probe = probe_of(one.text("probe"));
      const auto tree = one.text("tree");
      if (tree.empty()) {
        judge_case(one, probe, one.observed());
        continue;
      }
      for (const auto& shell : test::shells()) {
        CAPTURE(shell);
        judge_case(one, probe, test::run_on_tree(shell, probe.script, tree));
      }
    }
  }
}

TEST_CASE("probes: every script runs on this machine, in every shell") {
  for (const auto& shell : test::shells()) {
    Facts facts;
    for (const auto& probe : catalog<Probe>()) {
      CAPTURE(shell);
      CAPTURE(probe.id);
      const auto observed = test::run_sh(shell, std::string(probe.script));
      CHECK(observed.exit_status == 0);
      CHECK(observed.err == "");
      const auto parsed = probe.parse(observed, facts);
      CHECK_MESSAGE(parsed, (parsed ? "" : parsed.error().what) << "\n" << observed.out);
    }
    utsname name{};
    REQUIRE(uname(&name) == 0);
    CHECK(facts.kernel == name.release);
    CHECK(facts.arch == name.machine);
    CHECK(facts.hostname == name.nodename);
    CHECK(facts.boot_id.size() == 36);
    CHECK(facts.cpu.logical == sysconf(_SC_NPROCESSORS_ONLN));
    CHECK(facts.memory_bytes == static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
    CHECK(facts.clock_epoch == doctest::Approx(static_cast<double>(time(nullptr))).epsilon(1e-7));
    CHECK(std::ranges::find(facts.mounts, "/", &Mount::path) != facts.mounts.end());
    CHECK(facts.sysctl.contains("vm.swappiness"));
    CHECK(facts.sysctl.at("kernel.pid_max").size() > 1);
    for (const auto& mount : facts.mounts) CHECK_MESSAGE(!mount.hung, mount.path);
  }
}

// A node may print anything. Whatever comes, a parser answers: with facts or with an error.
TEST_CASE("probes: no output brings a parser down") {
  std::mt19937 random(20260131);
  const auto dice = [&](std::size_t sides) { return std::uniform_int_distribution<std::size_t>(0, sides - 1)(random); };
  for (const auto& probe : catalog<Probe>()) {
    std::vector<std::string> seeds = {"", "end\n", "\n\nend\n", std::string(100000, 'x') + "\nend\n", "=\n=\nend\n", "\t\t\t\nend\n",
                                      "a=\xff\xfe\nend\n", "\x1b[31mred\nend\n", "99999999999999999999=1\nend\n"};
    for (const auto& one : test::probe_cases()) {
      if (one.text("probe") == probe.id && !one.text("out").empty()) seeds.push_back(one.text("out"));
    }
    for (const auto& seed : seeds) {
      for (int round = 0; round < 300; ++round) {
        std::string text = seed;
        for (std::size_t change = dice(6); change > 0 && !text.empty(); --change) {
          const auto at = dice(text.size());
          switch (dice(5)) {
            case 0: text[at] = static_cast<char>(dice(256)); break;
            case 1: text.erase(at, dice(40)); break;
            case 2: text.insert(at, std::to_string(random()) + std::to_string(random())); break;
            case 3: text.insert(at, std::string(1, "\t\n=:-/ "[dice(7)])); break;
            default: text.resize(at); break;
          }
        }
        Facts facts;
        const auto parsed = probe.parse({.exit_status = 0, .out = text}, facts);
        if (!parsed) CHECK_FALSE(parsed.error().what.empty());
      }
    }
    Facts facts;
    CHECK_FALSE(probe.parse({.exit_status = 0, .out = ""}, facts));
    CHECK_FALSE(probe.parse({.exit_status = 1, .out = "end\n", .err = "no\n"}, facts));
    CHECK_FALSE(probe.parse({.exit_status = 137, .out = "end\n", .timed_out = true}, facts));
  }
}

}  // namespace podwright
