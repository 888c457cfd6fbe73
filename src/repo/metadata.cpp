#include "repo/metadata.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <set>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/open_file.hpp"
#include "base/text.hpp"
#include "repo/deb822.hpp"
#include "repo/openpgp.hpp"
#include "repo/rpm_md.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

/// The largest signed file of a distribution has some hundred KiB.
constexpr std::uint64_t most_signed_bytes = 64U << 20U;

std::string without_slash(std::string uri) {
  while (uri.ends_with('/')) uri.pop_back();
  return uri;
}

/// From the first mirror that has it. `error` tells of the last one.
Status fetch(const std::vector<std::string>& uris, const std::string& path, Download file,
             const MetadataOptions& options) {
  Error error{.fault = Fault::usage, .what = "a repository has no URI"};
  for (const auto& uri : uris) {
    file.url = without_slash(uri) + "/" + path;
    auto failed = download({file}, options.download);
    if (failed.empty()) return {};
    error = failed.begin()->second;
    if (options.download.stop.stop_requested()) break;
  }
  error.hint = "is this machine online, and the URI right? Behind a proxy, set http_proxy and https_proxy";
  return fail(std::move(error));
}

/// RFC 2822 in UTC, as Release files have it; 0 when it cannot be read.
std::time_t read_date(std::string_view text) {
  std::tm when{};
  const std::string copy(text);
  if (::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S", &when) == nullptr) return 0;
  return ::timegm(&when);
}

struct ArchiveDeleter {
  void operator()(archive* one) const { archive_read_free(one); }
};

/// Decompresses `from` into `to`, which appears only whole and as its Release file has it.
Status decompress(const fs::path& from, const fs::path& to, const ReleaseFile& wanted, const std::string& what) {
  const std::unique_ptr<archive, ArchiveDeleter> reader(archive_read_new());
  archive_read_support_filter_all(reader.get());
  archive_read_support_format_raw(reader.get());
  archive_entry* entry = nullptr;
  const auto broken = [&] {
    const char* why = archive_error_string(reader.get());
    return fail(Fault::validation, fmt::format("{} cannot be decompressed: {}", what, why == nullptr ? "unknown reason" : why),
                "fetch it again; else the mirror is damaged");
  };
  if (archive_read_open_filename(reader.get(), from.c_str(), 1U << 18U) != ARCHIVE_OK) return broken();
  if (archive_read_next_header(reader.get(), &entry) != ARCHIVE_OK) return broken();
  const auto part = to.string() + ".part-" + random_hex(4);
  {
    const OpenFile out(std::fopen(part.c_str(), "wbe"));
    if (!out) return fail(Fault::internal, part + " cannot be written");
    const void* block = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    std::uint64_t total = 0;
    for (;;) {
      const auto next = archive_read_data_block(reader.get(), &block, &size, &offset);
      if (next == ARCHIVE_EOF) break;
      total += size;
      if (total > wanted.size) break;
      if (next != ARCHIVE_OK || std::fwrite(block, 1, size, out.get()) != size) {
        ::unlink(part.c_str());
        return broken();
      }
    }
  }
  const auto digest = sha256_of_file(part);
  if (!digest || *digest != wanted.sha256) {
    ::unlink(part.c_str());
    return fail(Fault::validation, what + " is not what its Release file says once it is decompressed", "the mirror is damaged");
  }
  std::error_code problem;
  fs::rename(part, to, problem);
  if (problem) return fail(Fault::internal, to.string() + " cannot be written: " + problem.message());
  return {};
}

bool is_whole(const fs::path& file, const std::string& sha256) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return false;
  const auto digest = sha256_of_file(file);
  return digest && *digest == sha256;
}

// --- apt ---------------------------------------------------------------------------------------------

