// [[mount]]: a file system in its place, now and after the next boot.
#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/file_edit.hpp"

namespace podwright {
namespace {

constexpr const char* fstab = "/etc/fstab";

/// As fstab and /proc/mounts write it: blanks and the like as octal codes.
std::string escaped(std::string_view text) {
  std::string all;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\\') {
      all += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    } else {
      all += c;
    }
  }
  return all;
}

std::string probe(const Wanted& wanted, const Facts&) {
  return sh::assign("p", escaped(wanted.name)) + R"sh(
now=
while read -r source place type rest; do
  if [ "$place" = "$p" ] && [ "$type" != autofs ]; then now=$source; fi
done </proc/mounts
[ -z "$now" ] || printf 'mounted %s\n' "$now"
)sh" + file_probe(fstab, Content::always);
}

/// fstab's line, word for word.
std::vector<std::string> wanted_words(const Wanted& wanted) {
  return {escaped(wanted.text("source")), escaped(wanted.name), wanted.text("fstype"),
          wanted.text("options", "defaults")};
}

/// The edit of fstab: one line for the path as it should be, in the place of the first there is.
FileEdit edit_for(const Wanted& wanted, std::string_view before) {
  const bool absent = wanted.text("state") == "absent";
  const auto want = wanted_words(wanted);
  FileEdit edit;
  bool placed = absent;
  std::string_view kept;
  for (const auto line : exact_lines(before)) {
    const auto have = words(line);
    if (have.size() < 2 || have[0].starts_with('#') || have[1] != want[1] || line == kept) continue;
    if (!placed && have.size() >= 4 && std::equal(want.begin(), want.end(), have.begin())) {
      kept = line;
    } else {
      edit.lines.emplace_back(line, placed ? "" : join(want, " ") + " 0 0\n");
    }
    placed = true;
  }
  if (!placed) edit.append = join(want, " ") + " 0 0\n";
  return edit;
}

/// Whether something else is mounted there. Names of devices have aliases, so only sources that
/// name a server are compared.
bool is_elsewhere(std::string_view mounted, std::string_view source) {
  const auto is_remote = [](std::string_view text) {
    return text.find(":/") != std::string_view::npos || text.starts_with("//");
  };
  return mounted != source && (is_remote(source) || is_remote(mounted));
}

/// fstab and the folder as they were, and mounted what was.
Undo undo_of(const std::string& path) {
  const auto state = sh::assign("p", escaped(path)) + R"sh(
now=
while read -r source place type options rest; do
  if [ "$place" = "$p" ] && [ "$type" != autofs ]; then now="$source $options"; fi
done </proc/mounts
printf '%s\n' "$now"
)sh";
  const auto restore = sh::assign("f", path) + "now() {\n" + state + R"sh(}
was=$(cat "$before")
now=$(now)
if [ -n "$now" ] && [ "${was%% *}" = "${now%% *}" ]; then
  mount -o remount "$f"
  exit
fi
if [ -n "$now" ]; then
  out=$(umount "$f" 2>&1) || { printf 'left\t\t%s stays mounted: %s\n' "$f" "$out"; exit 0; }
fi
[ -z "$was" ] || mount "$f"
)sh";
  return {.paths = {fstab, path + "/"}, .state = state, .restore = restore, .finish = reload_systemd()};
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto path = wanted_path(wanted);
  if (!path) return fail(path.error());
  const auto state = wanted.text("state", "mounted");
  for (const auto* field : {"source", "fstype"}) {
    if (state != "absent" && wanted.text(field).empty()) {
      return refuse(wanted, field, fmt::format("{} needs a {}", *path, field));
    }
  }
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  const auto before = editable_text(fstab, file_state(*reading));
  if (!before) return steps_for(wanted, fail(before.error()));

  const auto edit = edit_for(wanted, *before);
  const auto now = (*reading)["mounted"];
  const bool mount = state == "mounted";
  const bool elsewhere = mount && !now.empty() && is_elsewhere(now, escaped(wanted.text("source")));

  auto step = step_for(wanted, mount ? "mount" : state == "absent" ? "unmount" : "write", {});
  std::vector<std::string> reasons;
  const auto unmount = sh::assign("p", *path) + "umount \"$p\" || exit\n";
  if (state == "absent" && !now.empty()) {
    reasons.push_back(fmt::format("{} is mounted at {}, wanted absent", now, *path));
    step.script += unmount;
  }
  if (elsewhere) {
    reasons.push_back(
        fmt::format("{} is mounted at {}, wanted {}", now, *path, wanted.text("source")));
    step.script += unmount;
  }
  const auto change = change_part(fstab, *before, edit, {});
  if (change) {
    reasons.push_back(state == "absent"     ? fmt::format("{} is in fstab, wanted absent", *path)
                      : edit.append.empty() ? fmt::format("fstab has {} otherwise", *path)
                                            : fmt::format("{} is not in fstab", *path));
    step.diff = change->diff;
    step.script += fmt::format("(\n{}) || exit\n", change->script);
    step.script += reload_systemd();
  }
  if (mount && (now.empty() || elsewhere)) {
    if (now.empty()) reasons.push_back(*path + " is not mounted");
    step.script += sh::assign("p", *path) + "mkdir -p \"$p\" && mount \"$p\" || exit\n";
  } else if (mount && change) {
    step.script += sh::assign("p", *path) + "mount -o remount \"$p\" || exit\n";
  }
  if (reasons.empty()) return std::vector<Step>{};
  step.why = join(reasons, "; ");
  step.undo = undo_of(*path);
  step.deadline = std::chrono::seconds(120);
  return std::vector{step};
}

const Registered mount{ResourceKind{
    .table = "mount",
    .key = "path",
    .summary = "A file system in its place, now and after the next boot",
    .fields =
        {
            {.name = "path",
             .required = true,
             .doc = "Absolute path of the folder; made when missing"},
            {.name = "source", .doc = "Device, UUID=…, or server:/path"},
            {.name = "fstype", .doc = "nfs4, xfs, tmpfs, …"},
            {.name = "options", .doc = "As in fstab: \"rw,nconnect=8\". Default: defaults"},
            {.name = "state",
             .doc = "present: in fstab, mounted or not; absent: neither. Default: mounted",
             .choices = {"mounted", "present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
}};

}  // namespace
}  // namespace podwright
