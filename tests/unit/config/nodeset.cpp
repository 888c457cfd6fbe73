#include "config/nodeset.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <set>

#include "base/text.hpp"

using namespace podwright;

namespace {

struct Case {
  std::string input;
  std::vector<std::string> names;
  std::string error;
};

std::vector<Case> cases(const std::string& file) {
  std::ifstream in(PODWRIGHT_CASES "/nodeset/" + file);
  REQUIRE(in);
  std::vector<Case> all;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    const auto arrow = line.find("=> ");
    REQUIRE_MESSAGE(arrow != std::string::npos, line);
    Case one{.input = line.substr(0, arrow == 0 ? 0 : arrow - 1), .names = {}, .error = {}};
    const auto right = line.substr(arrow + 3);
    if (right.starts_with("error: ")) one.error = right.substr(7);
    else
      for (const auto word : words(right)) one.names.emplace_back(word);
    all.push_back(one);
  }
  REQUIRE(all.size() > 5);
  return all;
}

void judge(const Case& one, const Result<std::vector<std::string>>& got) {
  CAPTURE(one.input);
  if (one.error.empty()) {
    REQUIRE_MESSAGE(got, (got ? "" : got.error().message()));
    CHECK(*got == one.names);
    return;
  }
  REQUIRE_FALSE(got);
  CHECK(got.error().fault == Fault::usage);
  CHECK_MESSAGE(got.error().what.find(one.error) != std::string::npos, got.error().what);
}

Inventory small_cluster() {
  Inventory inventory{.name = "pod",
                      .profile = {},
                      .file = "cluster.toml",
                      .directory = {},
                      .state_dir = {},
                      .ssh = {},
                      .vars = {},
                      .nodes = {}};
  const auto add = [&](std::string name, std::string role, std::string leaf) {
    Node node;
    node.name = std::move(name);
    node.roles = {std::move(role)};
    if (!leaf.empty()) node.labels["leaf"] = std::move(leaf);
    inventory.nodes.push_back(node);
  };
  add("head", "head", "l1");
  add("login1", "login", "");
  for (int i = 1; i <= 8; ++i) add("cu0" + std::to_string(i), "compute", i <= 4 ? "l1" : "l2");
  return inventory;
}

}  // namespace

TEST_CASE("ranges expand as the case file says") {
  for (const auto& one : cases("expand.txt")) judge(one, expand_range(one.input));
}

TEST_CASE("names fold as the case file says") {
  std::ifstream in(PODWRIGHT_CASES "/nodeset/fold.txt");
  REQUIRE(in);
  int count = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    const auto arrow = line.find(" => ");
    REQUIRE(arrow != std::string::npos);
    std::vector<std::string> names;
    const auto left = line.substr(0, arrow);
    for (const auto word : words(left)) names.emplace_back(word);
    const auto folded = fold_names(names);
    const auto wanted = line.substr(arrow + 4);
    CHECK(folded == wanted);
    ++count;
  }
  CHECK(count > 10);
  CHECK(fold_names({}).empty());
}

TEST_CASE("node sets select as the case file says, in the order of the inventory") {
  const auto inventory = small_cluster();
  for (const auto& one : cases("select.txt")) judge(one, select_nodes(one.input, inventory));
}

TEST_CASE("what folds expands to the same names, whatever their shape") {
  std::mt19937 random(20260131);
  const std::vector<std::string> shapes = {"cu%", "cu%n%", "r%-n%-ib", "10.0.%.%", "x%y", "plain"};
  for (int round = 0; round < 300; ++round) {
    std::set<std::string> names;
    const auto many = 1 + random() % 40;
    for (std::size_t i = 0; i < many; ++i) {
      std::string name;
      for (const char c : shapes[random() % shapes.size()]) {
        if (c != '%') {
          name += c;
          continue;
        }
        auto number = std::to_string(random() % 120);
        const auto width = random() % 4;
        while (number.size() < width) number.insert(0, "0");
        name += number;
      }
      names.insert(name);
    }
    const auto folded = fold_names({names.begin(), names.end()});
    CAPTURE(folded);
    std::multiset<std::string> back;
    std::size_t depth = 0;
    std::string pattern;
    for (const char c : folded + ",") {
      if (c == '[') ++depth;
      if (c == ']') --depth;
      if (c != ',' || depth > 0) {
        pattern += c;
        continue;
      }
      const auto expanded = expand_range(pattern);
      REQUIRE(expanded);
      back.insert(expanded->begin(), expanded->end());
      pattern.clear();
    }
    const std::vector<std::string> again(back.begin(), back.end());
    const std::vector<std::string> wanted(names.begin(), names.end());
    CHECK(again == wanted);
  }
}

TEST_CASE("a thousand nodes fold into one range, and quickly") {
  std::vector<std::string> names;
  for (int i = 1; i <= 4096; ++i) names.push_back("cu" + std::to_string(10000 + i));
  CHECK(fold_names(names) == "cu[10001-14096]");
}
