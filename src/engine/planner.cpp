#include "engine/planner.hpp"
#include "base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "catalog/registry.hpp"
#include "catalog/rules/compatibility.hpp"
#include "config/json.hpp"
#include "engine/fan_out.hpp"
#include "engine/gather.hpp"
#include "engine/node_expectations.hpp"
#include "engine/preflight.hpp"
#include "render/render.hpp"
#include "transport/host_keys.hpp"

namespace podwright {

namespace {

// --- resolve: which resources, with which texts, in which order ----------------------------------

bool has_any_role(const Node& node, const std::vector<std::string>& roles) {
  return std::ranges::any_of(roles, [&](const auto& role) { return node.has_role(role); });
}

/// Renders every text in place.
Status render_value(Value& value, const Json& context) {
  if (auto* text = std::get_if<std::string>(&value.data)) {
    if (text->find("{{") == std::string::npos) return {};
    auto rendered = render::text(*text, context, value.pos.str());
    if (!rendered) return fail(rendered.error());
    *text = std::move(*rendered);
  } else if (auto* array = std::get_if<Value::Array>(&value.data)) {
    for (auto& item : *array) {
      if (auto done = render_value(item, context); !done) return done;
    }
  } else if (auto* table = value.table()) {
    for (auto& [name, item] : *table) {
      if (auto done = render_value(item, context); !done) return done;
    }
  }
  return {};
}

/// A field that was written as a template becomes the type that its kind declares.
Status retype(Value& value, const Field& field) {
  const auto* text = value.text();
  if (text == nullptr) return {};
  if (field.type == FieldType::integer) {
    const auto number = to_int(*text);
    if (!number) {
      return fail(Fault::usage, fmt::format("{}: \"{}\" is not an integer", value.pos.str(), *text));
    }
    value.data = *number;
  } else if (field.type == FieldType::flag) {
    if (*text != "true" && *text != "false") {
      return fail(Fault::usage,
                  fmt::format("{}: \"{}\" is neither true nor false", value.pos.str(), *text));
    }
    value.data = *text == "true";
  }
  return {};
}

Result<Wanted> render_resource(const Wanted& wanted, const ResourceKind& kind, const Json& context) {
  Wanted rendered = wanted;
  // `source` brings a file as it is, braces and all.
  const bool verbatim = wanted.flag("verbatim", false);
  for (auto& [name, value] : rendered.fields) {
    if (verbatim && name == "content") continue;
    if (auto done = render_value(value, context); !done) return fail(done.error());
    const auto field = std::ranges::find(kind.fields, name, &Field::name);
    if (field == kind.fields.end()) continue;
    if (auto done = retype(value, *field); !done) return fail(done.error());
  }
  Value name({rendered.name}, wanted.pos);
  if (auto done = render_value(name, context); !done) return fail(done.error());
  rendered.name = *name.text();
  return rendered;
}

/// Document order, except where `after` within the node asks for another: the first resource that
/// waits for nothing comes next.
std::vector<Wanted> ordered(std::vector<Wanted> resources, const Node& node) {
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < resources.size(); ++i) index[resources[i].id()] = i;
  std::vector<std::vector<std::size_t>> followers(resources.size());
  std::vector<std::size_t> waiting(resources.size(), 0);
  for (std::size_t i = 0; i < resources.size(); ++i) {
    for (const auto& dependency : resources[i].after) {
      if (!dependency.role.empty() && !node.has_role(dependency.role)) continue;
      const auto found = index.find(dependency.resource);
      if (found == index.end() || found->second == i) continue;
      followers[found->second].push_back(i);
      ++waiting[i];
    }
  }
  std::set<std::size_t> ready;
  for (std::size_t i = 0; i < resources.size(); ++i) {
    if (waiting[i] == 0) ready.insert(i);
  }
  std::vector<Wanted> sorted;
  while (!ready.empty()) {
    const auto next = *ready.begin();
    ready.erase(ready.begin());
    for (const auto follower : followers[next]) {
      if (--waiting[follower] == 0) ready.insert(follower);
    }
    sorted.push_back(std::move(resources[next]));
  }
  // The loader has refused cycles.
  if (sorted.size() != resources.size()) throw std::logic_error("ordered: a cycle was not refused");
  return sorted;
}

// --- stages ----------------------------------------------------------------------------------------

/// Where a node stands in the order of stages while they are worked out.
struct Track {
  const Node* node = nullptr;
  std::vector<std::string> warnings;
  const NodeWanted* wanted = nullptr;
  std::vector<std::vector<Step>> steps;  ///< a resource's
  std::vector<int> level;                ///< the stage in which a resource's turn comes
  std::vector<std::vector<NodeId>> waits_for;
  std::map<std::string, std::size_t> index;
};

/// A barrier costs a stage only where somebody has something to do before it.
bool works_until(const Track& track, std::size_t resource, int level) {
  for (std::size_t i = 0; i <= resource; ++i) {
    if (!track.steps[i].empty() && track.level[i] == level) return true;
  }
  return false;
}

/// Raises levels until every barrier holds. True when something moved.
bool raise_levels(std::map<NodeId, Track>& tracks) {
  bool moved = false;
  for (auto& [name, track] : tracks) {
    int level = 0;
    for (std::size_t i = 0; i < track.wanted->resources.size(); ++i) {
      for (const auto& dependency : track.wanted->resources[i].after) {
        if (dependency.role.empty()) continue;
        for (const auto& [other_name, other] : tracks) {
          if (other_name == name || !other.node->has_role(dependency.role)) continue;
          const auto found = other.index.find(dependency.resource);
          if (found == other.index.end()) continue;
          const int behind = other.level[found->second];
          level = std::max(level, works_until(other, found->second, behind) ? behind + 1 : behind);
        }
      }
      if (level > track.level[i]) {
        track.level[i] = level;
        moved = true;
      }
      level = track.level[i];
      // What follows a reboot waits for the node's return.
      if (std::ranges::any_of(track.steps[i], &Step::only_reboots)) ++level;
    }
  }
  return moved;
}

/// Nodes that have failed already are waited for as well: what is behind their barrier must not begin.
void note_barriers(std::map<NodeId, Track>& tracks, const std::vector<const Node*>& failed) {
  for (auto& [name, track] : tracks) {
    std::set<NodeId> waits;
    for (std::size_t i = 0; i < track.wanted->resources.size(); ++i) {
      for (const auto& dependency : track.wanted->resources[i].after) {
        if (dependency.role.empty()) continue;
        for (const auto& [other_name, other] : tracks) {
          if (other_name != name && other.node->has_role(dependency.role) &&
              other.index.contains(dependency.resource)) {
            waits.insert(other_name);
          }
        }
        for (const auto* node : failed) {
          if (node->has_role(dependency.role)) waits.insert(node->name);
        }
      }
      track.waits_for[i].assign(waits.begin(), waits.end());
    }
  }
}

/// Why the node's steps must not be begun, or nothing; what is merely odd becomes warnings.
std::optional<Error> preflight(const NodeId& name, Track& track, const std::string& printed, const Facts& facts) {
  std::vector<Step> steps;
  for (const auto& some : track.steps) steps.insert(steps.end(), some.begin(), some.end());
  if (steps.empty() || printed.empty()) return std::nullopt;
  std::optional<Error> problem;
  for (auto& finding : judge_preflight(printed, {facts, steps, track.wanted->resources})) {
    if (!finding.fatal) {
      track.warnings.push_back(finding.what + " (" + finding.hint + ")");
    } else if (!problem) {
      problem = Error{.fault = Fault::validation, .what = finding.what, .node = name, .step = "preflight", .hint = finding.hint};
    } else {
      problem->what += "; " + finding.what;
      problem->hint += "; " + finding.hint;
    }
  }
  return problem;
}

std::map<NodeId, std::string> pinned_keys(const Inventory& inventory) {
  std::map<NodeId, std::string> keys;
  std::map<std::string, HostKeyStore> stores;
  for (const auto& node : inventory.nodes) {
    auto found = stores.find(node.ssh.known_hosts);
    if (found == stores.end()) {
      auto loaded = HostKeyStore::load(node.ssh.known_hosts);
      if (!loaded) continue;
      found = stores.emplace(node.ssh.known_hosts, std::move(*loaded)).first;
    }
    const auto pinned = found->second.keys(node.address, node.ssh.port);
    if (!pinned.empty()) keys[node.name] = pinned.front().type + " " + pinned.front().base64;
  }
  return keys;
}

}  // namespace

