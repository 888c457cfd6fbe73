#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "base/open_file.hpp"
#include "base/text.hpp"
#include "bundle/bundle.hpp"
#include "config/lock_file.hpp"
#include "repo/deb822.hpp"
#include "repo/solver.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

/// Index, lock and metadata of repositories are read into memory; a bundle of the whole of Debian has
/// some 100 MB of them.
constexpr std::uint64_t most_small_bytes = std::uint64_t{256} << 20U;

bool is_small(const std::string& path) {
  return path == index_member || path == signature_member || path == lock_member ||
         (path.starts_with("systems/") && path.find("/Packages/") == std::string::npos);
}

/// What the members are, as they come by.
class Reading {
 public:
  Reading(fs::path file, fs::path keep) : file_(std::move(file)), keep_(std::move(keep)) {}
  ~Reading() { drop(); }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  MemberSink sink() {
    return {.begin = [this](const std::string& path, std::uint64_t size) { return begin(path, size); },
            .bytes = [this](std::string_view bytes) { return take(bytes); },
            .end = [this] { return end(); }};
  }
  [[nodiscard]] const std::map<std::string, std::string>& digests() const { return digests_; }
  [[nodiscard]] const std::map<std::string, std::string>& small() const { return small_; }
  /// Ends the reading at the first member that is not small.
  void only_small() { only_small_ = true; }
  [[nodiscard]] bool had_enough() const { return had_enough_; }

 private:
  Status begin(const std::string& path, std::uint64_t size) {
    path_ = path;
    is_small_ = is_small(path);
    if (only_small_ && !is_small_) {
      had_enough_ = true;
      return fail(Fault::cancelled, "seen enough");
    }
    if (is_small_ && (small_bytes_ += size) > most_small_bytes) {
      return fail(Fault::validation, fmt::format("{}: \"{}\" is larger than any index or lock", file_.string(), clean_output(path)), "it was not written by podwright bundle create");
    }
    if (keep_.empty()) return {};
    // Only what a proven index names is ever written, under its digest and never under its path.
    if (digests_.empty() && path != index_member) {
      return fail(Fault::validation, fmt::format("{}: its first member is \"{}\" and not {}", file_.string(), clean_output(path), index_member), "it was not written by podwright bundle create");
    }
    part_ = keep_ / ("part-" + random_hex(8));
    out_.reset(std::fopen(part_.c_str(), "wbe"));
    if (!out_) return fail(Fault::internal, part_.string() + " cannot be written", fmt::format("is there room in {}?", keep_.string()));
    return {};
  }

  Status take(std::string_view bytes) {
    digest_.add(bytes);
    if (is_small_) small_[path_].append(bytes);
    if (out_ && std::fwrite(bytes.data(), 1, bytes.size(), out_.get()) != bytes.size()) {
      return fail(Fault::internal, part_.string() + " cannot be written", fmt::format("is there room in {}?", keep_.string()));
    }
    return {};
  }

  Status end() {
    const auto hex = digest_.hex();
    if (is_small_) small_[path_];
    digests_[path_] = hex;
    if (!out_) return {};
    const bool flushed = std::fflush(out_.get()) == 0;
    out_.reset();
    std::error_code problem;
    if (flushed) fs::rename(part_, keep_ / hex, problem);
    if (!flushed || problem) return fail(Fault::internal, (keep_ / hex).string() + " cannot be written", "is there room?");
    part_.clear();
    return {};
  }

  void drop() {
    out_.reset();
    std::error_code ignored;
    if (!part_.empty()) fs::remove(part_, ignored);
  }

  fs::path file_;
  fs::path keep_;
  fs::path part_{};
  OpenFile out_{};
  Sha256 digest_{};
  std::string path_{};
  bool is_small_ = false;
  bool only_small_ = false;
  bool had_enough_ = false;
  std::uint64_t small_bytes_ = 0;
  std::map<std::string, std::string> digests_{};
  std::map<std::string, std::string> small_{};
};

Result<OpenedBundle> open_small(const std::map<std::string, std::string>& small, const std::string& name) {
  const auto not_ours = [&](std::string_view what) {
    return fail(Fault::validation, fmt::format("{} has no {}", name, what), "it was not written by podwright bundle create");
  };
  const auto index = small.find(std::string(index_member));
  if (index == small.end()) return not_ours(index_member);
  OpenedBundle bundle;
  auto parsed = parse_index(index->second, name);
  if (!parsed) return fail(parsed.error());
  bundle.index = std::move(*parsed);
  bundle.index_digest = sha256_hex(index->second);
  const auto lock = small.find(std::string(lock_member));
  if (lock == small.end()) return not_ours(lock_member);
  auto locked = parse_lock(lock->second, name + ": " + std::string(lock_member));
  if (!locked) {
    auto error = locked.error();
    error.fault = Fault::validation;
    return fail(std::move(error));
  }
  bundle.lock = std::move(*locked);
  bundle.lock_text = lock->second;
  for (const auto& [path, text] : small) {
    if (path.starts_with("systems/")) bundle.repos[path] = text;
  }
  if (const auto signature = small.find(std::string(signature_member)); signature != small.end()) {
    const auto document = Json::parse(signature->second, nullptr, false);
    Signature read;
    if (document.is_object() && document.contains("public_key") && document["public_key"].is_string() && document.contains("signature") && document["signature"].is_string()) {
      read = {.public_key = document["public_key"].get<std::string>(), .bytes = document["signature"].get<std::string>()};
    }
    bundle.signature = read;
  }
  return bundle;
}