/// The signed text of a suite.
Result<Signed> fetch_release(const RepoSpec& repo, const std::string& suite, const std::string& folder,
                             const MetadataOptions& options) {
  const auto what = fmt::format("{} {}", repo.name, suite);
  // The name tells mirrors apart: one must not be asked for what is newer than another's.
  const auto id = sha256_hex(join(repo.uris, " ") + " " + folder).substr(0, 16);
  const auto place = options.cache / "releases" / (repo.name + "-" + id);
  const auto in_release = fs::path(place.string() + ".InRelease");
  const auto fetched = fetch(repo.uris, folder + "InRelease", {.url = {}, .path = in_release, .sha256 = {}, .if_newer = true, .most_bytes = most_signed_bytes}, options);
  Result<Signed> release = fail(Fault::internal, "");
  if (fetched) {
    if (repo.check_signature) {
      release = verify_clearsigned(in_release, repo.keys, what + " InRelease");
    } else {
      auto text = read_file(in_release);
      if (!text) return fail(text.error());
      release = Signed{.text = std::move(*text), .fingerprints = {}};
    }
  } else {
    const auto plain = fs::path(place.string() + ".Release");
    const auto signature = fs::path(place.string() + ".Release.gpg");
    if (auto got = fetch(repo.uris, folder + "Release", {.url = {}, .path = plain, .sha256 = {}, .if_newer = true, .most_bytes = most_signed_bytes}, options); !got) {
      return fail(fetched.error());
    }
    if (repo.check_signature) {
      if (auto got = fetch(repo.uris, folder + "Release.gpg", {.url = {}, .path = signature, .sha256 = {}, .if_newer = true, .most_bytes = most_signed_bytes}, options); !got) {
        return fail(Fault::validation, what + " is not signed: it has neither InRelease nor Release.gpg",
                    "a repository without a signature is taken only with `trusted = true` in its definition");
      }
      release = verify_detached(plain, signature, repo.keys, what + " Release");
    } else {
      auto text = read_file(plain);
      if (!text) return fail(text.error());
      release = Signed{.text = std::move(*text), .fingerprints = {}};
    }
  }
  if (!release) {
    // Or one by the right key that is older than it would never be asked for.
    std::error_code ignored;
    for (const auto* ending : {".InRelease", ".Release", ".Release.gpg"}) fs::remove(place.string() + ending, ignored);
    return release;
  }
  const auto until = field_of(release->text, "Valid-Until");
  if (!until.empty() && repo.check_valid_until) {
    const auto end = read_date(until);
    if (end != 0 && end < std::chrono::system_clock::to_time_t(options.now)) {
      return fail(Fault::validation, fmt::format("{}: its metadata was valid until {}: the mirror is old, or holds back what is new", what, until),
                  "use another mirror; for a frozen one set `check_valid_until = false` in its definition");
    }
  }
  return release;
}

Result<RepoIndex> fetch_packages(const RepoSpec& repo, const std::string& folder, const std::string& index,
                                 const std::string& what, std::string_view release, const MetadataOptions& options) {
  const auto files = release_files(release);
  const auto plain = files.find(index);
  if (plain == files.end()) {
    return fail(Fault::validation, fmt::format("{} has no {}: the Release file does not name it with a SHA-256", what, index),
                "does the repository have this architecture and component?");
  }
  const auto objects = options.cache / "objects";
  RepoIndex found{.repo = repo.name, .priority = repo.priority, .packages = objects / plain->second.sha256, .filelists = {}};
  if (is_whole(found.packages, plain->second.sha256)) return found;
  if (auto made = make_directories(objects); !made) return fail(made.error());
  const bool by_hash = field_of(release, "Acquire-By-Hash") == "yes";
  for (const auto* ending : {".xz", ".zst", ".gz", ""}) {
    const auto packed = files.find(index + ending);
    if (packed == files.end()) continue;
    const auto slash = packed->first.rfind('/');
    const auto in = slash == std::string::npos ? std::string{} : packed->first.substr(0, slash + 1);
    const Download file{.url = {}, .path = *ending == '\0' ? found.packages : objects / packed->second.sha256, .sha256 = packed->second.sha256, .most_bytes = packed->second.size};
    // By its hash it stays what the Release file means while the mirror is being updated.
    auto got = by_hash ? fetch(repo.uris, folder + in + "by-hash/SHA256/" + packed->second.sha256, file, options)
                       : fetch(repo.uris, folder + packed->first, file, options);
    if (!got && by_hash) got = fetch(repo.uris, folder + packed->first, file, options);
    if (!got) return fail(got.error());
    if (*ending == '\0') return found;
    if (auto done = decompress(file.path, found.packages, plain->second, what + " " + packed->first); !done) return fail(done.error());
    std::error_code ignored;
    fs::remove(file.path, ignored);
    return found;
  }
  return fail(Fault::validation, fmt::format("{}: {} comes in no form that can be read", what, index));
}

