/// Where a stage's script keeps what it prints while it runs on a node (engine/runner.hpp), and how one
/// sees that it still does.
#pragma once

#include <string_view>

namespace podwright {

/// sh functions. A runner is alive when its process is the one that was written down: the same number, the
/// same time of birth, the same boot. A zombie has ended.
constexpr std::string_view runner_functions = R"sh(bases=${PODWRIGHT_RUNNERS:-/var/lib/podwright/run /run/podwright/run}
born() { # PID
  born=
  { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
  set -f
  set -- ${line##*) }
  set +f
  [ "$1" = Z ] || born=${20}
}
alive() { # FOLDER: its runner has not ended
  [ ! -e "$1/status" ] || return 1
  { read -r pid at boot <"$1/pid"; } 2>/dev/null || return 1
  read -r boot_now </proc/sys/kernel/random/boot_id
  born "$pid"
  [ -n "$at" ] && [ "$born" = "$at" ] && [ "$boot_now" = "$boot" ]
}
runner_at_work() {
  for base in $bases; do
    for folder in "$base"/*/; do
      folder=${folder%/}
      if alive "$folder"; then echo "${folder##*/}"; return; fi
    done
  done
}
)sh";

}  // namespace podwright
