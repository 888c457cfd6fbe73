#include "engine/lock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "engine/download_progress.hpp"
#include "engine/planner.hpp"
#include "repo/solver.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

std::string set_name(const Node& node) {
  auto roles = node.roles;
  std::ranges::sort(roles);
  return roles.empty() ? "all" : join(roles, ",");
}

// --- what the profile wants ----------------------------------------------------------------------------

struct SystemWants {
  std::map<std::string, std::set<PackageRequest>> sets;  ///< by name of the set
  std::map<std::string, Wanted> repos;                   ///< [[repo]] by name
  std::map<std::string, LockedFile> files;               ///< by digest
};

/// The plan of machines that have nothing yet names every package, repository and file.
Result<SystemWants> wants_of(const Inventory& inventory, const Profile& profile, const LockTarget& target) {
  Gathered bare{.facts = target.facts, .failed = {}};
  for (auto& [node, facts] : bare.facts) {
    facts.packages.clear();
    facts.services.clear();
  }
  const auto planned = plan_recorded(inventory, profile, std::move(bare));
  if (!planned) return fail(planned.error());
  if (!planned->plan.failed.empty()) return fail(planned->plan.failed.begin()->second);
  SystemWants wants;
  for (const auto& [name, node] : planned->wanted) {
    auto& set = wants.sets[set_name(*inventory.find(name))];
    for (const auto& one : node.resources) {
      if (one.text("state") == "absent") continue;
      if (one.kind == "package") set.insert({.name = one.name, .version = one.text("version")});
      if (one.kind == "repo" && one.flag("enabled", true)) wants.repos.emplace(one.name, one);
    }
  }
  for (const auto& [name, node] : planned->plan.nodes) {
    for (const auto& step : node.steps) {
      for (const auto& artifact : step.artifacts) {
        auto& file = wants.files[artifact.sha256];
        file.source = artifact.source;
        file.sha256 = artifact.sha256;
        if (std::ranges::find(file.needed_by, step.id) == file.needed_by.end()) file.needed_by.push_back(step.id);
      }
    }
  }
  return wants;
}

/// Text or bytes of a key that the profile names by URL or path; `sha256` may be empty.
Result<std::string> fetch_key(const std::string& source, const std::string& sha256, const Inventory& inventory,
                              const MetadataOptions& options) {
  if (source.find("://") == std::string::npos) return read_file(fs::path(inventory.directory) / expand_home(source));
  const Download file{.url = source, .path = options.cache / "keys" / sha256_hex(source), .sha256 = sha256, .if_newer = sha256.empty()};
  if (auto failed = download({file}, options.download); !failed.empty()) return fail(failed.begin()->second);
  return read_file(file.path);
}