Result<FetchedRepo> fetch_apt(const RepoSpec& repo, const std::string& arch, const MetadataOptions& options) {
  FetchedRepo fetched{.locked = {.name = repo.name, .packager = "apt", .uris = repo.uris, .suites = repo.suites, .components = repo.components},
                      .indexes = {}, .base_urls = repo.uris};
  std::set<std::string> signers;
  for (const auto& suite : repo.suites) {
    const bool flat = suite.ends_with('/');
    const auto folder = flat ? (suite == "/" || suite == "./" ? std::string{} : suite) : "dists/" + suite + "/";
    const auto release = fetch_release(repo, suite, folder, options);
    if (!release) return fail(release.error());
    signers.insert(release->fingerprints.begin(), release->fingerprints.end());
    const auto what = fmt::format("{} {}", repo.name, suite);
    std::vector<std::string> wanted;
    if (flat) {
      wanted.emplace_back("Packages");
    } else {
      for (const auto& component : repo.components) wanted.push_back(fmt::format("{}/binary-{}/Packages", component, arch));
    }
    for (const auto& index : wanted) {
      auto packages = fetch_packages(repo, folder, index, what, release->text, options);
      if (!packages) return fail(packages.error());
      fetched.indexes.push_back(std::move(*packages));
    }
  }
  fetched.locked.signed_by.assign(signers.begin(), signers.end());
  return fetched;
}

// --- rpm-md ------------------------------------------------------------------------------------------

Result<FetchedRepo> fetch_rpm_md(const RepoSpec& repo, const MetadataOptions& options) {
  FetchedRepo fetched{.locked = {.name = repo.name, .packager = "rpm", .uris = repo.uris}, .indexes = {}, .base_urls = repo.uris};
  const auto id = sha256_hex(join(repo.uris, " ")).substr(0, 16);
  const auto place = options.cache / "releases" / (repo.name + "-" + id);
  const auto repomd = fs::path(place.string() + ".repomd.xml");
  const auto what = repo.name + " repomd.xml";
  if (auto got = fetch(repo.uris, "repodata/repomd.xml", {.url = {}, .path = repomd, .sha256 = {}, .if_newer = true, .most_bytes = most_signed_bytes}, options); !got) {
    return fail(got.error());
  }
  std::string text;
  if (repo.check_signature) {
    const auto signature = fs::path(place.string() + ".repomd.xml.asc");
    if (auto got = fetch(repo.uris, "repodata/repomd.xml.asc", {.url = {}, .path = signature, .sha256 = {}, .if_newer = true, .most_bytes = most_signed_bytes}, options); !got) {
      return fail(Fault::validation, what + " is not signed: there is no repomd.xml.asc",
                  "a repository without a signature is taken only with `trusted = true` in its definition");
    }
    auto release = verify_detached(repomd, signature, repo.keys, what);
    if (!release) {
      std::error_code ignored;
      fs::remove(repomd, ignored);
      fs::remove(signature, ignored);
      return fail(release.error());
    }
    text = std::move(release->text);
    fetched.locked.signed_by = std::move(release->fingerprints);
  } else {
    auto read = read_file(repomd);
    if (!read) return fail(read.error());
    text = std::move(*read);
  }
  const auto parts = read_repomd(text);
  if (!parts) return fail(Fault::validation, fmt::format("{}: {}", what, parts.error().what), parts.error().hint);
  RepoIndex index{.repo = repo.name, .priority = repo.priority, .packages = {}, .filelists = {}, .has_modules = parts->contains("modules") && !repo.module_hotfixes};
  for (const auto* type : {"primary", "filelists"}) {
    const auto part = parts->find(type);
    if (part == parts->end()) {
      if (std::strcmp(type, "filelists") == 0) continue;
      return fail(Fault::validation, what + " names no primary.xml with a SHA-256");
    }
    // libsolv knows the compression by the name's ending.
    const auto ending = part->second.href.substr(part->second.href.rfind('/') + 1);
    const auto dot = ending.find(".xml");
    const auto file = options.cache / "objects" / (part->second.sha256 + (dot == std::string::npos ? ".xml" : ending.substr(dot)));
    if (auto got = fetch(repo.uris, part->second.href, {.url = {}, .path = file, .sha256 = part->second.sha256}, options); !got) {
      return fail(got.error());
    }
    (std::strcmp(type, "primary") == 0 ? index.packages : index.filelists) = file;
  }
  fetched.indexes.push_back(std::move(index));
  return fetched;
}

}  // namespace

Result<FetchedRepo> fetch_repo(const RepoSpec& repo, const std::string& arch, const MetadataOptions& options) {
  if (repo.check_signature && repo.keys.empty()) {
    return fail(Fault::usage, fmt::format("there is no key to check the repository {} with", repo.name),
                "give its armored public key");
  }
  if (auto made = make_directories(options.cache / "releases"); !made) return fail(made.error());
  return repo.packager == "apt" ? fetch_apt(repo, arch, options) : fetch_rpm_md(repo, options);
}

std::vector<std::string> urls_of(const LockedRepo& repo, const LockedPackage& package) {
  std::vector<std::string> urls;
  for (const auto& uri : repo.uris) urls.push_back(without_slash(uri) + "/" + package.path);
  return urls;
}

}  // namespace podwright
