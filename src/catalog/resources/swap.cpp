// [[swap]]: swap space in a file or on a device, now and after the next boot; or none at all.
#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/checks/judging.hpp"
#include "catalog/resources/file_edit.hpp"

namespace podwright {
namespace {

using std::chrono_literals::operator""min;

constexpr const char* fstab = "/etc/fstab";
constexpr std::uint64_t mebi = 1024 * 1024;

bool is_all(const Wanted& wanted) { return wanted.name == "all"; }
bool is_device(const Wanted& wanted) { return wanted.name.starts_with("/dev/"); }

// /proc/swaps has a line of headings; blanks in names are octal there, which `wanted_path` and
// check_path keep out.
std::string probe(const Wanted& wanted, const Facts&) {
  std::string script = R"sh(
while read -r name type size rest; do
  case $name in Filename) ;; *) printf 'active:%s %s\n' "$name" "$size" ;; esac
done </proc/swaps || exit
)sh";
  if (!is_all(wanted)) {
    script += sh::assign("p", wanted.name) + R"sh(
if [ -b "$p" ]; then
  # The signature at the end of the first page; pages of 64 KiB are usual on arm64.
  kind='block device without swap space'
  for page in 4096 16384 65536; do
    s=$(dd if="$p" bs=1 skip=$((page - 10)) count=10 2>/dev/null)
    if [ "$s" = SWAPSPACE2 ]; then kind='swap device'; fi
  done
  echo "kind $kind"
  printf 'real %s\n' "$(readlink -f "$p")"
elif [ -f "$p" ]; then
  echo 'kind file'
  printf 'bytes %s\n' "$(stat -c %s "$p")"
elif [ -e "$p" ] || [ -L "$p" ]; then
  echo 'kind other'
else
  echo 'kind absent'
fi
)sh";
  }
  return script + "echo '[fstab]'\n" + file_probe(fstab, Content::always);
}

std::map<std::string, std::string> active_swaps(const Reading& reading) {
  std::map<std::string, std::string> all;
  for (const auto& [key, value] : reading.values) {
    if (key.starts_with("active:")) all.emplace(key.substr(7), value);
  }
  return all;
}

bool is_swap_line(const std::vector<std::string_view>& have) {
  return have.size() >= 3 && !have[0].starts_with('#') && have[2] == "swap";
}

FileEdit comment_all(std::string_view before) {
  FileEdit edit;
  for (const auto line : exact_lines(before)) {
    const auto known =
        std::ranges::any_of(edit.lines, [&](const auto& one) { return one.first == line; });
    if (is_swap_line(words(line)) && !known) {
      edit.lines.emplace_back(line, fmt::format("# podwright: {}\n", line));
    }
  }
  return edit;
}

/// One line for the path as it should be; an empty one takes it out.
FileEdit one_line(std::string_view before, const std::string& path, const std::string& line) {
  FileEdit edit;
  bool placed = line.empty();
  for (const auto have : exact_lines(before)) {
    const auto parts = words(have);
    if (!is_swap_line(parts) || parts[0] != path) continue;
    const auto known =
        std::ranges::any_of(edit.lines, [&](const auto& one) { return one.first == have; });
    if (known) continue;
    if (!placed && have == line) {
      placed = true;
      continue;
    }
    edit.lines.emplace_back(have, placed ? "" : line + "\n");
    placed = true;
  }
  if (!placed) edit.append = line + "\n";
  return edit;
}

/// dd and not fallocate: swapon refuses files with holes, which is what some file systems make.
constexpr std::string_view create_script = R"sh(
mkdir -p "${p%/*}/" || exit
free=$(df -P -k "${p%/*}/" | { read -r heading; read -r fs blocks used free rest; echo "$free"; })
have=0
if [ -f "$p" ]; then have=$(($(stat -c %b "$p") / 2)); fi
if [ $((free + have)) -le $((mib * 1024)) ]; then
  printf 'there is no room for %s MiB of swap in %s\n' "$mib" "${p%/*}/" >&2
  exit 1
fi
if [ -n "$active" ]; then swapoff "$p" || exit; fi
rm -f "$p"
(
  umask 077
  : >"$p" || exit
  # A file that is copied on write can't be swapped to.
  case $(stat -f -c %T "$p") in btrfs) chattr +C "$p" || exit ;; esac
  dd if=/dev/zero of="$p" bs=1048576 count="$mib" conv=fsync 2>/dev/null || {
    echo "$p could not be written" >&2
    rm -f "$p"
    exit 1
  }
) || exit
mkswap "$p" >/dev/null || exit
)sh";