/// A [[repo]] of the profile as something to fetch from.
Result<RepoSpec> spec_of(const Wanted& wanted, const OsRelease& distribution, const Inventory& inventory,
                         const MetadataOptions& options) {
  RepoSpec spec{.name = wanted.name, .packager = distribution.packager, .uris = {}};
  if (distribution.packager == "apt") {
    spec.uris = wanted.list("uris");
    spec.suites = wanted.list("suites");
    spec.components = wanted.list("components");
    const bool flat = std::ranges::all_of(spec.suites, [](const auto& suite) { return suite.ends_with('/'); });
    if (spec.components.empty() && !flat) spec.components = {"main"};
    spec.priority = static_cast<int>(wanted.integer("pin_priority", 500));
    for (const auto& option : wanted.list("options")) {
      if (option == "Trusted: yes") spec.check_signature = false;
      if (option == "Check-Valid-Until: no") spec.check_valid_until = false;
    }
  } else {
    spec.uris = wanted.list("baseurl");
    // dnf asks the repository with the smaller number first.
    spec.priority = 1000 - static_cast<int>(wanted.integer("priority", 99));
    spec.check_signature = wanted.flag("gpgcheck", true) || wanted.flag("repo_gpgcheck", false);
    spec.module_hotfixes = wanted.flag("module_hotfixes", false);
    for (auto& uri : spec.uris) {
      for (const auto& [name, value] : {std::pair<std::string, std::string>{"$basearch", distribution.arch},
                                        {"$releasever", distribution.id.version.substr(0, distribution.id.version.find('.'))}}) {
        for (auto at = uri.find(name); at != std::string::npos; at = uri.find(name, at)) uri.replace(at, name.size(), value);
      }
    }
  }
  const auto where = [&](Error error) {
    error.what = fmt::format("{}: {}: {}", wanted.pos.str(), wanted.id(), error.what);
    return fail(std::move(error));
  };
  if (spec.uris.empty()) {
    return where({.fault = Fault::usage, .what = "a lock needs to know where the repository is",
                  .hint = distribution.packager == "apt" ? "give uris" : "give baseurl: a mirrorlist or metalink changes with every answer"});
  }
  spec.keys = wanted.text("key");
  std::vector<std::pair<std::string, std::string>> sources;
  if (wanted.has("key_source")) sources.emplace_back(wanted.text("key_source"), wanted.text("key_sha256"));
  for (const auto& source : wanted.list("gpgkey")) sources.emplace_back(source, "");
  for (const auto& [source, sha256] : sources) {
    if (!spec.check_signature) break;
    const auto text = fetch_key(source, sha256, inventory, options);
    if (!text) return where(text.error());
    spec.keys += *text;
  }
  return spec;
}

// --- the closure ---------------------------------------------------------------------------------------

/// Index files as the solver reads them; they stay open as long as it does.
struct Metadata {
  std::vector<FetchedRepo> repos{};
  std::vector<MappedFile> texts{};
};

Result<Metadata> fetch_all(const std::vector<RepoSpec>& specs, const OsRelease& distribution,
                           const MetadataOptions& options) {
  Metadata all;
  for (const auto& spec : specs) {
    auto fetched = fetch_repo(spec, distribution.arch, options);
    if (!fetched) return fail(fetched.error());
    if (distribution.packager == "apt") {
      for (const auto& index : fetched->indexes) {
        auto text = MappedFile::open(index.packages);
        if (!text) return fail(text.error());
        all.texts.push_back(std::move(*text));
      }
    }
    all.repos.push_back(std::move(*fetched));
  }
  return all;
}

Result<PackageSolver> solver_of(const Metadata& metadata, const OsRelease& distribution) {
  PackageSolver solver(distribution.packager, distribution.arch);
  std::size_t text = 0;
  for (const auto& repo : metadata.repos) {
    for (const auto& index : repo.indexes) {
      const auto added = distribution.packager == "apt"
                             ? solver.add_packages(index.repo, index.priority, metadata.texts[text++].bytes())
                             : solver.add_rpm_md(index.repo, index.priority, index.packages.string(), index.filelists.string(), index.has_modules);
      if (!added) return fail(added.error());
    }
  }
  return solver;
}

void take_packages(const Closure& closure, std::map<std::pair<std::string, std::string>, LockedPackage>& into) {
  for (const auto& one : closure.packages) into.emplace(std::pair(one.name + " " + one.arch, one.version), one);
}

/// What all nodes have in the same version.
std::map<std::string, std::string> common_packages(const std::map<NodeId, Facts>& facts) {
  auto common = facts.begin()->second.packages;
  for (const auto& [node, one] : facts) {
    std::erase_if(common, [&installed = one.packages](const auto& package) {
      const auto found = installed.find(package.first);
      return found == installed.end() || found->second != package.second;
    });
  }
  return common;
}

