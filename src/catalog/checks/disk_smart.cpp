// disk.smart: the disks' own verdicts.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/tool_output.hpp"
#include "catalog/parsers/disks.hpp"

namespace podwright {

namespace {

const std::string smart_script = judging::tool_probe(
    "seconds=8\n"
    "for d in /sys/block/nvme*n1 /sys/block/sd*; do\n"
    "  [ -e \"$d/device\" ] || continue\n"
    "  run smartctl -a -j \"/dev/${d##*/}\"\n"
    "done");

std::vector<CheckResult> judge_smart(const Check& check, const Observed& observed, const Expectation& expectation) {
  if (judging::in_container(expectation.facts)) return {judging::skipped(check, "a container: the disks are its host's")};
  if (judging::in_virtual_machine(expectation.facts)) return {judging::skipped(check, "a virtual machine: its host watches the disks")};
  const auto runs = judging::read_tool_runs(observed);
  if (!runs) return {judging::failed_to_run(check, runs.error().what, "smartctl -a /dev/nvme0")};
  if (runs->empty()) return {judging::skipped(check, "no NVMe or SCSI disk here")};
  if (runs->front().absent) {
    if (!judging::wants_package(expectation, "smartmontools")) return {judging::skipped(check, "smartctl is not installed: add [[package]] name = \"smartmontools\" to the profile")};
    return {judging::failed_to_run(check, "smartctl is not installed", "podwright apply installs what the profile names")};
  }
  std::vector<std::string> bad;
  std::vector<std::string> worn;
  std::vector<std::string> unread;
  std::size_t told = 0;
  for (const auto& run : *runs) {
    const auto disks = parsing::parse_smartctl_json(run.text);
    if (!disks) {
      unread.push_back(fmt::format("{}: {}", run.command, disks.error().what));
      continue;
    }
    for (const auto& disk : *disks) {
      const auto name = disk.device.empty() ? run.command : disk.device;
      const bool says = disk.passed || disk.critical_warning;
      if (!says) continue;  // behind a RAID controller
      ++told;
      if (disk.passed == false) bad.push_back(name + " says that it is failing");
      else if (disk.critical_warning.value_or(0) != 0) bad.push_back(fmt::format("{} critical warning {:#04x}", name, *disk.critical_warning));
      else if (disk.spare_percent && disk.spare_threshold_percent && *disk.spare_percent < *disk.spare_threshold_percent) bad.push_back(fmt::format("{} has {} % of its spare blocks left", name, *disk.spare_percent));
      else if (disk.media_errors.value_or(0) > 0) worn.push_back(fmt::format("{} {} media errors", name, *disk.media_errors));
      else if (disk.uncorrectable.value_or(0) > 0 || disk.pending.value_or(0) > 0) worn.push_back(fmt::format("{} {} sectors cannot be read", name, std::max(disk.uncorrectable.value_or(0), disk.pending.value_or(0))));
      else if (disk.used_percent.value_or(0) >= 100) worn.push_back(fmt::format("{} is worn to {} %", name, *disk.used_percent));
    }
  }
  const std::string expected = "no critical warning, spare blocks above their threshold, no media errors";
  const std::string remedy = "save what is on it and replace the disk; smartctl -a DEVICE tells more";
  if (!bad.empty()) return {judging::broken(check, human_list(bad), expected, remedy)};
  if (!worn.empty()) return {judging::warned(check, human_list(worn), expected, remedy)};
  if (told == 0 && !unread.empty()) return {judging::failed_to_run(check, human_list(unread, 2), "smartctl -a /dev/nvme0")};
  if (told == 0) return {judging::skipped(check, "no disk tells of its health: they are behind a controller, or made up")};
  return {judging::passed(check, count_of(told, "disk") + " well", expected)};
}

const Registered smart{Check{.id = "disk.smart", .summary = "The disks report that they are well", .severity = Severity::fatal, .source = "facebookresearch/gcm (check_storage); NVMe specification, SMART log",
                             .needs = {"os"}, .probe = smart_script, .deadline = std::chrono::seconds(90), .judge = judge_smart}};

}  // namespace

}  // namespace podwright
