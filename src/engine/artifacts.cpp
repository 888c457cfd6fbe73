#include "engine/artifacts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "engine/distribute.hpp"
#include "engine/download_progress.hpp"
#include "repo/download.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

bool is_url(const std::string& source) { return source.find("://") != std::string::npos; }

/// The artifacts of a node's steps, each once.
std::map<std::string, Artifact> artifacts_of(const NodePlan& plan) {
  std::map<std::string, Artifact> all;
  for (const auto& step : plan.steps) {
    for (const auto& artifact : step.artifacts) all.emplace(artifact.sha256, artifact);
  }
  return all;
}

/// On the head: sha256 -> file. What cannot be had is in `failed`.
std::map<std::string, fs::path> fetch(Site& site, const std::map<std::string, Artifact>& wanted,
                                      std::map<std::string, Error>& failed) {
  std::map<std::string, fs::path> files;
  std::vector<Download> downloads;
  const auto cache = fs::path(site.inventory.state_dir) / "artifacts";
  for (const auto& [sha256, artifact] : wanted) {
    if (is_url(artifact.source)) {
      downloads.push_back({.url = artifact.source, .path = cache / sha256, .sha256 = sha256});
      continue;
    }
    const auto path = fs::path(site.inventory.directory) / expand_home(artifact.source);
    const auto digest = sha256_of_file(path);
    if (!digest) {
      failed.emplace(sha256, digest.error());
      failed.at(sha256).hint = "`source` is a path on this machine, relative to cluster.toml";
    } else if (*digest != sha256) {
      failed.emplace(sha256, Error{.fault = Fault::validation,
                                   .what = fmt::format("{} has the SHA-256 {}, and {} was asked for",
                                                       path.string(), *digest, sha256),
                                   .hint = "take the right file, or correct `sha256` in the profile"});
    } else {
      files[sha256] = path;
    }
  }
  if (downloads.empty()) return files;

  constexpr auto phase = "fetch";
  site.events.emit(events::PhaseStarted{phase, downloads.size()});
  const auto begun = std::chrono::steady_clock::now();
  const DownloadOptions options{.stop = site.stop, .progress = download_progress(site.events, phase, downloads.size())};
  const auto lost = download(downloads, options);
  for (const auto& file : downloads) {
    if (const auto found = lost.find(file.url); found != lost.end()) failed.emplace(file.sha256, found->second);
    else files[file.sha256] = file.path;
  }
  const auto elapsed = std::chrono::steady_clock::now() - begun;
  site.events.emit(events::PhaseFinished{phase, lost.empty(),
                                         std::chrono::duration_cast<std::chrono::milliseconds>(elapsed)});
  return files;
}

}  // namespace

std::map<NodeId, Error> place_artifacts(Site& site, const Plan& plan, const std::vector<NodeId>& nodes) {
  Distribution job{.phase = "artifacts", .folder = std::string(artifact_folder)};
  std::map<std::string, Artifact> all;
  for (const auto& node : nodes) {
    const auto found = plan.nodes.find(node);
    if (found == plan.nodes.end()) continue;
    for (const auto& [sha256, artifact] : artifacts_of(found->second)) {
      all.emplace(sha256, artifact);
      job.parcels[sha256].name = artifact.source;
      job.wanted[node].insert(sha256);
    }
  }
  if (all.empty()) return {};
  job.provide = [&](const std::set<std::string>& lacking, std::map<std::string, Parcel>& parcels) {
    std::map<std::string, Artifact> wanted;
    for (const auto& sha256 : lacking) wanted.emplace(sha256, all.at(sha256));
    std::map<std::string, Error> not_fetched;
    for (const auto& [sha256, path] : fetch(site, wanted, not_fetched)) {
      std::error_code unreadable;
      parcels.at(sha256).path = path;
      parcels.at(sha256).size = fs::file_size(path, unreadable);
    }
    return not_fetched;
  };
  return distribute(site, std::move(job)).failed;
}

void remove_artifacts(Site& site, const Plan& plan, const std::vector<NodeId>& nodes) {
  std::vector<Request> requests;
  for (const auto& node : nodes) {
    const auto found = plan.nodes.find(node);
    if (found == plan.nodes.end() || artifacts_of(found->second).empty()) continue;
    requests.push_back({.node = node, .command = "rm -rf " + sh::quote(std::string(artifact_folder)), .max_output = 4096});
  }
  if (!requests.empty()) site.transport.run(requests, nullptr, site.stop);
}

}  // namespace podwright
