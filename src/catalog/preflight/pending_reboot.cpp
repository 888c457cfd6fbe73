// A node that waits for a reboot runs another kernel or other libraries than those that are installed.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/preflight/planned.hpp"

namespace podwright {
namespace {

std::optional<PreflightFinding> judge(std::string_view printed, const PreflightContext& context) {
  const auto sign = preflight::value_of(printed, "pending");
  if (sign.empty()) return std::nullopt;
  // A reboot that is planned settles it.
  if (std::ranges::any_of(context.steps, &Step::reboots)) return std::nullopt;
  const auto dkms = preflight::installs_package(context, preflight::is_dkms);
  return PreflightFinding{
      .fatal = !dkms.empty(),
      .what = dkms.empty() ? fmt::format("a reboot is pending ({})", clean_output(sign))
                           : fmt::format("a reboot is pending ({}), and {} would be built for the kernel that runs",
                                         clean_output(sign), dkms),
      .hint = "reboot it first, or put [[reboot]] into the profile"};
}

const Registered pending_reboot{Preflight{
    .id = "pending_reboot",
    .summary = "No reboot is pending: an obstacle where a module is built, else a warning",
    .source = "update-notifier: /run/reboot-required; a kernel whose modules were removed cannot load any",
    .probe = R"sh(read -r kernel </proc/sys/kernel/osrelease
if [ -e /run/reboot-required ]; then echo 'pending /run/reboot-required is there'
elif [ ! -e /run/systemd/container ] && [ -d /lib/modules ] && [ ! -d "/lib/modules/$kernel" ]; then
  echo "pending the modules of the kernel that runs, $kernel, are gone"
fi)sh",
    .judge = judge,
}};

}  // namespace
}  // namespace podwright
