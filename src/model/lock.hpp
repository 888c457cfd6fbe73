/// The lock: exactly which packages and files a profile comes to, for each operating system.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace podwright {

/// A repository of packages, as somebody publishes it.
struct RepoSpec {
  std::string name;                 ///< "debian"; unique within an operating system
  std::string packager;             ///< apt | rpm
  std::vector<std::string> uris;    ///< mirrors of the same content, the first is tried first
  std::vector<std::string> suites{};      ///< apt: "bookworm", or "/" for a flat repository
  std::vector<std::string> components{};  ///< apt
  std::string keys{};               ///< armored public keys, of which one must have signed it
  bool check_signature = true;      ///< false: whoever answers is trusted; profile or distribution say so
  bool check_valid_until = true;    ///< apt: whether metadata that calls itself outdated is refused
  int priority = 500;               ///< higher wins; as apt's pins
  bool module_hotfixes = false;     ///< rpm: its packages count also where a module hides them
  bool operator==(const RepoSpec&) const = default;
};

/// An operating system that packages are locked for.
struct SystemId {
  std::string os;       ///< "debian", of os-release
  std::string version;  ///< "12"
  std::string arch;     ///< as the kernel calls it: x86_64, aarch64
  /// "debian:12:x86_64"
  [[nodiscard]] std::string str() const { return os + ":" + version + ":" + arch; }
  auto operator<=>(const SystemId&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 means the 0 that the compiler compares with
};

struct LockedPackage {
  std::string name;
  std::string version;
  std::string arch;   ///< as the packager calls it: amd64, all, noarch
  std::string repo;   ///< name of its LockedRepo
  std::string path;   ///< below the repository's URI
  std::uint64_t size = 0;
  std::string sha256;
  bool operator==(const LockedPackage&) const = default;
};

struct LockedRepo {
  std::string name;
  std::string packager;
  std::vector<std::string> uris;
  std::vector<std::string> suites{};
  std::vector<std::string> components{};
  std::vector<std::string> signed_by{};  ///< fingerprints of the keys whose signatures were good; none: trusted
  bool operator==(const LockedRepo&) const = default;
};

/// What one kind of node installs in one go: the closure holds for each of them.
struct LockedSet {
  std::string name;                   ///< its roles: "compute", "compute,head"
  std::vector<std::string> packages;  ///< "munge", or "munge=0.5.15*" where the profile says which
  bool operator==(const LockedSet&) const = default;
};

/// A package that the closure leans on and that is not part of it: the nodes have it.
struct LockedBase {
  std::string name;
  std::string version;
  std::string provides{};  ///< as its control file says it
  bool operator==(const LockedBase&) const = default;
};

struct LockedSystem {
  SystemId id;
  std::string base;  ///< "minimal": nothing is taken for granted; "nodes": see takes
  std::vector<LockedRepo> repos;
  std::vector<LockedSet> sets;
  std::vector<LockedBase> takes{};
  std::vector<LockedPackage> packages;  ///< sorted by name
  bool operator==(const LockedSystem&) const = default;
};

/// A file that a resource names: an installer, a tarball, a key, an image.
struct LockedFile {
  std::string source;  ///< a URL, or a path on the head
  std::string sha256;
  std::vector<std::string> needed_by;  ///< ids of resources, sorted
  bool operator==(const LockedFile&) const = default;
};

struct Lock {
  std::string profile;
  std::vector<LockedSystem> systems;  ///< sorted
  std::vector<LockedFile> files;      ///< sorted by digest
  bool operator==(const Lock&) const = default;
};

}  // namespace podwright
