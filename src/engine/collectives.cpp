#include "engine/collectives.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/collectives/launch.hpp"
#include "catalog/registry.hpp"
#include "engine/fan_out.hpp"
#include "engine/parallel_parts.hpp"

namespace podwright {

namespace {

/// A collective moves seconds' worth of data; making a communicator over thousands of ranks takes minutes.
constexpr int run_seconds = 300;

bool through_slurm(const Profile& profile) {
  return std::ranges::find(profile.handoff_targets, "slurm") != profile.handoff_targets.end();
}

std::string training_user(const Profile& profile) {
  const auto* value = find_value(profile.vars, "training_user");
  return value == nullptr ? std::string{} : value->scalar_text();
}

/// Accelerators on the node that has fewest; one rank a node where there are none.
int devices_of(const std::vector<NodeId>& nodes, const std::map<NodeId, Facts>& facts) {
  std::size_t least = 0;
  bool first = true;
  for (const auto& node : nodes) {
    const auto known = facts.find(node);
    const auto count = known == facts.end() ? 0 : known->second.gpus.size();
    least = first ? count : std::min(least, count);
    first = false;
  }
  return static_cast<int>(std::max<std::size_t>(1, least));
}

std::string text_option(const MeasurementSpec& spec, std::string_view key) {
  const auto* value = find_value(spec.options, key);
  return value == nullptr ? std::string{} : value->scalar_text();
}

/// One collective of the profile.
class Run {
 public:
  Run(Site& site, const Profile& profile, const MeasurementSpec& spec, const Collective& tool,
      const std::map<NodeId, Facts>& facts, const std::vector<ExpectedRate>& table)
      : site_(site), profile_(profile), spec_(spec), tool_(tool), facts_(facts), table_(table) {}

  std::vector<CollectiveResult> across(const std::vector<NodeId>& nodes) {
    const auto head = launcher();
    if (!head) return {};
    const CollectiveJob job{.nodes = static_cast<int>(nodes.size()), .devices = ranks_on_a_node(nodes), .options = spec_.options};
    const auto set_up = launch::preparation({.hosts = join(nodes, ","),
                                             .nodes = nodes.size(),
                                             .devices = job.devices,
                                             .user = training_user(profile_),
                                             .seconds = run_seconds,
                                             .rank = tool_.program(job),
                                             .carried = std::string(tool_.carried)});
    const auto how = through_slurm(profile_) ? launch::through_slurm() : launch::through_ssh();
    const auto answers = run({{*head, set_up + std::string(how)}});
    return judge(answers.at(*head), job, {});
  }

  std::vector<CollectiveResult> within(const std::vector<NodeId>& nodes) {
    std::map<NodeId, std::string> scripts;
    for (const auto& node : nodes) scripts.emplace(node, tool_.program(job_of(node)));
    const auto answers = run(scripts);
    std::vector<CollectiveResult> all;
    for (const auto& node : nodes) std::ranges::move(judge(answers.at(node), job_of(node), node), std::back_inserter(all));
    return all;
  }

 private:
  [[nodiscard]] CollectiveJob job_of(const NodeId& node) const {
    return {.nodes = 1, .devices = devices_of({node}, facts_), .options = spec_.options};
  }

  /// The allreduce of CPU clusters has one rank a node, also where there are accelerators.
  [[nodiscard]] int ranks_on_a_node(const std::vector<NodeId>& nodes) const {
    return tool_.carried.empty() ? devices_of(nodes, facts_) : 1;
  }

  /// The head, also where it was not selected: it has the program and the scheduler.
  [[nodiscard]] std::optional<NodeId> launcher() const {
    const auto heads = site_.inventory.with_role("head");
    if (!heads.empty()) return heads.front()->name;
    return site_.nodes.empty() ? std::nullopt : std::optional(site_.nodes.front());
  }

  std::map<NodeId, FramedResult> run(const std::map<NodeId, std::string>& scripts) {
    std::vector<FramedJob> jobs;
    for (const auto& [node, script] : scripts) {
      jobs.push_back({node, in_parallel(fmt::format("{} on {}", tool_.tool, node),
                                        {{.comment = std::string(tool_.tool),
                                          .script = script,
                                          .deadline = std::chrono::seconds(run_seconds + 120)}})});
    }
    return run_framed(site_, jobs, fmt::format("validate {}", tool_.tool));
  }

