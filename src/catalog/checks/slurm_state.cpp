#include "catalog/checks/slurm_state.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/parsers/management.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright::judging {

const std::string_view slurm_probe = R"sh(
n=0
for f in /dev/nvidia[0-9]* /dev/davinci[0-9]*; do [ ! -e "$f" ] || n=$((n + 1)); done
printf 'devices=%s\n' "$n"
if command -v scontrol >/dev/null 2>&1; then
  read -r host </proc/sys/kernel/hostname
  said=$(scontrol -o show node "${host%%.*}" 2>&1)
  printf 'status=%s\n%s\n' "$?" "$said"
else
  echo status=absent
fi
echo end
)sh";

namespace {

bool is_in_profile(const Expectation& expectation) {
  const auto* slurmd = expectation.profile.find("service/slurmd");
  if (slurmd == nullptr) return false;
  for (const auto& role : slurmd->roles) {
    if (expectation.node.has_role(role)) return true;
  }
  return false;
}

}  // namespace

Result<SlurmNode> read_slurm_node(const Observed& observed) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  SlurmNode node;
  std::string status;
  for (const auto& line : *lines) {
    if (line.text.starts_with("devices=")) {
      const auto count = reading::number(line, line.text.substr(8), "the number of device files", 0, 1 << 16);
      if (!count) return fail(count.error());
      node.device_files = *count;
    } else if (line.text.starts_with("status=")) {
      status = line.text.substr(7);
    } else if (line.text.starts_with("NodeName=") && status == "0") {
      const auto nodes = parsing::parse_scontrol_nodes(line.text);
      if (!nodes) return fail(nodes.error());
      node.known = true;
      node.fields = {nodes->front().begin(), nodes->front().end()};
    } else {
      node.complaint = trim(line.text.substr(0, 200));  // the last line is the verdict
    }
  }
  if (status.empty()) return fail(Fault::remote, "the status of scontrol is missing");
  node.installed = status != "absent";
  if (node.known && !node.fields.contains("State")) return fail(Fault::remote, "scontrol tells no State");
  return node;
}

std::optional<CheckResult> without_slurm(const Check& check, const SlurmNode& node, const Expectation& expectation) {
  if (node.known) return std::nullopt;
  const bool wanted = is_in_profile(expectation);
  if (!wanted) return skipped(check, "the profile runs no slurmd on this node");
  if (!node.installed) {
    return broken(check, "scontrol is not installed", "a node of the Slurm cluster", "podwright apply, then podwright handoff");
  }
  if (node.complaint.find("not found") != std::string::npos) {
    return broken(check, fmt::format("the controller does not know this node: {}", node.complaint), "a node of the Slurm cluster",
                  "podwright handoff writes slurm.conf anew for all nodes; the host name must be the node's name there");
  }
  return failed_to_run(check, fmt::format("slurmctld does not answer: {}", node.complaint.empty() ? "nothing was said" : node.complaint),
                       "on the head: systemctl status slurmctld; scontrol ping; is munge's key the same on both?");
}

}  // namespace podwright::judging
