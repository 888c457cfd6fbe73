#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "bundle/bundle.hpp"
#include "bundle/proven.hpp"
#include "repo/deb_file.hpp"
#include "repo/metadata.hpp"
#include "repo/rpm_file.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

/// A file that is on its way into the bundle, and where it may be had.
struct Needed {
  std::string name;
  std::vector<std::string> urls;
  std::uint64_t size = 0;  ///< 0: not known
};

/// Fetches by digest into the cache, mirror after mirror.
Status fetch_all(std::map<std::string, Needed> needed, const BundleOptions& options) {
  const auto place = [&](const std::string& sha256) { return options.cache / "packages" / sha256; };
  // What is in the cache was proven when it came, and is proven again when it is packed.
  std::erase_if(needed, [&](const auto& one) {
    std::error_code problem;
    return one.second.size > 0 && fs::file_size(place(one.first), problem) == one.second.size && !problem;
  });
  for (std::size_t mirror = 0; !needed.empty(); ++mirror) {
    std::vector<Download> downloads;
    std::map<std::string, std::string> digests;  // URL -> digest
    for (const auto& [sha256, one] : needed) {
      if (mirror >= one.urls.size()) continue;
      downloads.push_back({.url = one.urls[mirror], .path = place(sha256), .sha256 = sha256, .most_bytes = one.size});
      digests[one.urls[mirror]] = sha256;
    }
    if (downloads.empty()) break;
    const auto failed = download(downloads, options.download);
    std::map<std::string, Needed> left;
    for (const auto& [url, error] : failed) {
      const auto& sha256 = digests.at(url);
      const auto& one = needed.at(sha256);
      if (options.download.stop.stop_requested() || mirror + 1 >= one.urls.size()) {
        auto told = error;
        told.what = fmt::format("{}: {}", one.name, error.what);
        if (error.fault == Fault::unreachable) told.hint = "what was fetched is kept, so run it again; a package that its mirror has no more wants a new lock";
        return fail(std::move(told));
      }
      left.emplace(sha256, one);
    }
    needed = std::move(left);
  }
  return {};
}

/// Everything that the bundle holds besides packages and files.
using Texts = std::map<std::string, std::string>;

/// Packages and Release, from the packages themselves: a mirror that has moved on plays no part.
Status add_apt_repo(const LockedSystem& system, const std::map<std::string, std::string>& paths, const fs::path& packages, Texts& texts) {
  std::string index;
  for (const auto& package : system.packages) {
    const auto control = control_of_deb(packages / package.sha256);
    if (!control) return fail(control.error());
    index += fmt::format("{}Filename: {}\nSize: {}\nSHA256: {}\n\n", *control, paths.at(package.sha256), package.size, package.sha256);
  }
  const auto folder = system_folder(system.id);
  texts[folder + "/Release"] = fmt::format(
      "Origin: podwright\nLabel: podwright\nDate: Thu, 01 Jan 1970 00:00:00 UTC\nSHA256:\n {} {} Packages\n",
      sha256_hex(index), index.size());
  texts[folder + "/Packages"] = std::move(index);
  return {};
}

/// A package that cannot be read may have been damaged in the cache, and must not stay there then.
tl::unexpected<Error> unreadable(Error error, const LockedSystem& system, const fs::path& packages) {
  for (const auto& package : system.packages) {
    const auto file = packages / package.sha256;
    const auto digest = sha256_of_file(file);
    if (digest && *digest == package.sha256) continue;
    std::error_code ignored;
    fs::remove(file, ignored);
    error.what = fmt::format("{} {} was damaged in the cache", package.name, package.version);
    error.hint = "it was removed from there: try again, and it is fetched anew";
  }
  return fail(std::move(error));
}

bool is_apt(const LockedSystem& system) {
  return std::ranges::all_of(system.repos, [](const auto& repo) { return repo.packager == "apt"; });
}

}  // namespace

