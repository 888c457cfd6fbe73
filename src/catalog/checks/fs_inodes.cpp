// fs.inodes: no file system is out of inodes.
#include "catalog/checks/fs_fullness.hpp"

namespace podwright {

namespace {

std::optional<int> used_percent(const Mount& mount) {
  if (mount.inodes_used_percent < 0) return {};
  return mount.inodes_used_percent;
}

std::vector<CheckResult> judge(const Check& check, const Observed&, const Expectation& expectation) {
  return judging::judge_fullness(check, expectation, used_percent);
}

const Registered check{Check{
    .id = "fs.inodes",
    .summary = "File systems have inodes left",
    .severity = Severity::fatal,
    .source = "facebookresearch/gcm (check_storage): 80 and 95 %",
    .options = judging::fullness_options(),
    .needs = {"mounts"},
    .judge = judge}};

}  // namespace

}  // namespace podwright
