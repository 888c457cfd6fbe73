#include "engine/report_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "config/json.hpp"

namespace podwright {

namespace {

/// Runs further back say nothing about the cluster of today, and reading them takes time.
constexpr std::size_t kMostRuns = 200;

/// Takes the documents of runs, the newest first.
class Collector {
 public:
  explicit Collector(const Inventory& inventory) : inventory_(inventory) {
    data_.report.cluster = inventory.name;
    data_.report.nodes = inventory.nodes;
    data_.report.created = utc_timestamp(std::chrono::system_clock::now());
  }

  Status take(const RunFolder& run) {
    if (data_.report.run.empty()) data_.report.run = run.id();
    for (auto&& part : {take_facts(run), take_plan(run), take_applied(run), take_fabric(run), take_checks(run),
                        take_handoff(run)}) {
      if (!part) return part;
    }
    return {};
  }

  Result<ReportData> result() {
    auto& report = data_.report;
    if (report.profile.empty()) report.profile = inventory_.profile;
    if (!report.plan && !report.applied && !report.fabric && !report.checks && !report.handoff &&
        report.facts.empty() && report.unreachable.empty()) {
      return fail(Fault::usage, "no run has anything to report",
                  "run `podwright up`, or plan, apply, validate, check or handoff");
    }
    for (const auto* part : {"fabric", "checks", "handoff"}) {
      const auto found = data_.sources.find(part);
      if (found == data_.sources.end() || changed_in_.empty() || found->second >= changed_in_) continue;
      data_.warnings.push_back(fmt::format("the {} part is from run {}, before run {} changed the nodes", part,
                                           found->second, changed_in_));
    }
    return std::move(data_);
  }

 private:
  [[nodiscard]] bool known(const NodeId& node) const { return inventory_.find(node) != nullptr; }
  void from(const char* part, const RunFolder& run) { data_.sources.emplace(part, run.id()); }

  Status take_facts(const RunFolder& run) {
    const auto document = run.load("facts.json");
    if (!document) return fail(document.error());
    if (!*document || !(*document)->contains("nodes")) return {};
    auto& report = data_.report;
    const auto seen = [&](const NodeId& node) {
      return !known(node) || report.facts.contains(node) || report.unreachable.contains(node);
    };
    std::map<NodeId, Error> failed;
    if (const auto list = (*document)->find("failed"); list != (*document)->end()) {
      for (const auto& [node, error] : list->items()) {
        if (seen(node)) continue;
        failed[node] = Error{.fault = Fault::unreachable, .what = error.value("what", "unreachable"),
                             .node = node, .step = error.value("step", ""), .hint = error.value("hint", "")};
      }
    }
    for (const auto& [node, one] : (*document)->at("nodes").items()) {
      if (seen(node)) continue;
      auto facts = facts_from_json(one);
      if (!facts) return fail(facts.error());
      report.facts.emplace(node, std::move(*facts));
      from("facts", run);
    }
    report.unreachable.merge(failed);
    return {};
  }

  Status take_plan(const RunFolder& run) {
    if (data_.report.plan) return {};
    const auto document = run.load("plan.json");
    if (!document) return fail(document.error());
    if (!*document) return {};
    auto plan = plan_from_json(**document);
    if (!plan) return fail(plan.error());
    data_.report.profile = plan->profile;
    data_.report.plan = std::move(*plan);
    from("plan", run);
    return {};
  }

  Status take_applied(const RunFolder& run) {
    const auto document = run.load("applied.json");
    if (!document) return fail(document.error());
    if (!*document) return {};
    auto applied = applied_from_json(**document);
    if (!applied) return fail(applied.error());
    auto& all = data_.report.applied;
    if (!all) all = Applied{.run = applied->run, .nodes = {}};
    for (auto& [name, node] : applied->nodes) {
      if (!node.changed.empty()) changed_in_ = std::max(changed_in_, run.id());
      if (known(name)) all->nodes.try_emplace(name, std::move(node));
    }
    from("applied", run);
    return {};
  }

  Status take_fabric(const RunFolder& run) {
    if (data_.report.fabric) return {};
    const auto document = run.load("fabric.json");
    if (!document) return fail(document.error());
    if (!*document) return {};
    auto fabric = fabric_from_json(**document);
    if (!fabric) return fail(fabric.error());
    data_.report.fabric = std::move(*fabric);
    from("fabric", run);
    return {};
  }

  Status take_checks(const RunFolder& run) {
    const auto document = run.load("checks.json");
    if (!document) return fail(document.error());
    if (!*document) return {};
    auto checks = checks_from_json(**document);
    if (!checks) return fail(checks.error());
    auto& all = data_.report.checks;
    if (!all) all.emplace();
    for (auto& [name, node] : checks->nodes) {
      if (!known(name)) continue;
      const auto [place, fresh] = all->nodes.try_emplace(name, node);
      if (fresh) continue;
      // A newer run could not check the node at all: what an older one saw is not the state of today.
      if (!place->second.error.empty()) continue;
      auto& kept = place->second.checks;
      for (auto& check : node.checks) {
        const bool newer = std::ranges::find(kept, check.id, &CheckResult::id) != kept.end();
        if (!newer) kept.push_back(std::move(check));
      }
    }
    from("checks", run);
    return {};
  }

  Status take_handoff(const RunFolder& run) {
    if (data_.report.handoff) return {};
    const auto document = run.load("handoff.json");
    if (!document) return fail(document.error());
    if (!*document) return {};
    auto handoff = handoff_from_json(**document);
    if (!handoff) return fail(handoff.error());
    data_.report.handoff = std::move(*handoff);
    from("handoff", run);
    return {};
  }

  const Inventory& inventory_;
  ReportData data_;
  std::string changed_in_;  ///< the newest run that changed a node
};

}  // namespace

Result<ReportData> load_report(const Inventory& inventory, const RunFolder& run) {
  Collector collector(inventory);
  if (auto taken = collector.take(run); !taken) return fail(taken.error());
  return collector.result();
}

Result<ReportData> load_report(const Inventory& inventory) {
  Collector collector(inventory);
  auto ids = RunFolder::list(inventory.state_dir);
  std::ranges::reverse(ids);
  if (ids.size() > kMostRuns) ids.resize(kMostRuns);
  for (const auto& id : ids) {
    const auto run = RunFolder::open(inventory.state_dir, id);
    if (!run) return fail(run.error());
    if (auto taken = collector.take(*run); !taken) return fail(taken.error());
  }
  return collector.result();
}

}  // namespace podwright
