#include "engine/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "catalog/registry.hpp"
#include "engine/fan_out.hpp"

namespace podwright {

namespace {

/// "fs" names fs.use, fs.rw, …; "fs.use" itself alone.
bool names(const std::string& pattern, std::string_view id) {
  return id == pattern || (id.starts_with(pattern) && id.substr(pattern.size()).starts_with('.'));
}

bool any_names(const std::vector<std::string>& patterns, std::string_view id) {
  return std::ranges::any_of(patterns, [&](const auto& pattern) { return names(pattern, id); });
}

const CheckSpec* spec_of(const Profile& profile, std::string_view id) {
  const auto found = std::ranges::find(profile.checks, id, &CheckSpec::id);
  return found == profile.checks.end() ? nullptr : &*found;
}

}  // namespace

Result<std::vector<const Check*>> select_checks(const Profile& profile, const CheckOptions& options) {
  for (const auto& patterns : {options.only, options.skip}) {
    for (const auto& pattern : patterns) {
      const auto known = names_in_catalog<Check>();
      if (std::ranges::none_of(known, [&](const auto& id) { return names(pattern, id); })) {
        return fail(Fault::usage,
                    fmt::format("there is no check \"{}\"{}", pattern, did_you_mean(pattern, known)),
                    "`podwright check --list` shows them all");
      }
    }
  }
  std::vector<const Check*> selected;
  for (const auto& check : catalog<Check>()) {
    if (!options.only.empty() && !any_names(options.only, check.id)) continue;
    if (any_names(options.skip, check.id)) continue;
    const auto* spec = spec_of(profile, check.id);
    if (spec != nullptr && !spec->enabled) continue;
    selected.push_back(&check);
  }
  return selected;
}

std::vector<const Check*> distinct_probes(const std::vector<const Check*>& checks) {
  std::vector<const Check*> distinct;
  std::set<std::string_view> names;
  for (const auto* check : checks) {
    if (!check->probe.empty() && names.insert(probe_name(*check)).second) distinct.push_back(check);
  }
  return distinct;
}

CheckReport run_checks(Site& site, const Profile& profile,
                       const std::map<NodeId, NodeWanted>& wanted,
                       const std::map<NodeId, Facts>& facts,
                       const std::map<NodeId, Error>& unreachable,
                       const std::vector<const Check*>& checks) {
  const auto probes = distinct_probes(checks);
  std::vector<FramedJob> jobs;
  for (const auto& [node, one] : facts) {
    FramedScript script("checks of " + node);
    for (const auto* check : probes) {
      script.add({.comment = fmt::format("{}: {}", probe_name(*check), check->summary),
                  .script = std::string(check->probe),
                  .deadline = check->deadline});
    }
    if (!script.empty()) jobs.push_back({node, std::move(script)});
  }
  const auto results = run_framed(site, std::move(jobs), "check");

  CheckReport report;
  for (const auto& [node, error] : unreachable) report.nodes[node].error = error.message();
  for (const auto& [node, node_facts] : facts) {
    auto& verdicts = report.nodes[node];
    const auto result = results.find(node);
    if (result != results.end() && result->second.error) {
      verdicts.error = result->second.error->message();
      continue;
    }
    Profile own = profile;
    const auto resources = wanted.find(node);
    own.resources = resources == wanted.end() ? std::vector<Wanted>{} : resources->second.resources;
    const Value::Table no_options;
    for (const auto* check : checks) {
      Observed observed;
      if (!check->probe.empty()) {
        const auto place = std::ranges::find(probes, probe_name(*check), [](const Check* one) { return probe_name(*one); });
        const auto found = result->second.frames.find(static_cast<std::size_t>(place - probes.begin()));
        observed = found != result->second.frames.end()
                       ? found->second
                       : Observed{.exit_status = 255, .out = {}, .err = "its output never arrived"};
      }
      const auto* spec = spec_of(profile, check->id);
      auto judged = judge_check(*check, observed,
                                {.options = spec == nullptr ? no_options : spec->options,
                                 .facts = node_facts,
                                 .node = *site.inventory.find(node),
                                 .inventory = site.inventory,
                                 .profile = own,
                                 .cohort = facts});
      std::ranges::move(judged, std::back_inserter(verdicts.checks));
    }
  }
  return report;
}

}  // namespace podwright
