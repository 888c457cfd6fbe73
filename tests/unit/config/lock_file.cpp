#include "config/lock_file.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "base/assets.hpp"
#include "base/text.hpp"
#include "config/config.hpp"
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

TEST_CASE("every operating system that is shipped, in every version and architecture") {
  std::size_t loaded = 0;
  for (const auto& path : list_assets("distributions")) {
    if (!path.ends_with(".toml")) continue;
    const auto file = load_asset(path);
    REQUIRE(file);
    const auto root = parse_toml(file->content, file->where);
    REQUIRE_MESSAGE(root.has_value(), root.error().what);
    const auto* head = root->find("distribution");
    REQUIRE(head != nullptr);
    // It is found by what a node says of itself.
    CHECK(*head->find("os")->text() == std::filesystem::path(path).stem().string());
    for (const auto& [version, codename] : *head->find("versions")->table()) {
      for (const auto& [kernel, own] : *head->find("architectures")->table()) {
        const SystemId id{*head->find("os")->text(), version, kernel};
        CAPTURE(id.str());
        const auto system = load_os_release(id, "/nonexistent");
        REQUIRE_MESSAGE(system.has_value(), system.error().what);
        ++loaded;
        CHECK(system->id == id);
        CHECK_FALSE(system->minimal.empty());
        CHECK_FALSE(system->repos.empty());
        for (const auto& repo : system->repos) {
          CAPTURE(repo.name);
          CHECK(repo.packager == system->packager);
          CHECK(std::ranges::count(system->repos, repo.name, &RepoSpec::name) == 1);
          // What nobody has signed comes at least from who is asked.
          if (!repo.check_signature) CHECK(std::ranges::all_of(repo.uris, [](const auto& uri) { return uri.starts_with("https://"); }));
        }
      }
    }
  }
  CHECK(loaded > 20);
}

TEST_CASE("where the packages of rpm distributions come from") {
  struct Case {
    std::string id;
    std::string repo;
    std::vector<std::string> uris;
    bool is_signed;
  };
  const std::vector<Case> cases = {
      {"rocky:9.4:x86_64", "baseos", {"https://dl.rockylinux.org/pub/rocky/9/BaseOS/x86_64/os"}, true},
      {"rocky:9:x86_64", "appstream", {"https://dl.rockylinux.org/pub/rocky/9/AppStream/x86_64/os"}, true},
      {"rocky:10.0:aarch64", "extras", {"https://dl.rockylinux.org/pub/rocky/10/extras/aarch64/os"}, true},
      {"almalinux:9.6:aarch64", "appstream", {"https://repo.almalinux.org/almalinux/9/AppStream/aarch64/os"}, true},
      {"fedora:41:aarch64", "fedora",
       {"https://dl.fedoraproject.org/pub/fedora/linux/releases/41/Everything/aarch64/os",
        "https://archives.fedoraproject.org/pub/archive/fedora/linux/releases/41/Everything/aarch64/os"}, false},
      {"fedora:42:x86_64", "updates",
       {"https://dl.fedoraproject.org/pub/fedora/linux/updates/42/Everything/x86_64",
        "https://archives.fedoraproject.org/pub/archive/fedora/linux/updates/42/Everything/x86_64"}, false},
      {"openEuler:22.03:aarch64", "OS", {"https://repo.openeuler.org/openEuler-22.03-LTS-SP4/OS/aarch64"}, false},
      {"openEuler:22.03:aarch64", "EPOL", {"https://repo.openeuler.org/openEuler-22.03-LTS-SP4/EPOL/main/aarch64"}, false},
  };
  for (const auto& one : cases) {
    CAPTURE(one.id);
    const auto system = load_os_release(one.id, "/nonexistent");
    REQUIRE_MESSAGE(system.has_value(), system.error().what);
    // A minor version stays in the name: it is what facts say of such a node.
    CHECK(system->id.str() == one.id);
    const auto repo = std::ranges::find(system->repos, one.repo, &RepoSpec::name);
    REQUIRE(repo != system->repos.end());
    CHECK(repo->uris == one.uris);
    CHECK(repo->check_signature == one.is_signed);
    CHECK(repo->keys.empty() != one.is_signed);
  }
  // os-release of openEuler has the capital.
  CHECK(says(load_os_release("openeuler:22.03:aarch64", "/nonexistent").error().what, "openEuler"));
  CHECK(says(load_os_release("rocky:8.10:x86_64", "/nonexistent").error().what, "8.10"));
}