Undo undo_of(const Wanted& wanted) {
  if (is_all(wanted)) {
    return {.paths = {fstab},
            .state = "while read -r name type rest; do echo \"$name\"; done </proc/swaps\n",
            .restore = "[ ! -d /run/systemd/system ] || systemctl daemon-reload || exit\n"
                       "while read -r name; do\n"
                       "  [ \"$name\" = Filename ] || grep -qF \"$name \" /proc/swaps || swapon "
                       "\"$name\" || exit\n"
                       "done <\"$before\"\n"};
  }
  const bool file = !is_device(wanted);
  return {.paths = {fstab},
          .state = sh::assign("p", wanted.name) + R"sh(
r=$(readlink -f "$p")
if grep -qF "$r " /proc/swaps; then echo 'active yes'; else echo 'active no'; fi
if [ -f "$p" ]; then printf 'bytes %s\n' "$(stat -c %s "$p")"; else echo 'bytes 0'; fi
)sh",
          .restore = sh::assign("p", wanted.name) + sh::assign("file", file ? "yes" : "") + R"sh(
was= bytes=
while read -r key value; do
  case $key in active) was=$value ;; bytes) bytes=$value ;; esac
done <"$before"
[ ! -d /run/systemd/system ] || systemctl daemon-reload || exit
if grep -qF "$(readlink -f "$p") " /proc/swaps; then swapoff "$p" || exit; fi
if [ -n "$file" ]; then
  rm -f "$p" || exit
  if [ "$bytes" -gt 0 ]; then
    (umask 077; dd if=/dev/zero of="$p" bs=1048576 count=$((bytes / 1048576)) conv=fsync 2>/dev/null) &&
      mkswap "$p" >/dev/null || exit
  fi
fi
if [ "$was" = yes ]; then swapon "$p" || exit; fi
)sh"};
}

struct Work {
  std::vector<std::string> reasons{};
  std::string before{};  ///< sh that comes before fstab is written
  std::string after{};
};

constexpr const char* reload = "[ ! -d /run/systemd/system ] || systemctl daemon-reload || exit\n";

Result<std::vector<Step>> finish(const Wanted& wanted, std::string action, Work work,
                                 const std::optional<FileChange>& change) {
  auto step = step_for(wanted, std::move(action), {});
  step.script = std::move(work.before);
  if (change) {
    work.reasons.push_back(change->why);
    step.diff = change->diff;
    step.script += fmt::format("(\n{}) || exit\n", change->script) + reload;
  }
  step.script += work.after;
  if (work.reasons.empty()) return std::vector<Step>{};
  step.why = join(work.reasons, "; ");
  step.undo = undo_of(wanted);
  step.deadline = 30min;  // swapping in what is out, and writing a large file
  return std::vector{std::move(step)};
}

Result<std::vector<Step>> plan_none(const Wanted& wanted, const Reading& now,
                                    const std::string& before) {
  Work work;
  const auto active = active_swaps(now);
  if (!active.empty()) {
    std::vector<std::string> names;
    for (const auto& [name, size] : active) names.push_back(name);
    work.reasons.push_back(fmt::format("{} {} swapped to, wanted none", human_list(names),
                                       names.size() == 1 ? "is" : "are"));
    work.after = "swapoff -a || exit\n"
                 "while read -r name type rest; do\n"
                 "  [ \"$name\" = Filename ] || swapoff \"$name\" || exit\n"
                 "done </proc/swaps\n";
  }
  const auto edit = comment_all(before);
  return finish(wanted, "remove", std::move(work),
                change_part(fstab, before, edit,
                            fmt::format("fstab has {}", count_of(edit.lines.size(), "swap"))));
}

Result<std::vector<Step>> plan_absent(const Wanted& wanted, const Reading& now,
                                      const std::string& before) {
  const auto& path = wanted.name;
  Work work;
  const auto active = active_swaps(now);
  if (active.contains(path) || active.contains(std::string(now["real"]))) {
    work.reasons.push_back(path + " is swapped to, wanted absent");
    work.before = fmt::format("swapoff {} || exit\n", sh::quote(path));
  }
  if (now["kind"] == "file") {
    work.reasons.push_back(path + " exists, wanted absent");
    work.after = fmt::format("rm -f {} || exit\n", sh::quote(path));
  }
  return finish(wanted, "remove", std::move(work),
                change_part(fstab, before, one_line(before, path, {}), path + " is in fstab"));
}

