/// The offline bundle: everything that a lock names, in one file that proves itself.
///
///     index.json              every other member with size and SHA-256, sorted by path
///     index.json.sig          who vouches for the index; only where a key was given
///     profile.lock.toml       the lock that it was made from
///     pool/REPO/NAME.deb      packages of apt, shared by all systems
///     systems/ID/             a repository each: Packages and Release, whose paths begin at the bundle's
///                             root; or repodata/ and the rpms
///     files/SHA256            files that resources name
///
/// The same lock gives the same bytes.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "bundle/packed.hpp"
#include "bundle/signature.hpp"
#include "model/lock.hpp"
#include "repo/download.hpp"

namespace podwright {

inline constexpr std::string_view index_member = "index.json";
inline constexpr std::string_view signature_member = "index.json.sig";
inline constexpr std::string_view lock_member = "profile.lock.toml";

struct BundleFile {
  std::uint64_t size = 0;
  std::string sha256;
  bool packed = true;  ///< false: it is in the bundle that this one adds to
  bool operator==(const BundleFile&) const = default;
};

struct BundleIndex {
  std::string profile;
  std::string since;  ///< SHA-256 of the index that this one adds to; empty: it is whole
  std::map<std::string, BundleFile> files;  ///< by path
  bool operator==(const BundleIndex&) const = default;
};

std::string index_text(const BundleIndex& index);
Result<BundleIndex> parse_index(std::string_view text, const std::string& name);

/// "debian-12-x86_64": the folder of a system below systems/.
std::string system_folder(const SystemId& id);
/// Where the packages of each system lie in the bundle: its id -> SHA-256 -> path.
std::map<SystemId, std::map<std::string, std::string>> package_paths(const Lock& lock);

struct BundleOptions {
  std::filesystem::path cache;          ///< packages and files that were fetched, by SHA-256
  std::filesystem::path directory;      ///< where relative paths of [[file]] begin: that of cluster.toml
  std::filesystem::path key{};          ///< private key; empty: not signed
  std::optional<BundleIndex> since{};   ///< leave out what this one has
  std::string since_digest{};           ///< SHA-256 of its text
  DownloadOptions download{};
};

struct CreatedBundle {
  std::uint64_t bytes = 0;
  std::string sha256;
  std::size_t artifacts = 0;  ///< packages and files that were packed
  std::size_t left_out = 0;   ///< because the older bundle has them
  std::string signed_by{};    ///< fingerprint of the key
  std::vector<std::string> problems{};  ///< of its closure, as closure_problems tells them
};

/// Fetches what is not in the cache, proves every digest, and packs.
Result<CreatedBundle> create_bundle(const Lock& lock, const std::string& lock_text, const std::filesystem::path& file,
                                    const BundleOptions& options);

/// What is known of a bundle after its small members were read.
struct OpenedBundle {
  BundleIndex index;
  std::string index_digest;  ///< SHA-256 of index.json
  Lock lock;
  std::string lock_text;
  std::map<std::string, std::string> repos{};  ///< systems/ID/Packages and the like -> text
  std::optional<Signature> signature{};
};

/// What is wrong with a bundle, a sentence each, in the order of importance; empty: nothing.
struct VerifiedBundle {
  OpenedBundle bundle;
  std::string sha256;          ///< of the file, where it was asked for
  std::uint64_t bytes = 0;
  std::vector<std::string> problems{};
  bool closed = false;         ///< everything can be installed with nothing but the bundle
  bool key_matches = false;    ///< signed by the key that was given
};

struct VerifyOptions {
  std::filesystem::path public_key{};             ///< empty: whoever signed it
  std::vector<std::filesystem::path> older{};     ///< bundles that this one adds to
  bool closure = true;
  /// The digest of the file itself: nothing is proven by it that its members do not prove, and it takes as long.
  bool file_digest = false;
  /// Where every member is kept under its SHA-256 once it was proven; empty: nothing is written.
  std::filesystem::path keep{};
  std::stop_token stop{};
};

/// Reads the bundle to its last byte and proves it: digests, signature, completeness, and that the packages
/// of each set of the lock can be installed from it alone. An archive that must not be trusted at all is an
/// error; what is merely wrong or missing is listed.
Result<VerifiedBundle> verify_bundle(const std::filesystem::path& file, const VerifyOptions& options);

/// Whether the packages of each set of the lock can be installed with nothing but the bundle, when those at
/// `lost` are not there: what is in the way, a sentence each.
std::vector<std::string> closure_problems(const OpenedBundle& bundle, const std::set<std::string>& lost = {});

/// The small members alone, quickly: for looking. Proves nothing but that it can be read.
Result<OpenedBundle> inspect_bundle(const std::filesystem::path& file);

}  // namespace podwright
