#include "engine/offline.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "engine/artifacts.hpp"
#include "engine/fan_out.hpp"
#include "engine/framed_script.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

const LockedSystem* system_of(const Lock& lock, const Facts& facts) {
  for (const auto& system : lock.systems) {
    const auto& version = facts.os.version;
    const bool same_version = version == system.id.version || version.starts_with(system.id.version + ".");
    if (system.id.os == facts.os.id && same_version && system.id.arch == facts.arch) return &system;
  }
  return nullptr;
}

/// What of the bundle a node needs: path in the bundle -> digest.
std::map<std::string, std::string> files_for(const OfflineSource& source, const LockedSystem& system, const Facts& facts) {
  std::map<std::string, std::string> files;
  const auto folder = system_folder(system.id) + "/";
  for (const auto& [path, one] : source.bundle.index.files) {
    if (path.starts_with(folder)) files[path] = one.sha256;
  }
  const auto paths = package_paths(source.bundle.lock);
  for (const auto& package : system.packages) {
    const auto& path = paths.at(system.id).at(package.sha256);
    const auto installed = facts.packages.find(package.name);
    if (installed != facts.packages.end() && installed->second == package.version) files.erase(path);
    else files[path] = package.sha256;
  }
  return files;
}

/// Lays the repository out of the files that have arrived, and has apt read its index. Everything in it was
/// proven against the bundle's index before it came here: hence trusted=yes and gpgcheck=0.
std::string layout_script(const LockedSystem& system, const std::map<std::string, std::string>& files) {
  std::string script = sh::assign("b", bundle_folder) + sh::assign("a", artifact_folder) +
                       sh::assign("system", system_folder(system.id)) + R"sh(
umask 022
rm -rf "$b" || exit
mkdir -p "$b/apt/lists/partial" "$b/apt/parts" "$b/yum.repos.d" "$b/bin" || exit
put() { # DIGEST PATH
  mkdir -p "$b/${2%/*}" && { ln "$a/$1" "$b/$2" 2>/dev/null || cp "$a/$1" "$b/$2"; } && chmod 644 "$b/$2"
}
)sh";
  for (const auto& [path, sha256] : files) script += fmt::format("put {} {} || exit\n", sha256, sh::quote(path));
  script += R"sh(
cat >"$b/apt/apt.conf" <<CONF || exit
Dir::Etc::sourcelist "$b/apt/sources.list";
Dir::Etc::sourceparts "$b/apt/parts";
Dir::State::lists "$b/apt/lists";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
APT::Sandbox::User "root";
CONF
echo "deb [trusted=yes] file:$b $system/" >"$b/apt/sources.list" || exit
cat >"$b/yum.repos.d/podwright.repo" <<CONF || exit
[podwright-bundle]
name=podwright bundle
baseurl=file://$b/$system
enabled=1
gpgcheck=0
metadata_expire=0
CONF
for tool in dnf yum zypper; do
  real=$(command -v "$tool") || continue
  case $tool in
    zypper) option="--reposd-dir $b/yum.repos.d" ;;
    *) option="--setopt=reposdir=$b/yum.repos.d" ;;
  esac
  printf '#!/bin/sh\nexec %s %s "$@"\n' "$real" "$option" >"$b/bin/$tool" && chmod 755 "$b/bin/$tool" || exit
done
if command -v apt-get >/dev/null 2>&1; then
  out=$(APT_CONFIG=$b/apt/apt.conf apt-get -q update 2>&1) || { printf '%s\n' "$out" >&2; exit 1; }
fi
)sh";
  return script;
}

/// The nodes whose operating system the bundle is not for.
std::map<NodeId, Error> unfit_nodes(const OfflineSource& source, const std::map<NodeId, Facts>& facts, const std::vector<NodeId>& nodes) {
  std::map<NodeId, Error> unfit;
  for (const auto& node : nodes) {
    if (system_of(source.bundle.lock, facts.at(node)) != nullptr) continue;
    const auto& os = facts.at(node).os;
    unfit[node] = {.fault = Fault::validation,
                   .what = fmt::format("the bundle has nothing for {} {} on {}", os.id, os.version, facts.at(node).arch),
                   .node = node,
                   .hint = "lock for it, too, and make the bundle anew"};
  }
  return unfit;
}

Parcel parcel_of(const OfflineSource& source, const std::string& path, const std::string& sha256) {
  const auto file = source.bundle.index.files.find(path);
  return {.name = path.substr(path.rfind('/') + 1), .path = source.members / sha256, .size = file == source.bundle.index.files.end() ? 0 : file->second.size};
}

