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

const Value::Table& options_of(const Profile& profile, std::string_view id) {
  static const Value::Table none;
  const auto* spec = spec_of(profile, id);
  return spec == nullptr ? none : spec->options;
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

CheckReadings read_for_checks(Site& site, const CheckContext& context, const std::vector<const Check*>& checks) {
  CheckReadings readings;
  std::vector<FramedJob> jobs;
  std::map<NodeId, std::vector<const Check*>> probes;
  for (const auto& [node, facts] : context.facts) {
    auto concerned = checks;
    std::erase_if(concerned, [&](const Check* check) { return !concerns(*check, facts); });
    FramedScript script("checks");
    for (const auto* check : probes[node] = distinct_probes(concerned)) {
      const auto& options = options_of(context.profile, check->id);
      script.add({.comment = fmt::format("{}: {}", probe_name(*check), check->summary),
                  .script = probe_text(*check, options),
                  .deadline = probe_deadline(*check, options)});
    }
    if (!script.empty()) jobs.push_back({node, std::move(script)});
  }
  if (jobs.empty()) return readings;
  for (auto& [node, result] : run_framed(site, jobs, "check")) {
    if (result.error) {
      readings.failed.emplace(node, std::move(*result.error));
      continue;
    }
    for (auto& [frame, observed] : result.frames) {
      readings.observed[node].emplace(probe_name(*probes.at(node).at(frame)), std::move(observed));
    }
  }
  return readings;
}

CheckReport judge_checks(const CheckContext& context, const std::map<NodeId, Error>& unreachable,
                         const std::vector<const Check*>& checks, const CheckReadings& readings) {
  CheckReport report;
  for (const auto& [node, error] : unreachable) report.nodes[node].error = error.message();
  for (const auto& [node, node_facts] : context.facts) {
    auto& verdicts = report.nodes[node];
    if (const auto failed = readings.failed.find(node); failed != readings.failed.end()) {
      verdicts.error = failed->second.message();
      continue;
    }
    Profile own = context.profile;
    const auto resources = context.wanted.find(node);
    own.resources = resources == context.wanted.end() ? std::vector<Wanted>{} : resources->second.resources;
    const auto read = readings.observed.find(node);
    for (const auto* check : checks) {
      Observed observed;
      if (!check->probe.empty() && concerns(*check, node_facts)) {
        observed = {.exit_status = 255, .out = {}, .err = "its output never arrived"};
        if (read != readings.observed.end()) {
          const auto found = read->second.find(std::string(probe_name(*check)));
          if (found != read->second.end()) observed = found->second;
        }
      }
      auto judged = judge_check(*check, observed,
                                {.options = options_of(context.profile, check->id),
                                 .facts = node_facts,
                                 .node = *context.inventory.find(node),
                                 .inventory = context.inventory,
                                 .profile = own,
                                 .cohort = context.facts});
      std::ranges::move(judged, std::back_inserter(verdicts.checks));
    }
  }
  return report;
}

CheckReport run_checks(Site& site, const CheckContext& context, const std::map<NodeId, Error>& unreachable,
                       const std::vector<const Check*>& checks) {
  return judge_checks(context, unreachable, checks, read_for_checks(site, context, checks));
}

}  // namespace podwright
