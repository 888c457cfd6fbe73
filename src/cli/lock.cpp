#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/cache_folder.hpp"
#include "cli/commands.hpp"
#include "config/lock_file.hpp"
#include "engine/gather.hpp"
#include "engine/lock.hpp"
#include "engine/recorded_facts.hpp"

namespace podwright::cli {

namespace fs = std::filesystem;

namespace {

struct Options {
  std::vector<std::string> systems;
  std::string facts;
  std::string base;
  std::string out;
  std::string cache;
};

/// The nodes' operating systems, each with its nodes.
Result<std::vector<LockTarget>> targets_of(const std::map<NodeId, Facts>& facts, const fs::path& directory, bool base_of_nodes) {
  std::map<SystemId, std::map<NodeId, Facts>> systems;
  for (const auto& [node, one] : facts) systems[{one.os.id, one.os.version, one.arch}][node] = one;
  std::vector<LockTarget> targets;
  for (auto& [id, nodes] : systems) {
    auto distribution = load_os_release(id, directory);
    if (!distribution) {
      auto error = distribution.error();
      error.node = nodes.begin()->first;
      return fail(std::move(error));
    }
    targets.push_back({.distribution = std::move(*distribution), .facts = std::move(nodes), .base_of_nodes = base_of_nodes});
  }
  return targets;
}

Result<std::map<NodeId, Facts>> facts_of_nodes(App& app, const Options& options, const Gathered* recorded) {
  if (recorded != nullptr) {
    auto facts = recorded->facts;
    const auto selected = app.selected();
    if (!selected) return fail(selected.error());
    std::erase_if(facts, [&](const auto& one) { return std::ranges::find(*selected, one.first) == selected->end(); });
    if (facts.empty()) return fail(Fault::usage, options.facts + " has facts of none of these nodes", "record them with `podwright facts --output json`");
    return facts;
  }
  const auto opened = app.open(App::Access::reads, App::Sessions::closed);
  if (!opened) return fail(opened.error());
  auto gathered = sort_out(gather_facts(**opened));
  if (gathered.facts.empty()) {
    if (gathered.failed.empty()) return fail(Fault::cancelled, "interrupted while reading facts");
    return fail(gathered.failed.begin()->second);
  }
  for (const auto& [node, error] : gathered.failed) app.events().emit(events::NodeFailed{node, error});
  return gathered.facts;
}

Result<Outcome> run_lock(App& app, const Options& options) {
  if (!options.base.empty() && options.base != "nodes" && options.base != "minimal") return fail(Fault::usage, "--base is nodes or minimal");
  if (options.base == "nodes" && !options.systems.empty() && options.facts.empty()) {
    return fail(Fault::usage, "--os contacts no node, so there is no base of nodes to take", "give --facts FILE, or leave --os out");
  }
  std::optional<Gathered> recorded;
  if (!options.facts.empty()) {
    auto read = recorded_facts(options.facts);
    if (!read) return fail(read.error());
    recorded = std::move(*read);
  }
  const bool has_cluster = app.globals().cluster_given || fs::exists(app.globals().cluster);
  if (!has_cluster) app.use_inventory(inventory_of(recorded ? *recorded : Gathered{}));
  auto inventory = app.inventory();
  if (!inventory) return fail(inventory.error());
  const auto profile = app.profile();
  if (!profile) return fail(profile.error());
  if ((*inventory)->nodes.empty()) {
    if (options.systems.empty()) {
      return fail(Fault::usage, "there are no nodes whose operating system could be asked", "say what to lock for: --os debian:12:amd64");
    }
    app.use_inventory(likely_inventory(**profile));
    inventory = app.inventory();
  }
  const fs::path directory = (*inventory)->directory;

  std::vector<LockTarget> targets;
  if (options.systems.empty()) {
    const auto facts = facts_of_nodes(app, options, recorded ? &*recorded : nullptr);
    if (!facts) return fail(facts.error());
    auto found = targets_of(*facts, directory, options.base != "minimal");
    if (!found) return fail(found.error());
    targets = std::move(*found);
  }
  for (const auto& id : options.systems) {
    auto distribution = load_os_release(id, directory);
    if (!distribution) return fail(distribution.error());
    LockTarget target{.distribution = std::move(*distribution), .facts = {}, .base_of_nodes = false};
    const auto& wanted = target.distribution.id;
    for (const auto& [node, one] : recorded ? recorded->facts : std::map<NodeId, Facts>{}) {
      if (SystemId{one.os.id, one.os.version, one.arch} == wanted && (*inventory)->find(node) != nullptr) target.facts.emplace(node, one);
    }
    if (target.facts.empty()) {
      for (const auto& node : one_of_each_role(**inventory)) target.facts.emplace(node.name, likely_facts(node, target.distribution));
    } else {
      target.base_of_nodes = options.base != "minimal";
    }
    const auto same = std::ranges::find(targets, target.distribution.id, [](const auto& one) { return one.distribution.id; });
    if (same == targets.end()) targets.push_back(std::move(target));
  }

  MetadataOptions fetching{.cache = options.cache.empty() ? cache_folder() : fs::path(options.cache)};
  fetching.download.stop = app.stop();
  std::vector<std::string> notes;
  const auto lock = make_lock(**inventory, **profile, targets, fetching, app.events(), notes);
  if (!lock) {
    if (app.cancelled()) return fail(Fault::cancelled, "interrupted; nothing was written");
    return fail(lock.error());
  }
  for (const auto& note : notes) app.events().warn(note);
  const auto file = options.out.empty() ? directory / "profile.lock.toml" : fs::path(options.out);
  if (auto written = write_file(file, lock_text(*lock)); !written) return fail(written.error());

  Outcome outcome{.document = {{"file", file.string()}, {"profile", lock->profile}, {"files", lock->files.size()}, {"systems", Json::array()}, {"notes", notes}}};
  Table table({"system", "base", "packages", "size"});
  for (const auto& system : lock->systems) {
    std::uint64_t bytes = 0;
    for (const auto& package : system.packages) bytes += package.size;
    table.add({system.id.str(), system.base, std::to_string(system.packages.size()), human_bytes(bytes)});
    outcome.document["systems"].push_back({{"id", system.id.str()}, {"base", system.base}, {"packages", system.packages.size()}, {"bytes", bytes}});
  }
  outcome.text = table.text(app.width(), 0, app.style());
  outcome.text += fmt::format("{} named by resources\nwrote {}\n", count_of(lock->files.size(), "file"), file.string());
  outcome.next = next_command(app, "bundle create");
  return outcome;
}

}  // namespace

Command lock_command() {
  auto options = std::make_shared<Options>();
  return {.name = "lock",
          .group = "Decide and install",
          .summary = "exact versions and hashes of everything that the profile installs",
          .details = "Finds, for each operating system, every package that the profile needs with all that those need, "
                     "as the distribution's own tool would choose, with version, size, SHA-256 and repository, and "
                     "every file that a resource names; and writes profile.lock.toml beside cluster.toml.\n\n"
                     "Repositories are those of distributions/OS.toml (beside cluster.toml, or shipped) and the "
                     "[[repo]]s of the profile. Their signature must be by a key named there, and everything else "
                     "is proven by the digests that the signed file gives; what does not fit is refused. Where "
                     "distributions/OS.toml says `trusted`, as for Fedora and openEuler, whose own dnf takes "
                     "metadata unsigned, HTTPS alone vouches for that file, and a note says so.\n\n"
                     "Without --os the nodes are asked what they run and what they have, and only what they lack is "
                     "locked. With --os no node is contacted, this machine may run anything, and nothing is taken "
                     "for granted: the base system is locked, too.",
          .options = {list_option("--os", "ID:VERSION:ARCH", "an operating system to lock for, debian:12:amd64; may be repeated", options->systems),
                      text_option("--facts", "FILE", "facts recorded by `podwright facts --output json`, in place of asking the nodes", options->facts, Completes::file),
                      choice_option("--base", "what nodes are taken to have: what the `nodes` have all, or nothing (`minimal`)", {"nodes", "minimal"}, options->base),
                      text_option("-o,--out", "FILE", "the lock (default: profile.lock.toml beside cluster.toml)", options->out, Completes::file),
                      text_option("--cache", "DIR", "where metadata is kept (default: podwright in $XDG_CACHE_HOME)", options->cache, Completes::folder)},
          .examples = {{"podwright lock", "for what the nodes run"},
                       {"podwright lock --profile debian12-slurm-cpu --os debian:12:amd64 --os debian:13:arm64", "for nodes that are not there yet"}},
          .exits = {kNodesFailed, kNotPassed},
          .run = [options](App& app) { return run_lock(app, *options); }};
}

}  // namespace podwright::cli