/// The repositories and packages, as one transfer to those that they are for.
Distribution distribution_of(const OfflineSource& source, const std::map<NodeId, Facts>& facts, const std::vector<NodeId>& nodes) {
  Distribution job{.phase = "bundle", .folder = std::string(artifact_folder)};
  for (const auto& node : nodes) {
    const auto* system = system_of(source.bundle.lock, facts.at(node));
    if (system == nullptr) continue;
    for (const auto& [path, sha256] : files_for(source, *system, facts.at(node))) {
      if (job.wanted[node].insert(sha256).second) job.parcels.try_emplace(sha256, parcel_of(source, path, sha256));
    }
  }
  return job;
}

}  // namespace

Result<OfflineSource> open_source(const Inventory& inventory, const fs::path& file, const std::vector<fs::path>& older,
                                  const fs::path& public_key, const std::stop_token& stop) {
  const auto members = fs::path(inventory.state_dir) / "artifacts";
  auto verified = verify_bundle(file, {.public_key = public_key, .older = older, .closure = true, .file_digest = false, .keep = members, .stop = stop});
  if (!verified) return fail(verified.error());
  if (!verified->problems.empty()) {
    return fail(Fault::validation, fmt::format("{} is not fit for use: {}", file.string(), verified->problems.front()),
                fmt::format("`podwright bundle verify {}` tells everything; nothing of it was used", file.string()));
  }
  return OfflineSource{.bundle = std::move(verified->bundle), .members = members};
}

Distributed push_bundle(Site& site, const OfflineSource& source, const std::map<NodeId, Facts>& facts,
                        const std::vector<NodeId>& nodes, const TransferOptions& options) {
  auto job = distribution_of(source, facts, nodes);
  job.rate = options.rate;
  job.chains = options.chains;
  job.direct = options.direct;
  // Which of them its steps will ask for is for a plan to say.
  for (auto& [node, wanted] : job.wanted) {
    for (const auto& file : source.bundle.lock.files) wanted.insert(file.sha256);
  }
  for (const auto& file : source.bundle.lock.files) job.parcels[file.sha256] = parcel_of(source, "files/" + file.sha256, file.sha256);
  auto unfit = unfit_nodes(source, facts, nodes);
  auto sent = job.wanted.empty() ? Distributed{} : distribute(site, std::move(job));
  sent.failed.merge(unfit);
  return sent;
}

std::map<NodeId, Error> place_bundle(Site& site, const OfflineSource& source, const std::map<NodeId, Facts>& facts,
                                     const std::vector<NodeId>& nodes) {
  auto failed = unfit_nodes(source, facts, nodes);
  std::map<NodeId, std::string> layouts;
  for (const auto& node : nodes) {
    if (failed.contains(node)) continue;
    const auto& system = *system_of(source.bundle.lock, facts.at(node));
    layouts[node] = layout_script(system, files_for(source, system, facts.at(node)));
  }
  if (layouts.empty()) return failed;
  failed.merge(distribute(site, distribution_of(source, facts, nodes)).failed);

  std::vector<FramedJob> jobs;
  for (const auto& [node, text] : layouts) {
    if (failed.contains(node)) continue;
    FramedScript script("bundle of " + node);
    script.add({.comment = "the bundle's repository", .script = text, .deadline = std::chrono::minutes(5)});
    jobs.push_back({node, std::move(script)});
  }
  for (const auto& [node, answer] : run_framed(site, jobs, "bundle")) {
    const auto frame = answer.frames.find(0);
    if (answer.error) {
      failed.emplace(node, *answer.error);
    } else if (frame == answer.frames.end() || frame->second.exit_status != 0) {
      const auto said = frame == answer.frames.end() ? std::string("its script never ended")
                                                     : std::string(trim(frame->second.err));
      failed.emplace(node, Error{.fault = Fault::remote,
                                 .what = "the bundle's repository could not be made: " + said,
                                 .node = node,
                                 .hint = fmt::format("is there room in {}?", bundle_folder)});
    }
  }
  return failed;
}

std::string bundle_environment() {
  return fmt::format("PODWRIGHT_BUNDLE={0}\nAPT_CONFIG={0}/apt/apt.conf\nPATH={0}/bin:$PATH\n"
                     "export PODWRIGHT_BUNDLE APT_CONFIG PATH\n", bundle_folder);
}

void remove_bundle(Site& site, const std::vector<NodeId>& nodes) {
  std::vector<Request> requests;
  for (const auto& node : nodes) {
    requests.push_back({.node = node, .command = fmt::format("rm -rf {} {}", bundle_folder, artifact_folder), .max_output = 4096});
  }
  if (!requests.empty()) site.transport.run(requests, nullptr, site.stop);
}

}  // namespace podwright
