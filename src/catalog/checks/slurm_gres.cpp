// slurm.gres: the scheduler hands out the accelerators that are there.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/slurm_state.hpp"

namespace podwright {

namespace {

/// "gpu:h100:8(S:0-1),shard:16" -> 8: what is given out whole. Nothing when it cannot be read.
std::optional<std::int64_t> count_devices(std::string_view gres) {
  std::string flat;
  int depth = 0;
  for (const char c : gres) {
    if (c == '(') ++depth;
    if (depth == 0) flat += c;
    if (c == ')') --depth;
  }
  std::int64_t total = 0;
  for (const auto one : split(flat, ',')) {
    const auto parts = split(one, ':');
    if (parts[0] != "gpu" && parts[0] != "npu") continue;
    // "gpu" alone is one; "gpu:h100" without a number, too.
    const auto count = parts.size() == 1 ? std::optional<std::int64_t>(1) : to_int(parts.back());
    if (!count && parts.size() > 2) return {};
    total += count.value_or(1);
  }
  return total;
}

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto node = judging::read_slurm_node(observed);
  if (!node) return {judging::failed_to_run(check, node.error().what, "scontrol show node $(hostname -s)")};
  if (const auto without = judging::without_slurm(check, *node, expectation)) return {*without};
  const auto field = node->fields.find("Gres");
  const std::string gres = field == node->fields.end() || field->second == "(null)" ? "" : field->second;
  const auto count = count_devices(gres);
  if (!count) return {judging::failed_to_run(check, fmt::format("Gres={} cannot be read", gres), "scontrol show node")};
  // Device files stand in where PCI shows nothing.
  const auto seen_devices = static_cast<std::int64_t>(expectation.facts.gpus.size());
  const auto devices = seen_devices > 0 ? seen_devices : node->device_files;
  const auto wanted = judging::integer_option(expectation, "expect").value_or(devices);
  const auto seen = gres.empty() ? std::string("no GRES") : "Gres=" + gres;
  const auto expected = wanted == devices ? count_of(static_cast<std::size_t>(devices), "accelerator") + ", as the node has"
                                          : fmt::format("{}, as declared (the node has {})", count_of(static_cast<std::size_t>(std::max<std::int64_t>(wanted, 0)), "accelerator"), devices);
  if (*count == 0 && wanted == 0) return {judging::skipped(check, "the node has no accelerators, and Slurm gives out none")};
  if (*count == wanted && *count == devices) return {judging::passed(check, seen, expected)};
  return {judging::broken(check, seen, expected,
                          "more in Slurm than in the node: an accelerator is gone (podwright facts; lspci); fewer: podwright handoff "
                          "writes gres.conf and slurm.conf anew, then systemctl restart slurmd")};
}

const Registered check{Check{
    .id = "slurm.gres",
    .summary = "Slurm gives out as many accelerators as the node has",
    .severity = Severity::fatal,
    .source = "facebookresearch/gcm; slurm.conf(5), Gres",
    .options = {{.name = "expect", .type = FieldType::integer, .doc = "accelerators; default: what the node has"}},
    .needs = {"gpus"},
    .probe = judging::slurm_probe,
    .deadline = std::chrono::seconds(20),
    .judge = judge}};

}  // namespace

}  // namespace podwright
