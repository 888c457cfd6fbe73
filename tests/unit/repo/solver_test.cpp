#include "repo/solver.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"

using namespace podwright;

namespace {

/// An entry of Packages; `fields` are further lines.
std::string entry(const std::string& name, const std::string& version, const std::string& fields = {}) {
  return "Package: " + name + "\nVersion: " + version + "\nArchitecture: amd64\n" + fields + "Filename: pool/" + name + "_" + version +
         ".deb\nSize: 10\nSHA256: " + std::string(64, 'a') + "\n\n";
}

std::string names(const Result<Closure>& closure) {
  if (!closure) return "error: " + closure.error().what;
  std::vector<std::string> all;
  for (const auto& one : closure->packages) all.push_back(one.name + "=" + one.version);
  return join(all, " ");
}

/// What has to be installed for `wanted`, with the repository's text alone.
std::string solved(const std::string& packages, const std::vector<PackageRequest>& wanted, const std::map<std::string, std::string>& base = {}) {
  PackageSolver solver("apt", "amd64");
  REQUIRE(solver.add_packages("test", 500, packages));
  if (!base.empty()) REQUIRE(solver.set_base(base));
  return names(solver.solve(wanted));
}

}  // namespace

TEST_CASE("the first alternative is taken, also where the second is cheaper") {
  const auto packages = entry("app", "1", "Depends: first | second\n") + entry("first", "1", "Depends: more\n") + entry("more", "1") + entry("second", "1");
  CHECK(solved(packages, {{"app"}}) == "app=1 first=1 more=1");
  CHECK(solved(packages, {{"app"}, {"second"}}) == "app=1 second=1");
  CHECK(solved(packages, {{"app"}}, {{"second", "1"}}) == "app=1");
}

TEST_CASE("a real package goes before one that provides its name, and a more important one before others") {
  const auto packages = entry("app", "1", "Depends: tool\n") + entry("a-tool", "1", "Provides: tool\n") + entry("tool", "1");
  CHECK(solved(packages, {{"app"}}) == "app=1 tool=1");
  const auto virtual_only = entry("app", "1", "Depends: tool\n") + entry("a-tool", "1", "Provides: tool\nPriority: optional\n") +
                            entry("z-tool", "1", "Provides: tool\nPriority: important\n");
  CHECK(solved(virtual_only, {{"app"}}) == "app=1 z-tool=1");
}

TEST_CASE("of equal providers apt takes the one whose name its indexes mention last") {
  const auto two = entry("x-tool", "1", "Provides: tool\n") + entry("y-tool", "1", "Provides: tool\n");
  CHECK(solved(entry("app", "1", "Depends: tool\n") + two, {{"app"}}) == "app=1 y-tool=1");
  for (const auto* field : {"Recommends", "Suggests", "Replaces", "Enhances"}) {
    const auto mentioned = entry("app", "1", std::string("Depends: tool\n") + field + ": other | y-tool (>= 1), more\n");
    CHECK(solved(mentioned + two, {{"app"}}) == "app=1 x-tool=1");
  }
}

TEST_CASE("a first alternative that cannot be had gives way to the next") {
  const auto packages = entry("app", "1", "Depends: broken | sound\n") + entry("broken", "1", "Depends: nowhere\n") + entry("sound", "1");
  CHECK(solved(packages, {{"app"}}) == "app=1 sound=1");
  const auto excluded = entry("app", "1", "Depends: enemy | friend\n") + entry("enemy", "1", "Conflicts: guest\n") + entry("friend", "1") + entry("guest", "1");
  CHECK(solved(excluded, {{"app"}, {"guest"}}) == "app=1 friend=1 guest=1");
}

TEST_CASE("recommended packages stay away") {
  CHECK(solved(entry("app", "1", "Recommends: nice\nSuggests: nicer\n") + entry("nice", "1") + entry("nicer", "1"), {{"app"}}) == "app=1");
}

