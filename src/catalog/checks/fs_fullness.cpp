#include "catalog/checks/fs_fullness.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace podwright::judging {

namespace {

constexpr double usual_warn = 80;
constexpr double usual_fail = 95;

struct Full {
  int percent = 0;
  std::string text;
};

}  // namespace

bool is_read_only_image(const Mount& mount) {
  static constexpr std::string_view images[] = {"squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs",
                                                "fuse.squashfuse", "fuse.squashfuse_ll", "fuse.erofsfuse"};
  return std::ranges::find(images, mount.fstype) != std::end(images);
}

std::vector<CheckResult> judge_fullness(const Check& check, const Expectation& expectation,
                                        std::optional<int> (*used)(const Mount& mount)) {
  const auto warn = number_option(expectation, "warn").value_or(usual_warn);
  const auto most = number_option(expectation, "fail").value_or(usual_fail);
  const auto ignored = list_option(expectation, "ignore");
  const auto expected = fmt::format("below {:g} %; {:g} % fails", warn, most);
  std::vector<Full> all;
  for (const auto& mount : expectation.facts.mounts) {
    if (is_read_only_image(mount) || mount.hung || std::ranges::find(ignored, mount.path) != ignored.end()) continue;
    if (const auto percent = used(mount)) all.push_back({*percent, fmt::format("{} {} %", mount.path, *percent)});
  }
  if (all.empty()) return {skipped(check, "no file system that could fill up")};
  std::ranges::stable_sort(all, std::ranges::greater{}, &Full::percent);
  std::vector<std::string> over;
  for (const auto& one : all) {
    if (one.percent >= warn) over.push_back(one.text);
  }
  if (over.empty()) return {passed(check, "at most " + all.front().text, expected)};
  const auto path = all.front().text.substr(0, all.front().text.find(' '));
  auto remedy = fmt::format("find what fills it: du -xh --max-depth=2 {} | sort -h | tail; inodes: du -x --inodes", path);
  if (all.front().percent >= most) return {broken(check, human_list(over), expected, std::move(remedy))};
  return {warned(check, human_list(over), expected, std::move(remedy))};
}

std::vector<Field> fullness_options() {
  return {{.name = "warn", .type = FieldType::number, .doc = "percent from which it warns; default 80"},
          {.name = "fail", .type = FieldType::number, .doc = "percent from which it fails; default 95"},
          {.name = "ignore", .type = FieldType::list, .doc = "paths of mounts that are not judged"}};
}

}  // namespace podwright::judging