Result<std::map<NodeId, NodeWanted>> resolve(const Inventory& inventory, const Profile& profile,
                                             const std::map<NodeId, Facts>& facts,
                                             const ContextInputs& inputs,
                                             const std::vector<std::string>& components) {
  const auto shared = shared_context(inventory, profile, inputs);
  std::map<NodeId, NodeWanted> all;
  for (const auto& [name, node_facts] : facts) {
    const Node* node = inventory.find(name);
    if (node == nullptr) continue;
    const auto context = node_context(shared, *node, node_facts);
    const auto in_step = [&](Error error, const Wanted& wanted) {
      error.node = name;
      error.step = wanted.id();
      return fail(std::move(error));
    };
    std::vector<Wanted> mine;
    for (const auto& wanted : profile.resources) {
      if (!has_any_role(*node, wanted.roles)) continue;
      if (!components.empty() && std::ranges::find(components, wanted.component) == components.end()) {
        continue;
      }
      if (!wanted.when.empty()) {
        const auto holds = render::condition(wanted.when, context, wanted.pos.str());
        if (!holds) return in_step(holds.error(), wanted);
        if (!*holds) continue;
      }
      const auto* kind = find_in_catalog<ResourceKind>(wanted.kind);
      if (kind == nullptr) throw std::logic_error("no resource kind " + wanted.kind);
      auto rendered = render_resource(wanted, *kind, context);
      if (!rendered) return in_step(rendered.error(), wanted);
      mine.push_back(std::move(*rendered));
    }
    fill_in_expectations(profile, mine);
    all[name].resources = ordered(std::move(mine), *node);
  }
  return all;
}