TEST_CASE("versions: the newest, the one that is asked for, the one that a dependency asks for") {
  const auto packages = entry("app", "1.0-1") + entry("app", "1.10-1") + entry("app", "1:0.5-1", "") + entry("old", "1", "Depends: lib (<< 2)\n") + entry("lib", "1.9~rc1");
  CHECK(solved(packages, {{"app"}}) == "app=1:0.5-1");
  CHECK(solved(packages, {{"app", "1.0*"}}) == "app=1.0-1");
  CHECK(solved(packages, {{"app", "1.1*"}}) == "app=1.10-1");
  CHECK(solved(packages, {{"old"}}) == "lib=1.9~rc1 old=1");
  // An installed one that is too old is replaced, one that is good enough stays.
  const auto needs = entry("app", "1", "Depends: lib (>= 2)\n") + entry("lib", "3");
  CHECK(solved(needs, {{"app"}}, {{"lib", "1"}}) == "app=1 lib=3");
  CHECK(solved(needs, {{"app"}}, {{"lib", "2"}}) == "app=1");
}

TEST_CASE("of two repositories the one with the higher priority counts, then the newer version") {
  const auto low = entry("app", "2");
  const auto high = entry("app", "1");
  PackageSolver solver("apt", "amd64");
  REQUIRE(solver.add_packages("low", 500, low));
  REQUIRE(solver.add_packages("high", 900, high));
  const auto closure = solver.solve({{"app"}});
  CHECK(names(closure) == "app=1");
  CHECK(closure->packages.front().repo == "high");
}

TEST_CASE("what is missing is named, with what needs it") {
  const auto error = solved(entry("app", "1", "Depends: lib (>= 2)\n") + entry("lib", "1"), {{"app"}});
  CHECK(error.find("error: ") == 0);
  CHECK(error.find("lib >= 2") != std::string::npos);
  CHECK(error.find("app") != std::string::npos);
  CHECK(solved(entry("app", "1"), {{"nowhere"}}).find("no repository has nowhere") != std::string::npos);
  CHECK(solved(entry("app", "1"), {{"app", "2*"}}).find("no repository has app=2*") != std::string::npos);
  CHECK(solved(entry("a", "1", "Provides: mta\n") + entry("b", "1", "Provides: mta\n"), {{"mta"}}).find("virtual package that a and b provide") != std::string::npos);
  PackageSolver solver("apt", "amd64");
  const auto packages = entry("app", "1", "Depends: x | lib (>= 2)\n") + entry("lib", "1");
  REQUIRE(solver.add_packages("test", 500, packages));
  CHECK(solver.needed_by("lib") == std::vector<std::string>{"app"});
}

TEST_CASE("a package whose digest or place nobody tells is refused") {
  const auto error = solved("Package: app\nVersion: 1\nArchitecture: amd64\nFilename: pool/app.deb\nSize: 1\n\n", {{"app"}});
  CHECK(error.find("SHA-256") != std::string::npos);
}

TEST_CASE("the minimal system is what is required, and the closure says what it takes of its base") {
  const auto packages = entry("libc6", "2", "Priority: required\n") + entry("tool", "1", "Essential: yes\nPre-Depends: libc6\n") + entry("apt", "1") +
                        entry("app", "1", "Depends: libc6 (>= 1), editor\n") + entry("vim", "1", "Provides: editor\n");
  PackageSolver solver("apt", "amd64");
  REQUIRE(solver.add_packages("test", 500, packages));
  CHECK(names(solver.minimal({"apt", "of-another-release"})) == "apt=1 libc6=2 tool=1");
  REQUIRE(solver.set_base(std::map<std::string, std::string>{{"libc6", "1.5"}, {"vim", "0.9"}, {"of-a-vendor", "7"}}));
  const auto closure = solver.solve({{"app"}});
  CHECK(names(closure) == "app=1");
  REQUIRE(closure->takes.size() == 2);
  CHECK(closure->takes[0].name == "libc6");
  CHECK(closure->takes[0].version == "1.5");
  CHECK(closure->takes[1].provides == "editor");
  // The same from what a lock recorded.
  PackageSolver again("apt", "amd64");
  const auto bundled = entry("app", "1", "Depends: libc6 (>= 1), editor\n");
  REQUIRE(again.add_packages("bundle", 500, bundled));
  CHECK_FALSE(again.solve({{"app"}}));
  REQUIRE(again.set_base(closure->takes));
  CHECK(names(again.solve({{"app"}})) == "app=1");
}
