#include "config/lock_file.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "config/os_release.hpp"

using namespace podwright;

namespace {

Lock sample() {
  LockedSystem system{.id = {"debian", "12", "x86_64"}, .base = "nodes", .repos = {}, .sets = {}, .takes = {}, .packages = {}};
  system.repos = {{.name = "debian", .packager = "apt", .uris = {"http://a/debian", "http://b/debian"}, .suites = {"bookworm"}, .components = {"main"}, .signed_by = {"AB"}}};
  system.sets = {{.name = "compute", .packages = {"munge", "slurmd=22.05*"}}};
  system.takes = {{.name = "libc6", .version = "2.36", .provides = "libc6-i \"q\" (= 1)"}};
  system.packages = {{.name = "munge", .version = "1:0.5~rc1+b1", .arch = "amd64", .repo = "debian", .path = "pool/m/munge.deb", .size = 12, .sha256 = std::string(64, 'a')}};
  return {.profile = "p", .systems = {system}, .files = {{.source = "https://example.org/x.run", .sha256 = std::string(64, 'b'), .needed_by = {"installer/x"}}}};
}

std::string complaint(const std::string& from, const std::string& to) {
  auto text = lock_text(sample());
  text.replace(text.find(from), from.size(), to);
  const auto read = parse_lock(text, "x.lock.toml");
  return read ? "" : read.error().what;
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a lock is read as it was written, one package a line") {
  const auto text = lock_text(sample());
  const auto read = parse_lock(text, "x.lock.toml");
  REQUIRE_MESSAGE(read.has_value(), read.error().what);
  CHECK(*read == sample());
  CHECK(lock_text(*read) == text);
  CHECK(says(text, "\n  { name = \"munge\", version = \"1:0.5~rc1+b1\", arch = \"amd64\", repo = \"debian\", size = 12, "));
}

TEST_CASE("a lock that was changed by hand is refused with the place") {
  CHECK(says(complaint("format = 1", "format = 2"), "format 2"));
  CHECK(says(complaint(std::string(64, 'a'), "abc"), "64 hex digits"));
  CHECK(says(complaint("pool/m/munge.deb", "../munge.deb"), "inside of its repository"));
  CHECK(says(complaint("pool/m/munge.deb", "/munge.deb"), "inside of its repository"));
  CHECK(says(complaint("repo = \"debian\"", "repo = \"other\""), "none of the repos"));
  CHECK(says(complaint("size = 12", "size = -1"), "number of bytes"));
  CHECK(says(complaint("base = ", "bse = "), "x.lock.toml:"));
}

TEST_CASE("operating systems: either name of an architecture, codenames, and what nobody knows") {
  const auto debian = load_os_release("debian:13:arm64", "/nonexistent");
  REQUIRE_MESSAGE(debian.has_value(), debian.error().what);
  CHECK(debian->id == SystemId{"debian", "13", "aarch64"});
  CHECK(debian->arch == "arm64");
  CHECK(debian->repos.at(0).suites == std::vector<std::string>{"trixie", "trixie-updates"});
  CHECK(debian->repos.at(0).keys.find("BEGIN PGP PUBLIC KEY BLOCK") != std::string::npos);
  CHECK(load_os_release("debian:12:aarch64", "/nonexistent")->arch == "arm64");
  CHECK(says(load_os_release("debian:99:amd64", "/nonexistent").error().what, "99"));
  CHECK(says(load_os_release("debian:12:amd46", "/nonexistent").error().what, "amd64"));
  CHECK(says(load_os_release("debain:12:amd64", "/nonexistent").error().what, "debian"));
  CHECK_FALSE(load_os_release("debian", "/nonexistent"));
  CHECK_FALSE(load_os_release("../debian:12:amd64", "/nonexistent"));
}
