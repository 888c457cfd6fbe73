// proc.dstate: no process waits for ever.
#include <fmt/format.h>

#include <map>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

// A task that reads from a busy disk is often seen in state D; one that is in it three times in 5 s and
// has not run in between (the third number of schedstat) is stuck. When none is in it at all, which is
// usual, this ends at once.
constexpr std::string_view script = R"sh(
sample() {
  grep -ls '^State:.D' /proc/[0-9]*/task/[0-9]*/status
  [ $? != 126 ] || grep -ls '^State:.D' /proc/[0-9]*/status
}
runs() { r=; { read -r a b r; } 2>/dev/null <"$1/schedstat"; }
set --
for f in $(sample); do
  runs "${f%/status}"
  set -- "$@" "${f%/status}:$r"
done
for pause in 2 3; do
  [ $# -gt 0 ] || break
  sleep "$pause"
  now=" $(sample | while read -r f; do printf '%s ' "${f%/status}"; done)"
  n=$#
  while [ "$n" -gt 0 ]; do
    one=$1; shift; n=$((n - 1))
    case $now in *" ${one%:*} "*) runs "${one%:*}"; [ "$r" != "${one##*:}" ] || set -- "$@" "$one" ;; esac
  done
done
for one in "$@"; do
  d=${one%:*}
  name=; { read -r name; } 2>/dev/null <"$d/comm"
  where=; { read -r where; } 2>/dev/null <"$d/wchan"
  kind=process; [ -e "$d/exe" ] || kind=kernel
  printf '%s\t%s\t%s\t%s\n' "${d##*/}" "$kind" "${name:--}" "${where:--}"
done
echo end
)sh";

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto lines = reading::lines_of(observed);
  const auto unusable = [&](const Error& error) {
    return std::vector{judging::failed_to_run(check, error.what, "ps -eLo pid,lwp,stat,wchan:32,comm | grep ' D'")};
  };
  if (!lines) return unusable(lines.error());
  const std::string expected = "no task that is stuck in uninterruptible sleep for 5 s";
  std::vector<std::string> processes;
  std::vector<std::string> threads;
  for (const auto& line : *lines) {
    const auto fields = reading::fields(line, 4);
    if (!fields) return unusable(fields.error());
    const auto& f = *fields;
    if (const auto id = reading::number(line, f[0], "the task", 1, INT64_MAX); !id) return unusable(id.error());
    auto text = fmt::format("{} ({}{})", f[0], f[2], f[3].empty() || f[3] == "0" ? "" : fmt::format(" in {}", f[3]));
    (f[1] == "kernel" ? threads : processes).push_back(std::move(text));
  }
  const std::string remedy = "cat /proc/ID/stack tells what it waits for: a file server that is gone (podwright check for "
                             "fs.mounts), a disk or a driver; only a reboot ends such a task when that does not come back";
  if (!processes.empty()) {
    return {judging::broken(check, fmt::format("{} stuck: {}", count_of(processes.size(), "task"), human_list(processes)), expected, remedy)};
  }
  // Some drivers' threads wait in this state by design.
  if (!threads.empty()) {
    return {judging::warned(check, fmt::format("{} stuck: {}", count_of(threads.size(), "kernel thread"), human_list(threads)), expected, remedy)};
  }
  if (judging::in_container(expectation.facts)) return {judging::passed(check, "none in this container", expected)};
  return {judging::passed(check, "none", expected)};
}

const Registered check{Check{
    .id = "proc.dstate",
    .summary = "No task is stuck in uninterruptible sleep",
    .severity = Severity::fatal,
    .source = "leptonai/gpud (components/os)",
    .needs = {"os"},
    .probe = script,
    .deadline = std::chrono::seconds(20),
    .judge = judge}};

}  // namespace

}  // namespace podwright
