// What the shipped profiles would do to the machines that they are for: recorded facts in
// (tests/cases/plan/PROFILE.json), the plan as text out, compared with PROFILE.txt beside it. After a wanted
// change PODWRIGHT_RECORD=1 writes them anew; the diff is to be read before it is committed.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/plan_text.hpp"
#include "cli/schema.hpp"
#include "config/config.hpp"
#include "engine/planner.hpp"
#include "engine/recorded_facts.hpp"

namespace podwright {
namespace {

namespace fs = std::filesystem;

/// Digests that only a site can know are all of one digit here.
Profile load(const std::string& name) {
  const auto schema = cli::catalog_schema();
  const auto bare = load_profile(name, PODWRIGHT_SOURCE_DIR, {}, {}, schema);
  REQUIRE_MESSAGE(bare, (bare ? "" : bare.error().message()));
  std::vector<std::string> set;
  for (const auto& one : bare->unset) set.push_back(one.name + "=" + std::string(64, 'a'));
  auto profile = load_profile(name, PODWRIGHT_SOURCE_DIR, {}, set, schema);
  REQUIRE_MESSAGE(profile, (profile ? "" : profile.error().message()));
  return *profile;
}

}  // namespace

TEST_CASE("golden plans: every shipped profile on the machines that it is for") {
  std::size_t compared = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(PODWRIGHT_CASES) / "plan")) {
    if (entry.path().extension() != ".json") continue;
    const auto name = entry.path().stem().string();
    CAPTURE(name);
    const auto profile = load(name);
    const auto compatible = check_compatibility(profile);
    CHECK_MESSAGE(compatible, (compatible ? "" : compatible.error().what));
    auto recorded = recorded_facts(entry.path());
    REQUIRE_MESSAGE(recorded, (recorded ? "" : recorded.error().message()));
    auto inventory = inventory_of(*recorded);
    inventory.name = "pod1";
    for (auto& node : inventory.nodes) {
      const auto& nics = recorded->facts.at(node.name).nics;
      if (nics.size() < 2) continue;
      const auto& cidr = nics[1].addresses.front();
      node.fabric = {{.name = nics[1].name, .address = cidr.substr(0, cidr.find('/'))}};
    }
    const auto planned = plan_recorded(inventory, profile, std::move(*recorded));
    REQUIRE_MESSAGE(planned, (planned ? "" : planned.error().message()));
    CHECK(planned->plan.failed.empty());
    const auto text = cli::plan_text(planned->plan, {.diffs = true, .verbose = true, .width = 110});

    const auto golden = fs::path(entry.path()).replace_extension(".txt");
    if (std::getenv("PODWRIGHT_RECORD") != nullptr) REQUIRE(write_file(golden, text));
    const auto expected = read_file(golden);
    REQUIRE(expected);
    CHECK_MESSAGE(text == *expected, unified_diff(*expected, text, name));
    ++compared;
  }
  CHECK(compared >= 6);
}

}  // namespace podwright