Result<CreatedBundle> create_bundle(const Lock& lock, const std::string& lock_text, const fs::path& file, const BundleOptions& options) {
  const auto packages = options.cache / "packages";
  if (auto made = make_directories(packages); !made) return fail(made.error());
  const auto paths = package_paths(lock);

  std::map<std::string, Needed> needed;
  std::map<std::string, fs::path> sources;  // digest -> file
  for (const auto& system : lock.systems) {
    for (const auto& package : system.packages) {
      const auto repo = std::ranges::find(system.repos, package.repo, &LockedRepo::name);
      needed.emplace(package.sha256, Needed{.name = package.name + " " + package.version, .urls = urls_of(*repo, package), .size = package.size});
      sources[package.sha256] = packages / package.sha256;
    }
  }
  for (const auto& one : lock.files) {
    if (one.source.find("://") != std::string::npos) {
      needed.emplace(one.sha256, Needed{.name = join(one.needed_by, ", "), .urls = {one.source}});
      sources[one.sha256] = packages / one.sha256;
      continue;
    }
    const auto path = options.directory / expand_home(one.source);
    std::error_code problem;
    if (!fs::is_regular_file(path, problem)) {
      return fail(Fault::usage, fmt::format("{}: there is no file {}", join(one.needed_by, ", "), path.string()), "a source is a path on this machine, relative to cluster.toml");
    }
    sources[one.sha256] = path;
  }
  if (auto fetched = fetch_all(std::move(needed), options); !fetched) return fail(fetched.error());

  Texts texts;
  texts[std::string(lock_member)] = lock_text;
  std::map<std::string, std::string> members;  // path -> digest
  for (const auto& system : lock.systems) {
    if (system.packages.empty()) continue;
    const auto& own = paths.at(system.id);
    for (const auto& [sha256, path] : own) members[path] = sha256;
    if (is_apt(system)) {
      if (auto done = add_apt_repo(system, own, packages, texts); !done) return unreadable(done.error(), system, packages);
    } else {
      auto metadata = rpm_metadata(system, own, system_folder(system.id), packages);
      if (!metadata) return unreadable(metadata.error(), system, packages);
      texts.merge(*metadata);
    }
  }
  for (const auto& one : lock.files) members["files/" + one.sha256] = one.sha256;

  BundleIndex index{.profile = lock.profile, .since = options.since ? options.since_digest : "", .files = {}};
  std::set<std::string> there;
  if (options.since) {
    for (const auto& [path, one] : options.since->files) there.insert(one.sha256);
  }
  CreatedBundle created;
  for (const auto& [path, text] : texts) index.files[path] = {.size = text.size(), .sha256 = sha256_hex(text)};
  for (const auto& [path, sha256] : members) {
    std::error_code problem;
    const auto size = fs::file_size(sources.at(sha256), problem);
    if (problem) return fail(Fault::internal, sources.at(sha256).string() + ": " + problem.message());
    const bool packed = !there.contains(sha256);
    index.files[path] = {.size = size, .sha256 = sha256, .packed = packed};
    ++(packed ? created.artifacts : created.left_out);
  }

  Packer packer(file);
  if (auto opened = packer.open(); !opened) return fail(opened.error());
  const auto index_json = index_text(index);
  if (auto done = packer.add(std::string(index_member), index_json); !done) return fail(done.error());
  if (!options.key.empty()) {
    const auto signature = sign(index_json, options.key);
    if (!signature) return fail(signature.error());
    const Json document = {{"algorithm", "ed25519"}, {"public_key", signature->public_key}, {"signature", signature->bytes}};
    if (auto done = packer.add(std::string(signature_member), document.dump(1) + "\n"); !done) return fail(done.error());
    created.signed_by = fingerprint(signature->public_key);
  }
  // Small members first: who only looks need not read all.
  for (const auto& [path, text] : texts) {
    if (auto done = packer.add(path, text); !done) return fail(done.error());
  }
  ProvenFiles proven(options.cache / "proven.json");
  for (const auto& [path, sha256] : members) {
    if (options.download.stop.stop_requested()) return fail(Fault::cancelled, "interrupted; no bundle was written");
    const auto& one = index.files.at(path);
    if (!one.packed) continue;
    const auto& source = sources.at(sha256);
    const auto state = ProvenFiles::state_of(source);
    const bool known = proven.knows(source, sha256);
    if (auto done = packer.add_file(path, source, one.size, known ? "" : sha256); !done) {
      auto error = done.error();
      if (error.fault == Fault::validation && source.parent_path() == packages) {
        std::error_code ignored;
        fs::remove(source, ignored);
        error.hint = "it was removed from the cache: try again, and it is fetched anew";
      }
      return fail(std::move(error));
    }
    // As it was before it was read: what was written meanwhile was not proven.
    if (!known) proven.note(sha256, state);
  }
  if (auto saved = proven.save(); !saved) return fail(saved.error());
  const auto packed = packer.finish();
  if (!packed) return fail(packed.error());
  OpenedBundle bundle{.index = std::move(index), .index_digest = {}, .lock = lock, .lock_text = lock_text};
  bundle.repos = std::move(texts);
  created.problems = closure_problems(bundle);
  created.bytes = packed->bytes;
  created.sha256 = packed->sha256;
  return created;
}

}  // namespace podwright