std::map<NodeId, Result<ObservedNode>> observe(Site& site, const std::map<NodeId, NodeWanted>& wanted,
                                               const std::map<NodeId, Facts>& facts) {
  std::vector<FramedJob> jobs;
  std::map<NodeId, std::vector<std::optional<std::size_t>>> frames;
  std::map<NodeId, ObservedNode> known;
  for (const auto& [node, resources] : wanted) {
    FramedScript script("state of " + node);
    script.add({.comment = "preflight", .script = preflight_script()});
    known[node];
    for (const auto& one : resources.resources) {
      const auto* kind = find_in_catalog<ResourceKind>(one.kind);
      const auto& node_facts = facts.at(node);
      const auto told = kind->known == nullptr ? std::nullopt : kind->known(one, node_facts);
      known[node].resources.push_back(told.value_or(Observed{}));
      if (told) {
        frames[node].emplace_back();
      } else {
        frames[node].emplace_back(
            script.add({.comment = one.id(), .script = kind->probe(one, node_facts)}));
      }
    }
    jobs.push_back({node, std::move(script)});
  }
  auto results = run_framed(site, jobs, "state");

  std::map<NodeId, Result<ObservedNode>> all;
  for (auto& [node, observed] : known) {
    const auto result = results.find(node);
    if (result->second.error) {
      all.emplace(node, tl::unexpected(*result->second.error));
      continue;
    }
    const auto preflight = result->second.frames.find(0);
    // Not empty: a preflight that had no answer is not one that nobody asked for.
    observed.preflight = (preflight != result->second.frames.end() ? preflight->second.out : "") + "\n";
    for (std::size_t i = 0; i < frames[node].size(); ++i) {
      if (!frames[node][i]) continue;
      const auto frame = result->second.frames.find(*frames[node][i]);
      observed.resources[i] =
          frame != result->second.frames.end()
              ? frame->second
              : Observed{.exit_status = 255, .out = {}, .err = "its output never arrived"};
    }
    all.emplace(node, std::move(observed));
  }
  return all;
}

