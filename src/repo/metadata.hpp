/// What repositories say of themselves: fetched, and proven from the signature down to each file.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "model/lock.hpp"
#include "repo/download.hpp"

namespace podwright {

struct MetadataOptions {
  std::filesystem::path cache;  ///< what was fetched, named by its SHA-256; shared by everybody
  DownloadOptions download{};
  std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
};

/// One index of a repository, on this machine, decompressed where it is apt's.
struct RepoIndex {
  std::string repo;  ///< RepoSpec::name
  int priority = 500;
  std::filesystem::path packages;   ///< Packages, or primary.xml.*
  std::filesystem::path filelists;  ///< rpm-md only
  bool has_modules = false;         ///< rpm-md: those of its packages that belong to module streams are hidden
};

struct FetchedRepo {
  LockedRepo locked;
  std::vector<RepoIndex> indexes;
  /// Beginning of the URL that LockedPackage::path goes on from, mirror for mirror.
  std::vector<std::string> base_urls;
};

/// Fetches what is new of the repository's metadata for `arch` (as the packager calls it): the signed
/// file first, whose signature must be by one of RepoSpec::keys, then what it names, each by its
/// digest. What does not fit is refused by name.
Result<FetchedRepo> fetch_repo(const RepoSpec& repo, const std::string& arch, const MetadataOptions& options);

/// Where a package may be fetched from, mirror after mirror.
std::vector<std::string> urls_of(const LockedRepo& repo, const LockedPackage& package);

}  // namespace podwright