  [[nodiscard]] Result<std::vector<CollectiveSample>> samples_of(const FramedResult& answer, const CollectiveJob& job) const {
    const auto frame = answer.frames.find(0);
    if (frame != answer.frames.end()) return tool_.parse(frame->second, job);
    if (answer.error) return fail(*answer.error);
    return fail(Fault::remote, fmt::format("{} ended without an answer", tool_.tool));
  }

  std::vector<CollectiveResult> judge(const FramedResult& answer, const CollectiveJob& job, const NodeId& node) const {
    const auto operation = text_option(spec_, "operation");
    const auto samples = samples_of(answer, job);
    if (!samples) {
      auto result = expectation(operation.empty() ? "all_reduce" : operation, job, node);
      if (tool_.within_node) result.name = tool_.tool;
      result.status = Verdict::failed;
      result.error = samples.error().what;
      if (!samples.error().hint.empty()) result.error += "; " + samples.error().hint;
      return {std::move(result)};
    }
    std::vector<CollectiveResult> all;
    for (const auto& sample : *samples) {
      auto& result = all.emplace_back(expectation(sample.operation, job, node));
      result.busbw_gbytes_per_s = sample.busbw_gbytes_per_s;
      if (sample.busbw_gbytes_per_s < result.expected_gbytes_per_s) result.status = Verdict::slow;
    }
    return all;
  }

  /// The profile's figure, else the table's, else none.
  [[nodiscard]] CollectiveResult expectation(const std::string& operation, const CollectiveJob& job, const NodeId& node) const {
    CollectiveResult result{.name = operation, .nodes = job.nodes, .tool = std::string(tool_.tool), .node = node};
    if (spec_.min_busbw_gbytes_per_s > 0) {
      result.expected_gbytes_per_s = spec_.min_busbw_gbytes_per_s;
      result.source = "profile " + profile_.name;
      return result;
    }
    if (tool_.tool == "mpi-allreduce") return result;  // not between accelerators
    const auto* row = expected_rate(table_, {.hardware = hardware_of(profile_, facts_),
                                             .operation = operation,
                                             .algorithm = text_option(spec_, "algorithm"),
                                             .nodes = job.nodes});
    if (row == nullptr) return result;
    result.expected_gbytes_per_s = row->rate;
    result.source = row->source;
    return result;
  }

  Site& site_;
  const Profile& profile_;
  const MeasurementSpec& spec_;
  const Collective& tool_;
  const std::map<NodeId, Facts>& facts_;
  const std::vector<ExpectedRate>& table_;
};

}  // namespace

std::string hardware_of(const Profile& profile, const std::map<NodeId, Facts>& facts) {
  if (!profile.fabric.hardware.empty()) return profile.fabric.hardware;
  std::map<std::string, std::size_t> counts;
  for (const auto& [node, known] : facts) {
    for (const auto& gpu : known.gpus) ++counts[gpu.model];
  }
  const auto most = std::ranges::max_element(counts, {}, [](const auto& one) { return one.second; });
  return most == counts.end() ? std::string{} : most->first;
}

std::vector<CollectiveResult> measure_collectives(Site& site, const Profile& profile, const std::vector<NodeId>& nodes,
                                                  const std::map<NodeId, Facts>& facts,
                                                  const std::vector<ExpectedRate>& table) {
  std::vector<CollectiveResult> all;
  for (const auto& spec : profile.measurements) {
    const auto* tool = find_in_catalog<Collective>(spec.tool);
    if (spec.kind != "collective" || tool == nullptr || site.stop.stop_requested()) continue;
    Run run(site, profile, spec, *tool, facts, table);
    if (tool->within_node) std::ranges::move(run.within(nodes), std::back_inserter(all));
    else if (nodes.size() >= 2) std::ranges::move(run.across(nodes), std::back_inserter(all));
  }
  return all;
}

}  // namespace podwright