Result<Plan> make_plan(const Inventory& inventory, const Profile& profile,
                       const std::map<NodeId, NodeWanted>& wanted,
                       const std::map<NodeId, ObservedNode>& observed,
                       const std::map<NodeId, Facts>& facts,
                       const std::map<NodeId, Error>& failed) {
  Plan plan;
  plan.cluster = inventory.name;
  plan.profile = profile.name;
  plan.created = utc_timestamp(std::chrono::system_clock::now());
  std::map<NodeId, Track> tracks;
  for (const auto& [name, seen] : observed) {
    Track track;
    track.node = inventory.find(name);
    track.wanted = &wanted.at(name);
    const auto& resources = track.wanted->resources;
    track.level.assign(resources.size(), 0);
    track.waits_for.resize(resources.size());
    std::set<std::string> changing;
    std::string rebooting;
    std::optional<Error> problem;
    for (std::size_t i = 0; i < resources.size() && !problem; ++i) {
      const auto& one = resources[i];
      track.index[one.id()] = i;
      const auto* kind = find_in_catalog<ResourceKind>(one.kind);
      auto steps = seen.resources[i].timed_out
                       ? Result<std::vector<Step>>(fail(
                             Fault::timeout, "its probe had no answer within 10 s",
                             "log in and see what hangs (a dead network mount?)"))
                       : kind->plan(one, seen.resources[i], {facts.at(name), changing, rebooting});
      if (!steps) {
        problem = steps.error();
        problem->node = name;
        if (problem->step.empty()) problem->step = one.id();
        break;
      }
      if (!steps->empty()) changing.insert(one.id());
      for (const auto& step : *steps) {
        if (step.reboots) rebooting = step.only_reboots() ? "" : step.id;
      }
      track.steps.push_back(std::move(*steps));
    }
    if (!problem) problem = preflight(name, track, seen.preflight, facts.at(name));
    if (problem) {
      plan.failed.emplace(name, std::move(*problem));
    } else {
      tracks.emplace(name, std::move(track));
    }
  }

  std::size_t most = 1;
  for (const auto& [name, track] : tracks) most += track.level.size();
  for (std::size_t turn = 0; raise_levels(tracks); ++turn) {
    if (turn > most) {
      return fail(Fault::usage, "the profile's `after` across roles wait for each other in a circle",
                  "`podwright profile validate` names the resources");
    }
  }
  std::vector<const Node*> absent;
  plan.failed.insert(failed.begin(), failed.end());
  for (const auto& [name, error] : plan.failed) absent.push_back(inventory.find(name));
  std::erase(absent, nullptr);
  note_barriers(tracks, absent);

  // Levels without work are left out, so that stages count from 0 without gaps.
  std::set<int> used;
  for (const auto& [name, track] : tracks) {
    for (std::size_t i = 0; i < track.steps.size(); ++i) {
      if (!track.steps[i].empty()) used.insert(track.level[i]);
    }
  }
  plan.stages = static_cast<int>(used.size());
  for (auto& [name, track] : tracks) {
    auto& node = plan.nodes[name];
    node.warnings = std::move(track.warnings);
    for (std::size_t i = 0; i < track.steps.size(); ++i) {
      if (track.steps[i].empty()) ++node.satisfied;
      for (auto& step : track.steps[i]) {
        step.stage = static_cast<int>(std::distance(used.begin(), used.find(track.level[i])));
        step.waits_for = track.waits_for[i];
        node.steps.push_back(std::move(step));
      }
    }
  }
  plan.digest = plan_digest(plan);
  return plan;
}

