#include "engine/artifacts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "engine/fan_out.hpp"
#include "repo/download.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

/// The slowest link that a transfer is given time for, in bytes a second.
constexpr std::uint64_t slowest_link = 1U << 20U;

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
  std::map<std::string, std::uint64_t> tenths;
  std::size_t done = 0;
  DownloadOptions options{.stop = site.stop};
  options.progress = [&](const Download& file, std::uint64_t have, std::uint64_t total) {
    if (total == 0) return;
    // A line for every tenth: a bar of many files would not move for one that is large.
    auto& last = tenths[file.url];
    const auto now = have * 10 / total;
    if (now <= last) return;
    last = now;
    if (now == 10) ++done;
    site.events.emit(events::Progress{phase, done, downloads.size(),
                                      fmt::format("{} {} %", file.url, now * 10)});
  };
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

/// Which of these a node has, whole.
FramedScript question(const NodeId& node, const std::map<std::string, Artifact>& wanted) {
  FramedScript script("artifacts of " + node);
  for (const auto& [sha256, artifact] : wanted) {
    const auto path = fmt::format("{}/{}", artifact_folder, sha256);
    script.add({.comment = artifact.source,
                .script = fmt::format("[ -f {0} ] && sha256sum {0}", sh::quote(path)),
                .deadline = std::chrono::minutes(5)});
  }
  return script;
}

/// Reads the file on stdin; in place only once its digest is right.
std::string receiver(const std::string& sha256) {
  const auto path = sh::quote(fmt::format("{}/{}", artifact_folder, sha256));
  const auto script = fmt::format(
      "umask 077; mkdir -p {0} && cat > {1}.part || {{ rm -f {1}.part; exit 1; }}; "
      "[ \"$(sha256sum < {1}.part)\" = {2} ] && mv {1}.part {1} || {{ rm -f {1}.part; "
      "echo 'the bytes arrived damaged' >&2; exit 1; }}",
      sh::quote(std::string(artifact_folder)), path, sh::quote(sha256 + "  -"));
  return "sh -c " + sh::quote(script);
}

Millis time_for(std::uint64_t bytes) {
  return Millis(60000) + Millis(static_cast<Millis::rep>(bytes / slowest_link) * 1000);
}

}  // namespace

std::map<NodeId, Error> place_artifacts(Site& site, const Plan& plan, const std::vector<NodeId>& nodes) {
  std::map<NodeId, std::map<std::string, Artifact>> lacking;
  std::map<std::string, Artifact> all;
  for (const auto& node : nodes) {
    const auto found = plan.nodes.find(node);
    if (found == plan.nodes.end()) continue;
    auto wanted = artifacts_of(found->second);
    if (wanted.empty()) continue;
    all.insert(wanted.begin(), wanted.end());
    lacking.emplace(node, std::move(wanted));
  }
  std::map<NodeId, Error> failed;
  if (all.empty()) return failed;

  std::vector<FramedJob> jobs;
  for (const auto& [node, wanted] : lacking) jobs.push_back({node, question(node, wanted)});
  for (const auto& [node, answer] : run_framed(site, std::move(jobs), "artifacts")) {
    if (answer.error) {
      failed.emplace(node, *answer.error);
      continue;
    }
    auto& wanted = lacking.at(node);
    std::vector<std::string> there;
    std::size_t frame = 0;
    for (const auto& [sha256, artifact] : wanted) {
      const auto seen = answer.frames.find(frame++);
      if (seen != answer.frames.end() && seen->second.out.starts_with(sha256)) there.push_back(sha256);
    }
    for (const auto& sha256 : there) wanted.erase(sha256);
  }
  std::erase_if(all, [&](const auto& one) {
    return std::ranges::none_of(lacking, [&](const auto& node) {
      return !failed.contains(node.first) && node.second.contains(one.first);
    });
  });

  std::map<std::string, Error> not_fetched;
  const auto files = fetch(site, all, not_fetched);
  for (const auto& [node, wanted] : lacking) {
    for (const auto& [sha256, artifact] : wanted) {
      if (const auto lost = not_fetched.find(sha256); lost != not_fetched.end()) failed.emplace(node, lost->second);
    }
  }

  for (const auto& [sha256, path] : files) {
    if (site.stop.stop_requested()) break;
    const auto file = MappedFile::open(path);
    std::vector<Request> requests;
    for (const auto& [node, wanted] : lacking) {
      if (failed.contains(node) || !wanted.contains(sha256)) continue;
      if (!file) {
        failed.emplace(node, file.error());
        continue;
      }
      requests.push_back({.node = node,
                          .command = receiver(sha256),
                          .attached = file->bytes(),
                          .deadline = time_for(file->bytes().size()),
                          .max_output = 4096});
    }
    if (requests.empty()) continue;
    const auto& name = all.at(sha256).source;
    site.events.info(fmt::format("sending {} to {}", name, count_of(requests.size(), "node")));
    for (auto& [node, reply] : site.transport.run(requests, nullptr, site.stop)) {
      if (reply && reply->exit_status == 0) continue;
      Error error = reply ? Error{.fault = Fault::remote,
                                  .what = fmt::format("{} could not be sent: {}", name,
                                                      clean_output(trim(reply->err))),
                                  .hint = fmt::format("is there room in {}?", artifact_folder)}
                          : reply.error();
      error.node = node;
      failed.emplace(node, std::move(error));
    }
  }
  return failed;
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
