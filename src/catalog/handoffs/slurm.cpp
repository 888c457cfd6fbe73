// Slurm: proven by a job step on every compute node, as root and as the account that jobs run
// under.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/handoffs/proof_script.hpp"

namespace podwright {
namespace {

using namespace handoffs;

constexpr int srun_seconds = 90;

/// States in which a node takes work (sinfo's long names, without the marks for "does not
/// respond").
constexpr std::array<std::string_view, 5> usable = {"idle", "mixed", "allocated", "completing",
                                                    "planned"};

// --label lets srun itself say which task a line is from: a node cannot answer for another.
constexpr std::string_view body = R"sh(cd /
usable='idle|mixed|allocated|completing|planned'

# A node registers within seconds of a restart of slurmctld.
give_up=$(($(date +%s) + 30))
while :; do
  states=$(timeout -k 2 10 sinfo --noheader --Node --nodes="$nodes" --format='%N %T %E' 2>&1)
  status=$?
  unusable=$(printf '%s\n' "$states" | grep -cvE "^[^ ]+ ($usable) ")
  [ "$status:$unusable" != 0:0 ] && [ "$(date +%s)" -lt "$give_up" ] || break
  sleep 1
done
begin nodes
printf '%s\n' "$states"
(exit "$status")
end

answering=$(printf '%s\n' "$states" | sed -nE "s/^([^ ]+) ($usable) .*/\1/p" | sort -u)
count=$(printf '%s\n' "$answering" | grep -c .)
list=$(printf '%s\n' "$answering" | paste -s -d , -)
[ "$count" -gt 0 ] || exit 0

ask() {
  timeout -k 5 "$srun_seconds" "$@" srun --label --immediate=60 --time=2 --job-name=podwright-proof \
    --nodes="$count" --ntasks="$count" --ntasks-per-node=1 --nodelist="$list" --mem=64M \
    sh -c 'echo "$SLURMD_NODENAME $(hostname)"' </dev/null 2>&1
}
begin 'srun as root'
ask env
end
[ -n "$user" ] || exit 0
begin "srun as $user"
ask runuser -u "$user" -- env
end
)sh";

std::string proof(const HandoffContext& context) {
  return fmt::format("nodes={}\nuser={}\nsrun_seconds={}\n{}{}",
                     sh::quote(comma_list(compute_nodes(context))),
                     sh::quote(training_user(context)), srun_seconds, section_functions(), body);
}

/// What is wrong with nodes before they are asked: node -> "down* (Not responding)". An error where
/// Slurm itself is not there.
Result<std::map<NodeId, std::string>> unusable_nodes(const std::vector<Section>& sections,
                                                     const std::vector<const Node*>& nodes) {
  const auto* section = find_section(sections, "nodes");
  if (section == nullptr) return fail(Fault::remote, "sinfo did not come to its end on the head");
  if (section->exit_status != 0) {
    return fail(Fault::remote, "slurmctld does not answer sinfo: " + complaint(section->lines));
  }
  std::map<std::string, std::string, std::less<>> states;
  for (const auto& line : section->lines) {
    const auto parts = words(line);
    if (parts.size() < 2) continue;
    const auto reason = parts.size() > 2 && parts[2] != "none"
                            ? fmt::format(" ({})", trim(std::string_view(line).substr(
                                                       line.find(parts[1]) + parts[1].size())))
                            : std::string();
    // A node is listed once a partition, with the same state.
    states[std::string(parts[0])] = std::ranges::find(usable, parts[1]) != usable.end()
                                        ? std::string()
                                        : fmt::format("{}{}", parts[1], reason);
  }
  std::map<NodeId, std::string> unusable;
  for (const auto* node : nodes) {
    const auto found = states.find(node->name);
    if (found == states.end()) {
      unusable[node->name] = "not in Slurm's configuration";
    } else if (!found->second.empty()) {
      unusable[node->name] = found->second + " in Slurm";
    }
  }
  return unusable;
}

/// "2: cu03 cu03.site" -> cu03, cu03
std::optional<std::pair<std::string, std::string>> answer_in(std::string_view line) {
  const auto colon = line.find(": ");
  if (colon == std::string_view::npos || !to_int(trim(line.substr(0, colon)))) return std::nullopt;
  const auto parts = words(line.substr(colon + 2));
  if (parts.size() != 2) return std::nullopt;
  return std::pair(std::string(parts[0]), std::string(parts[1].substr(0, parts[1].find('.'))));
}

/// Reasons against a question to `nodes`, all of which Slurm calls usable.
void judge_answers(const std::vector<Section>& sections, const std::string& user,
                   const std::vector<const Node*>& nodes, const HandoffContext& context,
                   std::vector<std::string>& reasons) {
  const auto* section = find_section(sections, "srun as " + user);
  if (section == nullptr || !section->exit_status) {
    reasons.push_back(fmt::format("srun as {} did not come to its end", user));
    return;
  }
  std::map<std::string, std::string> answers;
  std::vector<std::string> messages;
  for (const auto& line : section->lines) {
    if (auto answer = answer_in(line)) {
      answers.insert(std::move(*answer));
    } else {
      messages.push_back(line);
    }
  }
  std::vector<std::string> silent;
  for (const auto* node : nodes) {
    const auto found = answers.find(node->name);
    const auto host = host_name_of(*node, context);
    if (found == answers.end()) {
      silent.push_back(node->name);
    } else if (found->second != host) {
      reasons.push_back(fmt::format("{} answered srun as {} with the host name {}, not {}",
                                    node->name, user, found->second, host));
    }
  }
  if (answers.empty()) {
    reasons.push_back(fmt::format("srun as {} {}: {}", user,
                                  describe_exit(*section->exit_status, srun_seconds),
                                  complaint(messages)));
  } else if (!silent.empty()) {
    reasons.push_back(fmt::format("{} did not answer srun as {}: {}", human_list(silent), user,
                                  complaint(messages)));
  } else if (section->exit_status != 0) {
    reasons.push_back(fmt::format("srun as {} {}: {}", user,
                                  describe_exit(*section->exit_status, srun_seconds),
                                  complaint(messages)));
  }
}

std::vector<std::string> reasons_against(const Observed& observed, const HandoffContext& context) {
  auto nodes = compute_nodes(context);
  if (nodes.empty()) return {"no compute node is healthy: there is nothing to prove"};
  std::vector<std::string> reasons;
  if (observed.timed_out) reasons.emplace_back("the proof ran into its deadline");
  const auto sections = sections_of(observed.out);
  const auto unusable = unusable_nodes(sections, nodes);
  if (!unusable) {
    reasons.push_back(unusable.error().what);
    return reasons;
  }
  for (const auto& [name, state] : *unusable) {
    reasons.push_back(fmt::format("{} is {}", name, state));
  }
  std::erase_if(nodes, [&](const Node* node) { return unusable->contains(node->name); });
  if (nodes.empty()) return reasons;
  judge_answers(sections, "root", nodes, context, reasons);
  const auto user = training_user(context);
  if (!user.empty()) judge_answers(sections, user, nodes, context, reasons);
  return reasons;
}

ProofResult judge(const Observed& observed, const HandoffContext& context) {
  const auto nodes = compute_nodes(context);
  const auto user = training_user(context);
  return conclude(
      "srun", fmt::format("srun --nodes={} --ntasks-per-node=1 hostname", nodes.size()), observed,
      reasons_against(observed, context),
      fmt::format("{} answered srun with their own names, as root{}",
                  count_of(nodes.size(), "compute node"), user.empty() ? "" : " and as " + user));
}

const Registered slurm{Handoff{
    .name = "slurm",
    .summary = "Slurm: controller, node daemons, and a partition of all compute nodes",
    .component = "handoff/slurm",
    .proof = proof,
    .judge = judge,
    // 30 s for nodes to register, 90 s a question, and answers of a slow sinfo
    .deadline = std::chrono::seconds{300},
}};

}  // namespace
}  // namespace podwright