Status check_compatibility(const Profile& profile) {
  const auto vars = to_json(Value(profile.vars));
  auto resources = profile.resources;
  for (auto& wanted : resources) {
    for (auto& [name, value] : wanted.fields) {
      const auto* text = value.text();
      // What needs facts stays a template, and is judged on each node.
      if (text != nullptr && name == "version") value.data = render::text(*text, vars, "").value_or(*text);
    }
  }
  const auto broken = incompatibilities({resources, profile.vars});
  if (broken.empty()) return {};
  std::string text;
  for (const auto& one : broken) text += (text.empty() ? "" : "\n") + one.what;
  return fail(Fault::usage, std::move(text), "change one of the two sides in the profile or its variables");
}

std::map<NodeId, Error> unsuitable(const Profile& profile, const std::map<NodeId, Facts>& facts) {
  const auto matches = [](const std::vector<std::string>& wanted, const std::string& name,
                          const std::string& version) {
    return wanted.empty() || std::ranges::any_of(wanted, [&](const std::string& one) {
             const auto parts = words(one);
             return !parts.empty() && parts[0] == name &&
                    (parts.size() < 2 || version == parts[1] ||
                     version.starts_with(std::string(parts[1]) + "."));
           });
  };
  std::map<NodeId, Error> unfit;
  for (const auto& [node, one] : facts) {
    if (!matches(profile.requires_os, one.os.id, one.os.version)) {
      unfit[node] = {.fault = Fault::validation,
                     .what = fmt::format("runs {} {}; profile {} is for {}", one.os.id, one.os.version,
                                         profile.name, join(profile.requires_os, ", ")),
                     .node = node,
                     .hint = "choose another profile, or reinstall the node"};
    } else if (!matches(profile.requires_arch, one.arch, "")) {
      unfit[node] = {.fault = Fault::validation,
                     .what = fmt::format("is {}; profile {} is for {}", one.arch, profile.name,
                                         join(profile.requires_arch, ", ")),
                     .node = node,
                     .hint = "choose another profile"};
    }
  }
  return unfit;
}

namespace {

/// Moves the nodes on which versions would meet that do not go together (a kernel and its headers, what
/// the profile pins and what is installed) to the failed ones.
void set_aside_incompatible(Gathered& gathered, std::map<NodeId, NodeWanted>& wanted, const Profile& profile) {
  for (auto node = wanted.begin(); node != wanted.end();) {
    auto facts = gathered.facts.at(node->first);
    if (is_container(facts)) facts.kernel.clear();
    const auto broken = incompatibilities({node->second.resources, profile.vars, &facts});
    if (broken.empty()) {
      ++node;
      continue;
    }
    gathered.failed[node->first] = {.fault = Fault::validation,
                                    .what = broken.front().what,
                                    .node = node->first,
                                    .hint = "change one of the two sides in the profile or its variables"};
    gathered.facts.erase(node->first);
    node = wanted.erase(node);
  }
}

/// Moves the nodes that the profile is not for to the failed ones.
void set_aside_unsuitable(Gathered& gathered, const Profile& profile) {
  for (auto& [node, error] : unsuitable(profile, gathered.facts)) {
    gathered.facts.erase(node);
    gathered.failed.emplace(node, std::move(error));
  }
}

bool has_public_half(const Wanted& wanted) {
  return wanted.kind == "secret" && wanted.text("kind", "random").starts_with("ssh-");
}

}  // namespace

