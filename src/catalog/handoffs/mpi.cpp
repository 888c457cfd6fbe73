// MPI: proven by an allreduce between all compute nodes whose sums are checked, through Slurm where
// it is handed over, and by mpirun over the training user's ssh.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/handoffs/proof_script.hpp"

namespace podwright {
namespace {

using namespace handoffs;

constexpr int run_seconds = 180;
constexpr std::string_view collective = "mpi-allreduce";

// The ring is what NCCL uses, and what makes the bus bandwidth comparable with the wire; Open MPI's
// own choice for few nodes moves more data than it must.
constexpr std::string_view preparation = R"sh(
program=/opt/podwright/bin/allreduce
export OMPI_MCA_coll_tuned_use_dynamic_rules=1 OMPI_MCA_coll_tuned_allreduce_algorithm=4
cd /
as_user() {
  if [ -n "$user" ]; then
    runuser -u "$user" -- env HOME="$(getent passwd "$user" | cut -d : -f 6)" USER="$user" LOGNAME="$user" "$@"
  else
    "$@"
  fi
}
)sh";

// The program is on the head only: sbcast carries it to the nodes of the job.
constexpr std::string_view through_slurm = R"sh(
begin srun
as_user timeout -k 5 "$run_seconds" salloc --quiet --immediate=60 --time=5 --job-name=podwright-proof \
  --nodes="$count" --ntasks-per-node=1 --nodelist="$list" --mem=512M \
  sh -c 'copy=/tmp/podwright-allreduce-$SLURM_JOB_ID
    sbcast --force "$1" "$copy" && srun --label --mpi=pmix "$copy"
    status=$?
    srun rm -f "$copy"
    exit $status' sh "$program" </dev/null 2>&1
end
)sh";

constexpr std::string_view through_ssh = R"sh(
copy=/tmp/podwright-allreduce-$$
ssh_options='-o BatchMode=yes -o ConnectTimeout=10'
nodes=$(echo "$list" | tr , ' ')
begin mpirun
(
  for node in $nodes; do
    as_user timeout -k 5 60 scp -q $ssh_options "$program" "$node:$copy" || {
      echo "cannot copy the program to $node as ${user:-root}"
      failed=yes
    }
  done
  [ -z "${failed-}" ] || exit 1
  as_user timeout -k 5 "$run_seconds" mpirun --mca plm rsh --mca plm_rsh_agent "ssh $ssh_options" \
    --hostfile /etc/podwright/mpi-hostfile --host "$list" --map-by ppr:1:node -np "$count" \
    --tag-output "$copy"
) </dev/null 2>&1
end
for node in $nodes; do
  as_user timeout -k 5 20 ssh $ssh_options "$node" 'rm -f /tmp/podwright-allreduce-*' </dev/null >/dev/null 2>&1
done
)sh";

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
  auto script =
      fmt::format("list={}\ncount={}\nuser={}\nrun_seconds={}\n{}{}", sh::quote(comma_list(nodes)),
                  nodes.size(), sh::quote(training_user(context)), run_seconds, section_functions(),
                  preparation);
  if (has_slurm(context)) script += through_slurm;
  script += through_ssh;
  return script;
}

/// What the program printed, of one run: see templates/mpi/allreduce.c.
struct Allreduce {
  std::set<std::string> hosts;
  std::vector<std::string> messages;  ///< what srun, mpirun and MPI said
  bool ended = false;
  bool correct = false;
  std::int64_t ranks = 0;
  double busbw = 0;
};

Allreduce allreduce_in(const Section& section) {
  constexpr std::string_view mark = "podwright-allreduce ";
  Allreduce run;
  for (const std::string_view line : section.lines) {
    // srun puts "0: " before a line, mpirun "[1,0]<stdout>:"
    const auto at = line.find(mark);
    if (at == std::string_view::npos) {
      run.messages.emplace_back(line);
      continue;
    }
    const auto parts = words(line.substr(at + mark.size()));
    if (parts.size() == 6 && parts[0] == "rank" && parts[2] == "of" && parts[4] == "on") {
      run.hosts.emplace(parts[5].substr(0, parts[5].find('.')));
    } else if (parts.size() == 9 && parts[0] == "result" && parts[1] == "ranks" &&
               parts[5] == "correct" && parts[7] == "busbw_gbytes_per_s") {
      run.ended = true;
      run.ranks = to_int(parts[2]).value_or(0);
      run.correct = parts[6] == "yes";
      run.busbw = to_double(parts[8]).value_or(0);
    }
  }
  return run;
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
  const auto run = allreduce_in(*section);
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
