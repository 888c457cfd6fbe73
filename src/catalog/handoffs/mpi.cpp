// MPI: proven by an allreduce between all compute nodes whose sums are checked, through Slurm where
// it is handed over, and by mpirun over the training user's ssh.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/collectives/launch.hpp"
#include "catalog/parsers/allreduce.hpp"
#include "catalog/handoffs/proof_script.hpp"

namespace podwright {
namespace {

using namespace handoffs;

constexpr int run_seconds = 180;
constexpr std::string_view collective = "mpi-allreduce";

bool has_slurm(const HandoffContext& context) {
  return std::ranges::find(context.profile.handoff_targets, "slurm") !=
         context.profile.handoff_targets.end();
}

/// What a collective must reach at least, in 10^9 bytes a second; 0: the profile does not say.
double floor_of(const Profile& profile) {
  double floor = 0;
  for (const auto& measurement : profile.measurements) {
    if (measurement.kind == "collective" && measurement.tool == collective)
      floor = std::max(floor, measurement.min_busbw_gbytes_per_s);
  }
  return floor;
}

std::string proof(const HandoffContext& context) {
  const auto nodes = compute_nodes(context);
  // The judge says that there is nothing to prove.
  if (nodes.empty()) return "exit 0\n";
  auto script = std::string(section_functions()) +
                launch::preparation({.hosts = comma_list(nodes),
                                     .nodes = nodes.size(),
                                     .devices = 1,
                                     .user = training_user(context),
                                     .seconds = run_seconds,
                                     .rank = "exec \"$copy\"",
                                     .carried = "/opt/podwright/bin/allreduce"});
  if (has_slurm(context)) script += fmt::format("begin srun\n{}end\n", launch::through_slurm());
  script += fmt::format("begin mpirun\n{}end\n", launch::through_ssh());
  return script;
}

/// The figure of a run that passed; reasons where it did not.
double judge_run(const std::vector<Section>& sections, const std::string& how,
                 const HandoffContext& context, std::vector<std::string>& reasons) {
  const auto nodes = compute_nodes(context);
  const auto* section = find_section(sections, how);
  if (section == nullptr || !section->exit_status) {
    reasons.push_back(fmt::format("the allreduce through {} did not come to its end{}", how,
                                  section == nullptr ? "" : ": " + complaint(section->lines)));
    return 0;
  }
  const auto run = parsing::read_allreduce(section->lines);
  std::vector<std::string> absent;
  for (const auto* node : nodes) {
    if (!run.hosts.contains(host_name_of(*node, context))) absent.push_back(node->name);
  }
  if (!run.ended || *section->exit_status != 0) {
    const auto who = absent.empty() || absent.size() == nodes.size()
                         ? std::string()
                         : fmt::format(" ({} did not take part)", human_list(absent));
    const auto what = *section->exit_status == 0
                          ? "told no result"
                          : describe_exit(*section->exit_status, run_seconds);
    reasons.push_back(
        fmt::format("the allreduce through {} {}{}: {}", how, what, who, complaint(run.messages)));
  } else if (!absent.empty()) {
    reasons.push_back(
        fmt::format("{} did not take part in the allreduce through {}", human_list(absent), how));
  }
  if (!run.ended) return 0;
  if (!run.correct)
    reasons.push_back(fmt::format("the sums of the allreduce through {} are wrong", how));
  if (absent.empty() && run.ranks != static_cast<std::int64_t>(nodes.size())) {
    reasons.push_back(
        fmt::format("{} ranks took part in the allreduce through {}, not one on each of {}",
                    run.ranks, how, count_of(nodes.size(), "node")));
  }
  // A single node has nobody to send to: its bus bandwidth is 0 by definition.
  const double floor = floor_of(context.profile);
  if (nodes.size() > 1 && !(run.busbw > 0 && run.busbw >= floor)) {
    reasons.push_back(
        fmt::format("the allreduce through {} reached {:.3f} GB/s bus bandwidth; the profile "
                    "wants {:.3f}",
                    how, run.busbw, floor));
  }
  return run.busbw;
}

ProofResult judge(const Observed& observed, const HandoffContext& context) {
  const auto sections = sections_of(observed.out);
  const auto nodes = compute_nodes(context);
  std::vector<std::string> reasons;
  std::vector<std::string> figures;
  if (nodes.empty()) {
    reasons.emplace_back("no compute node is healthy: there is nothing to prove");
  } else {
    if (observed.timed_out) reasons.emplace_back("the proof ran into its deadline");
    std::vector<std::string> ways = {"mpirun"};
    if (has_slurm(context)) ways.insert(ways.begin(), "srun");
    for (const auto& how : ways) {
      const auto busbw = judge_run(sections, how, context, reasons);
      figures.push_back(fmt::format("{:.3f} GB/s through {}", busbw, how));
    }
  }
  const auto user = training_user(context);
  return conclude(
      std::string(collective),
      fmt::format("mpirun --hostfile /etc/podwright/mpi-hostfile --map-by ppr:1:node -np {} {}",
                  nodes.size(), "/opt/podwright/bin/allreduce"),
      observed, reasons,
      fmt::format("allreduce over {} as {}: all sums right, bus bandwidth {}",
                  count_of(nodes.size(), "compute node"), user.empty() ? "root" : user,
                  join(figures, ", ")));
}

const Registered mpi{Handoff{
    .name = "mpi",
    .summary = "MPI between all compute nodes: a host file, and an allreduce that checks its sums",
    .component = "handoff/mpi",
    .proof = proof,
    .judge = judge,
    // The two runs, copies to the nodes, and tidying up
    .deadline = std::chrono::seconds{2 * run_seconds + 120},
    .collective = collective,
}};

}  // namespace
}  // namespace podwright
