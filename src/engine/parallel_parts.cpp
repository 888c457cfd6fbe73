#include "engine/parallel_parts.hpp"

#include <fmt/format.h>

namespace podwright {

namespace {

constexpr std::string_view functions = R"sh(trap '' PIPE
parts=$(mktemp -d "${TMPDIR:-/tmp}/podwright-measure.XXXXXX") || { echo 'no folder for temporary files' >&2; exit 1; }
export parts
trap 'rm -rf "$parts"' EXIT
start() { # NUMBER DEADLINE; the script on stdin
  { echo 'trap - PIPE'
    cat; } >"$parts/$1"
  { limit "$2" sh "$parts/$1" >"$parts/$1.out" 2>"$parts/$1.err" </dev/null
    echo $? >"$parts/$1.new"
    mv "$parts/$1.new" "$parts/$1.status"; } >/dev/null 2>&1 &
}
)sh";

// What is printed while a part is waited for goes unread into its frame, and fails once nobody listens:
// sshd tells a process in no other way that its connection is gone. Whatever the parts started has $parts
// in its environment, also in another process group or session.
constexpr std::string_view wait_for_part = R"sh(stop_parts() {
  for signal in TERM KILL; do
    for file in $(grep -ls "parts=$parts" /proc/[0-9]*/environ); do
      pid=${file#/proc/}
      pid=${pid%/environ}
      case $pid in "$$" | "$PPID") ;; *) kill "-$signal" "$pid" 2>/dev/null ;; esac
    done
    [ "$signal" = KILL ] || sleep 1
  done
}
turn=0
while [ ! -e "$parts/$part.status" ]; do
  sleep 0.1 2>/dev/null || sleep 1
  turn=$(((turn + 1) % 10))
  [ "$turn" != 0 ] || printf '\n' 2>/dev/null || { stop_parts; exit 1; }
done
cat "$parts/$part.out"
cat "$parts/$part.err" >&2
read -r status <"$parts/$part.status"
exit "$status"
)sh";

}  // namespace

FramedScript in_parallel(const std::string& title, const std::vector<Part>& parts, std::string marker) {
  FramedScript script(title, std::move(marker));
  std::string setup(functions);
  const auto& end = script.marker();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    setup += fmt::format("start {0} {1} <<'{2}-part-{0}'\n{3}\n{2}-part-{0}\n", i, parts[i].deadline.count(), end,
                         parts[i].script);
  }
  script.setup(std::move(setup));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    script.add({.comment = parts[i].comment,
                .script = fmt::format("part={}\n{}", i, wait_for_part),
                .deadline = parts[i].deadline + std::chrono::seconds(5)});
  }
  return script;
}

}  // namespace podwright
