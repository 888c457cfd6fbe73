/// Operating systems as `podwright lock` knows them: where their own packages come from. Data, in
/// distributions/OS.toml, beside cluster.toml or shipped.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/lock.hpp"

namespace podwright {

/// One release of an operating system, for one architecture.
struct OsRelease {
  SystemId id;
  std::string codename;
  std::string packager;  ///< apt | rpm
  std::string arch;      ///< as the packager calls it: "amd64"
  std::vector<std::string> minimal;
  std::vector<RepoSpec> repos;
};

/// "debian:12:amd64" or "debian:12:x86_64". `directory` is the folder of cluster.toml.
Result<OsRelease> load_os_release(const std::string& id, const std::filesystem::path& directory);
/// The same for what facts say of a node.
Result<OsRelease> load_os_release(const SystemId& id, const std::filesystem::path& directory);

}  // namespace podwright
