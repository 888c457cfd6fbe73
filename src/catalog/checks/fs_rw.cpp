// fs.rw: no file system fell back to read-only.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/fs_fullness.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

// A kernel that meets an error makes the file system read-only; what fstab wants read-only is meant so.
constexpr std::string_view script = R"sh(
[ ! -r /etc/fstab ] || while read -r source path type options rest || [ -n "$source" ]; do
  case $source in ''|'#'*) continue ;; esac
  case ,$options, in *,ro,*) printf 'ro\t%s\n' "$path" ;; esac
done </etc/fstab
echo end
)sh";

bool has_option(std::string_view options, std::string_view option) {
  const auto all = split(options, ',');
  return std::ranges::find(all, option) != all.end();
}

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return {judging::failed_to_run(check, lines.error().what, "cat /etc/fstab")};
  auto meant = judging::list_option(expectation, "ignore");
  for (const auto& line : *lines) {
    const auto fields = reading::fields(line, 2);
    if (!fields) return {judging::failed_to_run(check, fields.error().what, "cat /etc/fstab")};
    meant.push_back(reading::unescape_octal((*fields)[1]));
  }
  std::vector<std::string> declared;  // to be writable
  for (const auto& wanted : expectation.profile.resources) {
    if (wanted.kind == "mount") (has_option(wanted.text("options"), "ro") ? meant : declared).push_back(wanted.name);
  }
  std::vector<std::string> frozen;
  std::size_t judged = 0;
  const auto& mounts = expectation.facts.mounts;
  for (const auto& mount : mounts) {
    if (judging::is_read_only_image(mount) || std::ranges::find(meant, mount.path) != meant.end()) continue;
    // What lives in memory never falls back: who made it read-only wanted it so, unless the profile says otherwise.
    if (mount.fstype == "tmpfs" && std::ranges::find(declared, mount.path) == declared.end()) continue;
    ++judged;
    if (!has_option(mount.options, "ro")) continue;
    // A device that is writable elsewhere is well: this is a second mount, read-only on purpose. Every tmpfs is
    // of its own, although they share the name of their source.
    const bool elsewhere = mount.fstype != "tmpfs" && std::ranges::any_of(mounts, [&](const Mount& other) {
      return other.source == mount.source && other.fstype == mount.fstype && !has_option(other.options, "ro");
    });
    if (!elsewhere) frozen.push_back(fmt::format("{} ({} {})", mount.path, mount.fstype, mount.source));
  }
  if (judged == 0) return {judging::skipped(check, "no file system that should be writable")};
  const std::string expected = "no file system that is read-only against fstab and profile";
  if (frozen.empty()) return {judging::passed(check, count_of(judged, "file system") + " writable", expected)};
  return {judging::broken(check, human_list(frozen) + " read-only", expected,
                          "dmesg | grep -i -e 'remounting' -e 'i/o error' names the cause; check the disk (smartctl -a), "
                          "then fsck and mount -o remount,rw. Meant so? [[check]] id = \"fs.rw\", ignore = [\"PATH\"]")};
}

const Registered check{Check{
    .id = "fs.rw",
    .summary = "No file system is read-only that should not be",
    .severity = Severity::fatal,
    .source = "LBNL NHC (check_fs_mount_rw)",
    .options = {{.name = "ignore", .type = FieldType::list, .doc = "paths of mounts that are read-only on purpose"}},
    .needs = {"mounts"},
    .probe = script,
    .judge = judge}};

}  // namespace

}  // namespace podwright