Result<LockedSystem> lock_system(const LockTarget& target, const SystemWants& wants, const Inventory& inventory,
                                 const MetadataOptions& options) {
  const auto& distribution = target.distribution;
  auto specs = distribution.repos;
  for (const auto& [name, wanted] : wants.repos) {
    auto spec = spec_of(wanted, distribution, inventory, options);
    if (!spec) return fail(spec.error());
    if (std::ranges::find(specs, spec->name, &RepoSpec::name) != specs.end()) {
      return fail(Fault::usage, fmt::format("{}: {} has the name of one of the distribution's own repositories", wanted.pos.str(), wanted.id()),
                  "give it another name");
    }
    specs.push_back(std::move(*spec));
  }
  const auto metadata = fetch_all(specs, distribution, options);
  if (!metadata) return fail(metadata.error());
  auto solver = solver_of(*metadata, distribution);
  if (!solver) return fail(solver.error());

  LockedSystem system{.id = distribution.id, .base = target.base_of_nodes ? "nodes" : "minimal", .repos = {}, .sets = {}, .takes = {}, .packages = {}};
  const auto named = [&](Error error, const std::string& set) {
    error.what = fmt::format("{}, {}: {}", distribution.id.str(), set, error.what);
    return fail(std::move(error));
  };
  std::map<std::pair<std::string, std::string>, LockedPackage> packages;
  std::map<std::string, LockedBase> takes;
  const auto minimal = solver->minimal(distribution.minimal);
  if (!minimal) return named(minimal.error(), "the minimal system");
  std::map<std::string, std::string> base;
  for (const auto& one : minimal->packages) base[one.name] = one.version;

  const auto solve_sets = [&](const std::function<void(const Closure&)>& take) -> Status {
    for (const auto& [name, wanted] : wants.sets) {
      const auto closure = solver->solve({wanted.begin(), wanted.end()});
      if (!closure) return named(closure.error(), name);
      take(*closure);
    }
    return {};
  };
  if (auto set = solver->set_base(base); !set) return fail(set.error());
  if (!target.base_of_nodes) {
    // Nobody has seen the nodes, so nothing is taken for granted: the base is locked as well.
    take_packages(*minimal, packages);
    if (auto done = solve_sets([&](const Closure& closure) { take_packages(closure, packages); }); !done) return fail(done.error());
  } else {
    // Packages of the profile that a node has already are locked all the same: another node, or this one
    // after it was replaced, needs them.
    std::set<std::string> own;
    if (auto done = solve_sets([&](const Closure& closure) {
          for (const auto& one : closure.packages) own.insert(one.name);
        }); !done) {
      return fail(done.error());
    }
    auto there = common_packages(target.facts);
    std::erase_if(there, [&](const auto& one) { return own.contains(one.first); });
    auto again = solver_of(*metadata, distribution);
    if (!again) return fail(again.error());
    solver = std::move(again);
    if (auto set = solver->set_base(there); !set) return fail(set.error());
    if (auto done = solve_sets([&](const Closure& closure) {
          take_packages(closure, packages);
          for (const auto& one : closure.takes) takes.emplace(one.name, one);
        }); !done) {
      return fail(done.error());
    }
  }
  for (const auto& [name, wanted] : wants.sets) {
    LockedSet set{.name = name, .packages = {}};
    std::ranges::transform(wanted, std::back_inserter(set.packages), &PackageRequest::str);
    system.sets.push_back(std::move(set));
  }
  std::set<std::string> used;
  for (auto& [key, one] : packages) {
    used.insert(one.repo);
    system.packages.push_back(std::move(one));
  }
  for (auto& [name, one] : takes) system.takes.push_back(std::move(one));
  for (const auto& repo : metadata->repos) {
    if (used.contains(repo.locked.name)) system.repos.push_back(repo.locked);
  }
  std::ranges::sort(system.repos, {}, &LockedRepo::name);
  return system;
}

}  // namespace

Facts likely_facts(const Node& node, const OsRelease& distribution) {
  Facts facts;
  facts.node = facts.hostname = node.name;
  facts.os = {.id = distribution.id.os, .version = distribution.id.version, .codename = distribution.codename, .name = distribution.id.str()};
  facts.arch = distribution.id.arch;
  facts.virtualization = "none";
  facts.cgroup_version = 2;
  facts.cpu = {.model = "", .vendor = "", .sockets = 2, .cores_per_socket = 32, .threads_per_core = 2, .logical = 128, .governor = "", .clocksource = ""};
  facts.memory_bytes = std::uint64_t{512} << 30U;
  facts.package_manager = distribution.packager == "apt" ? "apt" : "dnf";
  facts.nics.push_back({.name = "eth0", .mac = "", .state = "up", .speed_gbps = 0, .mtu = 1500, .driver = "", .addresses = {node.address + "/24"}});
  for (const auto& port : node.fabric) {
    facts.nics.push_back({.name = port.name, .mac = "", .state = "up", .speed_gbps = port.rate_gbps, .mtu = 1500, .driver = "", .addresses = {port.address + "/24"}});
  }
  return facts;
}

