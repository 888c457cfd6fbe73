/// How one tells a boot of a node from the one before it, and a reboot that is owed.
#pragma once

#include <string_view>

namespace podwright {

/// The sh function `boot_identity` prints what differs in every boot: the kernel's boot_id, and when
/// PID 1 began. The first alone would not do in a container, whose kernel is its host's and goes on.
constexpr std::string_view boot_identity_function = R"sh(boot_identity() {
  read -r boot </proc/sys/kernel/random/boot_id
  read -r line </proc/1/stat
  set -f
  set -- ${line##*) }
  set +f
  printf '%s.%s\n' "$boot" "${20}"
}
)sh";

/// The file that tells which steps have asked for a reboot: lines "BOOT-IDENTITY STEP". It outlives
/// whoever wrote it, so that a reboot is still owed after the head was killed; a boot settles it.
constexpr std::string_view owed_reboots_file = "/var/lib/podwright/reboot-owed";

}  // namespace podwright