Result<std::vector<Step>> plan_present(const Wanted& wanted, const Reading& now,
                                       const std::string& before) {
  const auto& path = wanted.name;
  const auto active = active_swaps(now);
  const auto place = active.contains(path) ? active.find(path)
                                           : active.find(std::string(now["real"]));
  const bool is_active = place != active.end();
  Work work;
  const auto assign = sh::assign("p", path);
  if (is_device(wanted)) {
    if (now["kind"] != "swap device") {
      return fail({.fault = Fault::remote,
                   .what = fmt::format("{} is {}", path,
                                       now["kind"] == "absent" ? "not there"
                                                               : "a " + std::string(now["kind"])),
                   .step = wanted.id(),
                   .hint = fmt::format("podwright does not format devices: mkswap {}", path)});
    }
    if (!is_active) work.reasons.push_back(path + " is not swapped to");
  } else {
    const auto size = judging::parse_size(wanted.text("size"));
    if (!size || *size < static_cast<double>(mebi)) {
      return refuse(wanted, "size", fmt::format("'{}' is not a size", wanted.text("size")),
                    "for example \"16GiB\"; at least 1MiB");
    }
    const auto mib = static_cast<std::uint64_t>(*size) / mebi;
    if (now["kind"] != "file" && now["kind"] != "absent") {
      return fail({.fault = Fault::remote,
                   .what = fmt::format("{} is no file, wanted swap space", path),
                   .step = wanted.id(),
                   .hint = "look at it on the node: ls -la " + path});
    }
    const auto bytes = static_cast<std::uint64_t>(to_int(now["bytes"]).value_or(0));
    if (now["kind"] == "absent") {
      work.reasons.push_back(path + " does not exist");
    } else if (bytes != mib * mebi) {
      work.reasons.push_back(fmt::format("{} has {}, wanted {}", path, human_bytes(bytes),
                                         human_bytes(mib * mebi)));
    } else if (!is_active) {
      work.reasons.push_back(path + " is not swapped to");
    }
    if (!work.reasons.empty()) {
      // A file that is there and not in use is made anew: what is in it is anybody's guess.
      work.before = assign + sh::assign("active", is_active ? "yes" : "") +
                    sh::assign("mib", std::to_string(mib)) + std::string(create_script);
    }
  }
  const bool turn_on = !work.reasons.empty();
  const auto priority = wanted.has("priority") ? wanted.integer("priority", 0) : -1;
  const auto options = priority < 0 ? std::string("sw") : fmt::format("sw,pri={}", priority);
  if (turn_on) {
    work.after = assign + fmt::format("swapon {}\"$p\" || exit\n",
                                      priority < 0 ? "" : fmt::format("-p {} ", priority));
  }
  const auto line = fmt::format("{} none swap {} 0 0", path, options);
  const auto edit = one_line(before, path, line);
  return finish(wanted, turn_on ? "create" : "write", std::move(work),
                change_part(fstab, before, edit,
                            edit.append.empty() ? fmt::format("fstab has {} otherwise", path)
                                                : path + " is not in fstab"));
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const bool absent = wanted.text("state") == "absent";
  if (is_all(wanted)) {
    if (!absent) {
      return refuse(wanted, "path", "all swap space can only be absent",
                    "give state = \"absent\", or the path of a file and its size");
    }
  } else {
    const auto path = wanted_path(wanted);
    if (!path) return fail(path.error());
    if (path->find_first_of(" \t\n\\#") != std::string::npos) {
      return refuse(wanted, "path", fmt::format("'{}' is not a path for swap space", *path),
                    "fstab takes no blanks");
    }
  }
  if (wanted.integer("priority", 0) < 0 || wanted.integer("priority", 0) > 32767) {
    return refuse(wanted, "priority", "a priority is a number from 0 to 32767");
  }
  const auto now = read(wanted, observed);
  if (!now) return fail(now.error());
  if (!is_all(wanted) && (*now)["kind"].empty()) {
    return fail({.fault = Fault::remote,
                 .what = wanted.name + " could not be read",
                 .step = wanted.id(),
                 .hint = "plan again"});
  }
  const auto before = editable_text(fstab, file_state(*read(wanted, observed, "fstab")));
  if (!before) return steps_for(wanted, fail(before.error()));
  if (is_all(wanted)) return plan_none(wanted, *now, *before);
  return absent ? plan_absent(wanted, *now, *before) : plan_present(wanted, *now, *before);
}

std::string nothing(const Wanted&, const Facts&) {
  return "kind absent\n[fstab]\ntype absent\n";
}

const Registered swap{ResourceKind{
    .table = "swap",
    .key = "path",
    .summary = "Swap space in a file or on a device, now and after the next boot; or none at all",
    .fields =
        {
            {.name = "path",
             .required = true,
             .doc = "Absolute path of a file, which is made, or of a device that holds swap space; "
                    "\"all\" with state absent: the node does not swap"},
            {.name = "size",
             .type = FieldType::any,
             .doc = "Of the file: \"16GiB\"; another size makes it anew. A number counts GiB"},
            {.name = "priority",
             .type = FieldType::integer,
             .doc = "0 to 32767; higher is used first. Default: the kernel's choice"},
            {.name = "state",
             .doc = "absent: not swapped to, not in fstab, and the file is gone. Default: present",
             .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
    .nothing = nothing,
}};

}  // namespace
}  // namespace podwright
