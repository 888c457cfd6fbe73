/// What the tests of resource kinds share: resources made from TOML, and running their sh for real.
#pragma once

#include <filesystem>
#include <string>

#include "catalog/registry.hpp"

namespace podwright::test {

/// A resource of this kind with these fields; a field that the kind does not have is a test error.
Wanted make_wanted(const ResourceKind& kind, const Value::Table& fields);
/// The same from TOML text.
Wanted make_wanted(const std::string& kind, const std::string& toml);
const ResourceKind& kind_of(const std::string& name);

/// One file of tests/cases/resource.
struct ResourceCase {
  std::filesystem::path file;
  Value document;
};
const std::vector<ResourceCase>& resource_cases();

/// A folder that is gone with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const {
    return (path_ / name).string();
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Runs a script as a node would: its own shell, no input, C locale. `shell` is "dash", "busybox
/// sh", …
Observed run_sh(const std::string& shell, const std::string& script);
/// The shells of this machine that scripts have to work with.
const std::vector<std::string>& shells();

}  // namespace podwright::test