PackageRequest request_of(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) return {.name = text};
  return {.name = text.substr(0, equals), .version = text.substr(equals + 1)};
}

/// The packager's name of the system's architecture, as its packages have it.
std::string packager_arch(const LockedSystem& system) {
  for (const auto& package : system.packages) {
    if (package.arch != "all" && package.arch != "noarch") return package.arch;
  }
  return system.id.arch;
}

/// The entries of Packages whose files are there.
std::string present_entries(std::string_view packages, const std::set<std::string>& lost) {
  std::string kept;
  std::size_t at = 0;
  for (auto stanza = next_stanza(packages, at); !stanza.empty(); stanza = next_stanza(packages, at)) {
    if (!lost.contains(std::string(field_of(stanza, "Filename")))) kept += std::string(stanza) + "\n";
  }
  return kept;
}

/// Whether each set of the system can be installed from the packages of the bundle that are there.
void prove_closure(const OpenedBundle& bundle, const LockedSystem& system, const std::set<std::string>& lost,
                   const std::map<std::string, std::string>& lost_names, std::vector<std::string>& problems) {
  if (system.packages.empty()) return;
  const auto folder = system_folder(system.id);
  const auto apt = bundle.repos.find(folder + "/Packages");
  PackageSolver solver(apt == bundle.repos.end() ? "rpm" : "apt", packager_arch(system));
  Status added;
  if (apt != bundle.repos.end()) {
    PackageSolver whole("apt", packager_arch(system));
    added = whole.add_packages("bundle", 500, apt->second);
    for (const auto& [path, name] : lost_names) {
      if (!added || !lost.contains(path)) continue;
      const auto needed = whole.needed_by(name);
      if (!needed.empty()) problems.push_back(fmt::format("{}: {} is needed by {}", system.id.str(), name, human_list(needed)));
    }
  }
  const auto kept = apt == bundle.repos.end() ? std::string{} : present_entries(apt->second, lost);
  if (apt != bundle.repos.end()) {
    added = solver.add_packages("bundle", 500, kept);
  } else {
    const auto primary = bundle.repos.find(folder + "/repodata/primary.xml");
    if (primary == bundle.repos.end()) {
      problems.push_back(fmt::format("{}: there is no index of its packages", system.id.str()));
      return;
    }
    added = solver.add_rpm_md_text("bundle", 500, primary->second, lost, folder + "/");
  }
  if (added && system.base != "minimal") added = solver.set_base(system.takes);
  if (!added) {
    problems.push_back(fmt::format("{}: {}", system.id.str(), added.error().what));
    return;
  }
  for (const auto& set : system.sets) {
    std::vector<PackageRequest> wanted;
    std::ranges::transform(set.packages, std::back_inserter(wanted), request_of);
    const auto closure = solver.solve(wanted);
    if (!closure) problems.push_back(fmt::format("{}, {}: {}", system.id.str(), set.name, closure.error().what));
  }
}

/// "munge 0.5.15-2 (pool/debian/munge_0.5.15-2_amd64.deb)"
std::string shown(const std::string& path, const std::map<std::string, std::string>& names) {
  const auto name = names.find(path);
  return name == names.end() ? path : fmt::format("{} ({})", name->second, path);
}

}  // namespace

std::vector<std::string> closure_problems(const OpenedBundle& bundle, const std::set<std::string>& lost) {
  std::map<std::string, std::string> names;
  const auto paths = package_paths(bundle.lock);
  for (const auto& system : bundle.lock.systems) {
    for (const auto& package : system.packages) names[paths.at(system.id).at(package.sha256)] = package.name;
  }
  std::vector<std::string> problems;
  for (const auto& system : bundle.lock.systems) prove_closure(bundle, system, lost, names, problems);
  return problems;
}

Result<OpenedBundle> inspect_bundle(const fs::path& file) {
  Reading reading(file, {});
  reading.only_small();
  if (auto read = unpack(file, reading.sink()); !read && !reading.had_enough()) return fail(read.error());
  return open_small(reading.small(), file.string());
}