std::vector<Node> one_of_each_role(const Inventory& inventory) {
  std::vector<Node> some;
  std::set<std::string> seen;
  for (const auto& node : inventory.nodes) {
    if (seen.insert(set_name(node)).second) some.push_back(node);
  }
  return some;
}

Inventory likely_inventory(const Profile& profile) {
  Inventory inventory;
  inventory.name = "likely";
  inventory.directory = ".";
  std::vector<std::string> roles = {"head", "compute"};
  for (const auto& one : profile.resources) {
    for (const auto& role : one.roles) {
      if (role != "all" && std::ranges::find(roles, role) == roles.end()) roles.push_back(role);
    }
  }
  for (std::size_t i = 0; i < roles.size(); ++i) {
    Node node;
    node.name = roles[i] == "compute" ? "cu01" : roles[i];
    node.address = fmt::format("192.0.2.{}", i + 1);  // RFC 5737: of nobody
    node.roles = {roles[i]};
    inventory.nodes.push_back(std::move(node));
  }
  return inventory;
}

Result<Lock> make_lock(const Inventory& inventory, const Profile& profile, const std::vector<LockTarget>& targets,
                       const MetadataOptions& options, events::Bus& events, std::vector<std::string>& notes) {
  Lock lock{.profile = profile.name, .systems = {}, .files = {}};
  std::map<std::string, LockedFile> files;
  for (const auto& target : targets) {
    const auto id = target.distribution.id;
    const auto begun = std::chrono::steady_clock::now();
    events.emit(events::PhaseStarted{"lock " + id.str(), 1});
    auto fetching = options;
    fetching.download.progress = download_progress(events, "lock " + id.str(), 0);
    auto asked = profile;
    // Which systems a profile is for is said there; a lock for another one is somebody's decision.
    if (!unsuitable(profile, target.facts).empty()) {
      notes.push_back(fmt::format("{}: profile {} is for {}{}{}: locked as asked", id.str(), profile.name, human_list(profile.requires_os),
                                  profile.requires_arch.empty() ? "" : " on ", human_list(profile.requires_arch)));
      asked.requires_os.clear();
      asked.requires_arch.clear();
    }
    const auto wants = wants_of(inventory, asked, target);
    if (!wants) return fail(wants.error());
    auto system = lock_system(target, *wants, inventory, fetching);
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
    events.emit(events::PhaseFinished{"lock " + id.str(), system.has_value(), elapsed});
    if (!system) return fail(system.error());
    std::vector<std::string> unsigned_ones;
    for (const auto& repo : system->repos) {
      if (repo.signed_by.empty()) unsigned_ones.push_back(repo.name);
    }
    if (!unsigned_ones.empty()) {
      notes.push_back(fmt::format("{}: the metadata of {} is taken without a signature: versions and digests are what its server says", id.str(),
                                  human_list(unsigned_ones)));
    }
    lock.systems.push_back(std::move(*system));
    for (const auto& [sha256, file] : wants->files) {
      auto& all = files[sha256];
      const auto needed_by = all.needed_by;
      all = file;
      for (const auto& one : needed_by) {
        if (std::ranges::find(all.needed_by, one) == all.needed_by.end()) all.needed_by.push_back(one);
      }
      std::ranges::sort(all.needed_by);
    }
  }
  std::ranges::sort(lock.systems, {}, &LockedSystem::id);
  for (auto& [sha256, file] : files) lock.files.push_back(std::move(file));
  return lock;
}

}  // namespace podwright
