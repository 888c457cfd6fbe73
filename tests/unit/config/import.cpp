// Lists of other tools against the cluster.toml that init makes of them (tests/cases/import).
#include "config/import.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.hpp"
#include "base/text.hpp"
#include "config/cluster_file.hpp"
#include "config/config.hpp"

using namespace podwright;
namespace fs = std::filesystem;

TEST_CASE("init --from: case files") {
  std::size_t compared = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(PODWRIGHT_CASES) / "import")) {
    if (entry.path().extension() != ".txt") continue;
    const auto name = entry.path().filename().string();
    CAPTURE(name);
    const auto text = read_file(entry.path());
    REQUIRE(text);
    auto imported = import_nodes(*text, name);
    REQUIRE_MESSAGE(imported, (imported ? "" : imported.error().message()));
    NewCluster cluster{.name = "cluster", .user = imported->user.empty() ? "root" : imported->user, .key = imported->key,
                       .nodes = std::move(imported->nodes)};
    complete_nodes(cluster.nodes);
    const auto toml = render_cluster_file(cluster);
    REQUIRE_MESSAGE(parse_inventory(toml, "cluster.toml"), toml);
    const auto golden = fs::path(entry.path()).replace_extension(".toml");
    if (std::getenv("PODWRIGHT_RECORD") != nullptr) REQUIRE(write_file(golden, toml));
    const auto expected = read_file(golden);
    REQUIRE(expected);
    CHECK_MESSAGE(toml == *expected, unified_diff(*expected, toml, name));
    ++compared;
  }
  CHECK(compared >= 3);
}

TEST_CASE("init --from: what cannot be read names its line") {
  const auto says = [](std::string_view text, std::string_view part) {
    const auto imported = import_nodes(text, "list");
    REQUIRE_FALSE(imported.has_value());
    CHECK_MESSAGE(imported.error().message().find(part) != std::string::npos, imported.error().message());
  };
  says("", "list names no machine");
  says("# nothing\n", "list names no machine");
  says("S1 cu01 10.0.0.1/24\nS2 cu02\n", "list:2: a line of an iplist");
  says("[a:b]\ncu01\n", "list:1: [a:b] is not a group");
  says("[gpu]\ncu[01:x]\n", "list:2: cu[01:x] is not a range");
  says("[gpu]\ncu01 oops\n", "list:2: \"oops\" is not NAME=VALUE");
  says("[gpu:vars]\nx\n", "list:2: a variable is NAME=VALUE");
}