Result<Planned> plan_recorded(const Inventory& inventory, const Profile& profile, Gathered recorded,
                              const std::vector<std::string>& components) {
  set_aside_unsuitable(recorded, profile);
  std::map<std::string, std::string> public_keys;
  for (const auto& wanted : profile.resources) {
    if (!has_public_half(wanted)) continue;
    const auto name = wanted.text("name", wanted.name);
    public_keys[name] = "ssh-ed25519 MADE-WHEN-APPLIED " + name;
  }
  const auto host_keys = pinned_keys(inventory);
  auto wanted = resolve(inventory, profile, recorded.facts, {recorded.facts, host_keys, public_keys},
                        components);
  if (!wanted) return fail(wanted.error());
  set_aside_incompatible(recorded, *wanted, profile);
  std::map<NodeId, ObservedNode> observed;
  for (const auto& [node, resources] : *wanted) {
    for (const auto& one : resources.resources) {
      const auto* kind = find_in_catalog<ResourceKind>(one.kind);
      observed[node].resources.push_back(assumed_state(*kind, one, recorded.facts.at(node)));
    }
  }
  auto plan = make_plan(inventory, profile, *wanted, observed, recorded.facts, recorded.failed);
  if (!plan) return fail(plan.error());
  return Planned{.plan = std::move(*plan), .wanted = std::move(*wanted), .facts = std::move(recorded.facts)};
}

Result<Resolved> resolve_cluster(Site& site, const Profile& profile, SecretStore& secrets,
                                 const std::vector<std::string>& components) {
  auto gathered = sort_out(gather_facts(site));
  if (site.stop.stop_requested()) return fail(Fault::cancelled, "interrupted while reading facts");
  set_aside_unsuitable(gathered, profile);

  // Configuration that lists all nodes must not forget one that is down just now.
  auto known = remembered_facts(site.inventory);
  for (const auto& [node, facts] : gathered.facts) known[node] = facts;
  if (auto saved = remember_facts(site.inventory, gathered.facts); !saved) return fail(saved.error());

  std::map<std::string, std::string> public_keys;
  Profile with_digests = profile;
  for (auto& wanted : with_digests.resources) {
    if (wanted.kind != "secret") continue;
    if (has_public_half(wanted)) {
      auto line = secrets.public_half(wanted);
      if (!line) return fail(line.error());
      public_keys[wanted.text("name", wanted.name)] = std::move(*line);
    }
    const auto digest = secrets.digest(wanted);
    if (!digest) return fail(digest.error());
    if (*digest) set_value(wanted.fields, "sha256", Value({**digest}, wanted.pos));
  }

  const auto host_keys = pinned_keys(site.inventory);
  auto wanted = resolve(site.inventory, with_digests, gathered.facts, {known, host_keys, public_keys},
                        components);
  if (!wanted) return fail(wanted.error());
  set_aside_incompatible(gathered, *wanted, with_digests);
  return Resolved{std::move(gathered.facts), std::move(gathered.failed), std::move(*wanted)};
}

Result<Planned> plan_cluster(Site& site, const Profile& profile, SecretStore& secrets,
                             const std::vector<std::string>& components) {
  auto resolved = resolve_cluster(site, profile, secrets, components);
  if (!resolved) return fail(resolved.error());

  std::map<NodeId, ObservedNode> observed;
  for (auto& [node, result] : observe(site, resolved->wanted, resolved->facts)) {
    if (result) {
      observed.emplace(node, std::move(*result));
    } else {
      resolved->failed.emplace(node, std::move(result.error()));
    }
  }
  if (site.stop.stop_requested()) return fail(Fault::cancelled, "interrupted while reading the state");

  auto plan = make_plan(site.inventory, profile, resolved->wanted, observed, resolved->facts,
                        resolved->failed);
  if (!plan) return fail(plan.error());
  return Planned{.plan = std::move(*plan),
                 .wanted = std::move(resolved->wanted),
                 .facts = std::move(resolved->facts)};
}

}  // namespace podwright
