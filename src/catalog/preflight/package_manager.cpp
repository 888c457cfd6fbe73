// Somebody else's apt or dnf holds the lock, and may change the very packages that were planned.
#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/preflight/planned.hpp"

namespace podwright {
namespace {

std::optional<PreflightFinding> judge(std::string_view printed, const PreflightContext& context) {
  if (!preflight::plans(context, "package") && !preflight::plans(context, "repo")) return std::nullopt;
  const auto running = preflight::value_of(printed, "running");
  if (running.empty()) return std::nullopt;
  return PreflightFinding{.what = fmt::format("another package manager is running: {}", clean_output(running)),
                          .hint = "wait for it, then `podwright apply --retry-failed`"};
}

const Registered package_manager{Preflight{
    .id = "package_manager",
    .summary = "No other package manager is running where packages are planned",
    .source = "apt.conf(5) DPkg::Lock, dnf.conf(5) exit_on_lock: one at a time",
    // unattended-upgrades keeps a process that only waits for the shutdown.
    // What runs in a container on the node is none of its business.
    .probe = R"sh(ours=$(readlink /proc/self/ns/pid)
for comm in $(grep -lsxE 'apt|apt-get|aptitude|dpkg|unattended-upgr|dnf|dnf-3|dnf5|yum|zypper|dnf-automatic' /proc/[0-9]*/comm); do
  process=${comm%/comm}
  [ "$(readlink "$process/ns/pid")" = "$ours" ] || continue
  line=$(tr '\0' ' ' <"$process/cmdline")
  case $line in '' | *--wait-for-signal*) continue ;; esac
  printf 'running %.100s(process %s)\n' "$line" "${process##*/}"
  break
done)sh",
    .judge = judge,
}};

}  // namespace
}  // namespace podwright
