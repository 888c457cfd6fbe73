// A repository as createrepo_c and modifyrepo_c make it, with packages of module streams beside others.
#include <doctest/doctest.h>

#include <filesystem>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "repo/metadata.hpp"
#include "repo/rpm_md.hpp"
#include "repo/solver.hpp"

using namespace podwright;
namespace fs = std::filesystem;

namespace {

/// A folder that goes with the test.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("podwright-rpm-md-" + random_hex(6));
  ~Folder() { fs::remove_all(path); }
};

std::string package(const std::string& name, const std::string& version, const std::string& release, const std::string& needs = {}) {
  return "<package type=\"rpm\"><name>" + name + "</name><arch>x86_64</arch><version epoch=\"0\" ver=\"" + version + "\" rel=\"" + release +
         "\"/><checksum type=\"sha256\" pkgid=\"YES\">" + sha256_hex(name + version + release) + "</checksum><size package=\"10\" installed=\"10\"/>" +
         "<location href=\"Packages/" + name + "-" + version + "-" + release + ".x86_64.rpm\"/><format><rpm:provides><rpm:entry name=\"" + name +
         "\" flags=\"EQ\" epoch=\"0\" ver=\"" + version + "\" rel=\"" + release + "\"/></rpm:provides>" +
         (needs.empty() ? "" : "<rpm:requires><rpm:entry name=\"" + needs + "\"/></rpm:requires>") + "</format></package>\n";
}

/// Writes the repository; `modules` is the text of its modules.yaml, empty: it has none.
RepoSpec written(const fs::path& folder, const std::string& packages, const std::string& modules) {
  const auto primary = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" "
                       "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"4\">\n" + packages + "</metadata>\n";
  const auto part = [&](const std::string& type, const std::string& name, const std::string& content) {
    REQUIRE(write_file(folder / "repodata" / name, content));
    return "<data type=\"" + type + "\"><checksum type=\"sha256\">" + sha256_hex(content) + "</checksum><location href=\"repodata/" + name + "\"/></data>\n";
  };
  REQUIRE(make_directories(folder / "repodata"));
  auto repomd = "<repomd>\n" + part("primary", "primary.xml", primary);
  if (!modules.empty()) repomd += part("modules", "modules.yaml", modules);
  REQUIRE(write_file(folder / "repodata/repomd.xml", repomd + "</repomd>\n"));
  return {.name = "appstream", .packager = "rpm", .uris = {"file://" + folder.string()}, .check_signature = false};
}

/// What `wanted` comes to with that repository alone.
std::string solved(const std::string& packages, const std::string& modules, const std::string& wanted, bool module_hotfixes = false) {
  const Folder folder;
  auto spec = written(folder.path / "repo", packages, modules);
  spec.module_hotfixes = module_hotfixes;
  const auto fetched = fetch_repo(spec, "x86_64", {.cache = folder.path / "cache"});
  REQUIRE_MESSAGE(fetched.has_value(), fetched.error().what);
  REQUIRE(fetched->indexes.size() == 1);
  const auto& index = fetched->indexes.front();
  CHECK(index.has_modules == (!modules.empty() && !module_hotfixes));
  PackageSolver solver("rpm", "x86_64");
  REQUIRE(solver.add_rpm_md(index.repo, index.priority, index.packages.string(), index.filelists.string(), index.has_modules));
  const auto closure = solver.solve({{.name = wanted}});
  if (!closure) return "error: " + closure.error().what;
  std::vector<std::string> all;
  for (const auto& one : closure->packages) all.push_back(one.name + "-" + one.version);
  return join(all, " ");
}

}  // namespace

TEST_CASE("packages of module streams, which dnf hides, are left out where the repository lists modules") {
  const auto packages = package("nginx", "1.20.1", "20.el9", "nginx-core") + package("nginx-core", "1.20.1", "20.el9") +
                        package("nginx", "1.26.2", "1.module+el9.6.0+33082+8ca5dc0a", "nginx-core") +
                        package("nginx-core", "1.26.2", "1.module+el9.6.0+33082+8ca5dc0a") +
                        package("nodejs", "22.4.1", "3.module_el9.5.0+123+01e58653");
  const std::string modules = "---\ndocument: modulemd\nversion: 2\ndata:\n  name: nginx\n  stream: \"1.26\"\n";
  CHECK(solved(packages, modules, "nginx") == "nginx-1.20.1-20.el9 nginx-core-1.20.1-20.el9");
  CHECK(solved(packages, modules, "nodejs").find("no repository has nodejs") != std::string::npos);
  // Who takes the same packages into a repository of their own, or says module_hotfixes, shows them: to dnf as well.
  const std::string newest = "nginx-1.26.2-1.module+el9.6.0+33082+8ca5dc0a nginx-core-1.26.2-1.module+el9.6.0+33082+8ca5dc0a";
  CHECK(solved(packages, "", "nginx") == newest);
  CHECK(solved(packages, modules, "nginx", true) == newest);
}

TEST_CASE("the release says that a package was built as part of a module") {
  for (const auto* version : {"1:1.24.0-4.module+el9.5.0+22953+a0b1", "2.4.37-51.module_el8.7.0+3281+01e58653", "18.1-2.module_f38+16000+6a1c"}) {
    CAPTURE(version);
    CHECK(is_modular(version));
  }
  for (const auto* version : {"1:1.20.1-20.el9", "1.0-1.module", "2.0.module+x-1.fc41", "1.0", ""}) {
    CAPTURE(version);
    CHECK_FALSE(is_modular(version));
  }
}