Result<VerifiedBundle> verify_bundle(const fs::path& file, const VerifyOptions& options) {
  if (!options.keep.empty()) {
    if (auto made = make_directories(options.keep, 0700); !made) return fail(made.error());
  }
  Reading reading(file, options.keep);
  Sha256 whole;
  auto sink = reading.sink();
  if (options.file_digest) sink.file_bytes = [&whole](std::string_view bytes) { whole.add(bytes); };
  if (const auto read = unpack(file, sink, {}, options.stop); !read) return fail(read.error());
  auto opened = open_small(reading.small(), file.string());
  if (!opened) return fail(opened.error());
  VerifiedBundle verified{.bundle = std::move(*opened), .sha256 = options.file_digest ? whole.hex() : ""};
  std::error_code ignored;
  verified.bytes = fs::file_size(file, ignored);
  auto& problems = verified.problems;
  const auto& bundle = verified.bundle;

  std::map<std::string, std::string> names;  // path -> "munge 0.5.15-2"
  const auto paths = package_paths(bundle.lock);
  for (const auto& system : bundle.lock.systems) {
    for (const auto& package : system.packages) {
      const auto& path = paths.at(system.id).at(package.sha256);
      names[path] = package.name + " " + package.version;
    }
  }

  // The signature, and whose it is.
  if (bundle.signature) {
    if (!is_signed_by_its_key(reading.small().at(std::string(index_member)), *bundle.signature)) {
      problems.push_back(fmt::format("the signature {} is not of this {}: one of them was changed", signature_member, index_member));
    }
  }
  if (!options.public_key.empty()) {
    const auto key = read_public_key(options.public_key);
    if (!key) return fail(key.error());
    if (!bundle.signature) problems.emplace_back("it is not signed, and a key was given to check its signature with");
    else if (bundle.signature->public_key != *key) {
      problems.push_back(fmt::format("it is signed by the key {}, and not by {} ({})", fingerprint(bundle.signature->public_key), fingerprint(*key), options.public_key.string()));
    } else {
      verified.key_matches = problems.empty();
    }
  }

  // What older bundles bring.
  std::set<std::string> brought;
  std::set<std::string> known_indexes;
  for (const auto& older : options.older) {
    const auto other = verify_bundle(older, {.public_key = options.public_key, .older = {}, .closure = false, .file_digest = false, .keep = options.keep, .stop = options.stop});
    if (!other) return fail(other.error());
    for (const auto& problem : other->problems) problems.push_back(older.string() + ": " + problem);
    known_indexes.insert(other->bundle.index_digest);
    for (const auto& [path, one] : other->bundle.index.files) {
      if (one.packed) brought.insert(one.sha256);
    }
  }
  if (!bundle.index.since.empty() && !known_indexes.contains(bundle.index.since)) {
    problems.push_back(options.older.empty() ? "it holds only what an older bundle lacks: give that one, too (--since)"
                                             : "none of the older bundles is the one that it adds to");
  }

  // Members against the index.
  std::set<std::string> lost;
  for (const auto& [path, one] : bundle.index.files) {
    const auto member = reading.digests().find(path);
    if (!one.packed && member == reading.digests().end()) {
      if (!brought.contains(one.sha256)) {
        lost.insert(path);
        if (known_indexes.contains(bundle.index.since)) problems.push_back(fmt::format("{} is missing: the older bundle should have it", shown(path, names)));
      }
      continue;
    }
    if (member == reading.digests().end()) {
      lost.insert(path);
      problems.push_back(fmt::format("{} is missing", shown(path, names)));
    } else if (member->second != one.sha256) {
      lost.insert(path);
      problems.push_back(fmt::format("{} is not what the index says: it was damaged or replaced", shown(path, names)));
    }
  }
  for (const auto& [path, sha256] : reading.digests()) {
    if (path == index_member || path == signature_member || bundle.index.files.contains(path)) continue;
    problems.push_back(fmt::format("\"{}\" is in the archive and not in the index", clean_output(path)));
  }
  // The index against the lock: a package may have been taken out of both.
  for (const auto& [path, name] : names) {
    if (bundle.index.files.contains(path)) continue;
    lost.insert(path);
    problems.push_back(fmt::format("{} is missing, from the index, too", shown(path, names)));
  }
  for (const auto& system : bundle.lock.systems) {
    for (const auto& package : system.packages) {
      const auto& path = paths.at(system.id).at(package.sha256);
      const auto one = bundle.index.files.find(path);
      if (one != bundle.index.files.end() && one->second.sha256 != package.sha256) {
        lost.insert(path);
        problems.push_back(fmt::format("{} is not the one of the lock", shown(path, names)));
      }
    }
  }
  for (const auto& one : bundle.lock.files) {
    if (!bundle.index.files.contains("files/" + one.sha256)) {
      problems.push_back(fmt::format("{} is missing, which {} needs", one.source, join(one.needed_by, ", ")));
    }
  }
  if (options.closure) {
    for (auto& problem : closure_problems(bundle, lost)) problems.push_back(std::move(problem));
    verified.closed = problems.empty();
  }
  return verified;
}

}  // namespace podwright
