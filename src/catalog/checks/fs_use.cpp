// fs.use: no file system is full.
#include "catalog/checks/fs_fullness.hpp"

namespace podwright {

namespace {

/// As df counts: of what users may have, rounded up, so that 100 % means that a write fails.
std::optional<int> used_percent(const Mount& mount) {
  const double used = static_cast<double>(mount.used_bytes);
  const double all = used + static_cast<double>(mount.available_bytes);
  if (mount.bytes == 0 || all <= 0) return {};
  return static_cast<int>(100 * (used / all) + 0.999);
}

std::vector<CheckResult> judge(const Check& check, const Observed&, const Expectation& expectation) {
  return judging::judge_fullness(check, expectation, used_percent);
}

const Registered check{Check{
    .id = "fs.use",
    .summary = "File systems have room, those that are always full left out",
    .severity = Severity::fatal,
    .source = "facebookresearch/gcm (check_storage): 80 and 95 %",
    .options = judging::fullness_options(),
    .needs = {"mounts"},
    .judge = judge}};

}  // namespace

}  // namespace podwright
