#include "engine/slurm_drain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/process.hpp"
#include "base/text.hpp"
#include "catalog/parsers/management.hpp"

namespace podwright {

namespace {

constexpr std::string_view ours = "podwright: ";
/// Slurm prints reasons in tables; longer ones are unreadable there.
constexpr std::size_t most_reason = 160;
constexpr Millis patience{20000};

Result<std::string> scontrol(std::vector<std::string> arguments, const std::stop_token& stop) {
  arguments.insert(arguments.begin(), "scontrol");
  const auto ran = run_process(arguments, {}, patience, stop);
  if (!ran) return fail(ran.error());
  if (ran->exit_status != 0) {
    const auto complaint = clean_output(trim(ran->err.empty() ? ran->out : ran->err));
    return fail(Fault::remote, fmt::format("{} failed: {}", join(arguments, " "), complaint.substr(0, 300)),
                "is slurmctld running, and does `scontrol ping` answer on this node?");
  }
  return ran->out;
}

/// One line without what scontrol's syntax would take apart. Blanks are single, as in the reason that is read back.
std::string plain(std::string_view text) {
  auto line = clean_output(text);
  std::erase_if(line, [](char c) { return c == '"' || c == '\'' || c == '['; });
  const auto parts = words(line);
  return join({parts.begin(), parts.end()}, " ");
}

}  // namespace

Result<SlurmNode> read_slurm_node(std::string_view printed) {
  const auto nodes = parsing::parse_scontrol_nodes(printed);
  if (!nodes) return fail(nodes.error());
  SlurmNode node;
  for (const auto& [name, value] : nodes->front()) {
    if (name == "State") node.state = value;
    if (name == "Reason") node.reason = value.substr(0, value.find(" ["));
  }
  if (node.state.empty()) return fail(Fault::remote, "scontrol does not say which state the node has");
  return node;
}

std::optional<SlurmOrder> decide_slurm(const SlurmNode& node, const NodeChecks& checks) {
  std::vector<const CheckResult*> broken;
  for (const auto& check : checks.checks) {
    if (check.status == CheckStatus::fail || check.status == CheckStatus::error) broken.push_back(&check);
  }
  const bool is_ours = node.reason.starts_with(ours);
  if (checks.error.empty() && broken.empty()) {
    // Nothing was checked: that is no proof of health.
    if (checks.checks.empty() || !node.drained() || !is_ours) return std::nullopt;
    return SlurmOrder{.state = "RESUME", .reason = {}};
  }
  if (node.drained() && !is_ours) return std::nullopt;
  // A failure says more than a check that could not be run.
  std::ranges::stable_partition(broken, [](const auto* check) { return check->status == CheckStatus::fail; });
  auto reason = std::string(ours) + plain(checks.error);
  if (!broken.empty()) {
    reason = fmt::format("{}{}: {}", ours, broken.front()->id, plain(broken.front()->observed));
    const auto more = broken.size() > 1 ? fmt::format(" (and {} more)", broken.size() - 1) : std::string();
    if (reason.size() + more.size() > most_reason) reason.resize(most_reason - more.size());
    reason += more;
  }
  if (reason.size() > most_reason) reason.resize(most_reason);
  if (node.drained() && node.reason == reason) return std::nullopt;
  return SlurmOrder{.state = "DRAIN", .reason = reason};
}

Result<std::optional<SlurmOrder>> drain_or_resume(const std::string& slurm_name, const NodeChecks& checks,
                                                  const std::stop_token& stop) {
  const auto printed = scontrol({"show", "node", slurm_name, "--oneliner"}, stop);
  if (!printed) return fail(printed.error());
  const auto node = read_slurm_node(*printed);
  if (!node) return fail(node.error());
  auto order = decide_slurm(*node, checks);
  if (!order) return order;
  std::vector<std::string> update = {"update", "NodeName=" + slurm_name, "State=" + order->state};
  if (!order->reason.empty()) update.push_back("Reason=" + order->reason);
  if (const auto done = scontrol(update, stop); !done) return fail(done.error());
  return order;
}

}  // namespace podwright
