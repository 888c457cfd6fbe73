// disk.log: what the kernel says of disks.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/kernel_log.hpp"

namespace podwright {

namespace {

std::vector<CheckResult> judge_log(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto found = judging::find_kernel_events(check, observed, expectation, "disk", judging::number_option(expectation, "hours"));
  if (found.verdict) return {*found.verdict};
  const std::string expected = "no errors of disks in the kernel's log";
  std::vector<std::string> texts;
  for (const auto& event : found.events) {
    if (event.kind != "disk" && event.kind != "nvme") continue;
    auto text = fmt::format("{}: {}", event.device.empty() ? "a disk" : event.device, event.meaning);
    if (std::ranges::find(texts, text) == texts.end()) texts.push_back(std::move(text));
  }
  if (texts.empty()) return {judging::passed(check, "none " + found.since, expected)};
  return {judging::broken(check, fmt::format("{} {}", human_list(texts), found.since), expected, "smartctl -a DEVICE; save what is on it, reseat or replace the disk, then reboot")};
}

const Registered log{Check{.id = "disk.log", .summary = "The kernel reports no errors of disks", .severity = Severity::fatal, .source = "facebookresearch/gcm (check_syslogs), leptonai/gpud",
                           .options = {{.name = "hours", .type = FieldType::number, .doc = "only of the last hours; default: since boot"}}, .needs = {"os"}, .probe = judging::kernel_log_probe(),
                           .deadline = judging::kernel_log_deadline, .reads = judging::kernel_log_reads, .judge = judge_log}};

}  // namespace

}  // namespace podwright
