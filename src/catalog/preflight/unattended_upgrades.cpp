// Packages that change by themselves change under a training job: driver and fabric manager part ways,
// daemons restart.
#include "catalog/preflight/planned.hpp"

namespace podwright {
namespace {

bool active(const Facts& facts, const char* unit) {
  const auto found = facts.services.find(unit);
  return found != facts.services.end() && found->second == "active";
}

std::optional<PreflightFinding> judge(std::string_view printed, const PreflightContext& context) {
  const bool on = (active(context.facts, "unattended-upgrades.service") &&
                   preflight::value_of(printed, "periodic") != "off") ||
                  preflight::value_of(printed, "timer") == "on";
  if (!on) return std::nullopt;
  return PreflightFinding{.fatal = false,
                          .what = "packages upgrade by themselves on this node",
                          .hint = "[[package]] name = \"unattended-upgrades\" state = \"absent\" (dnf-automatic), "
                                  "or hold the driver's packages: state = \"held\""};
}

const Registered unattended_upgrades{Preflight{
    .id = "unattended_upgrades",
    .summary = "No packages upgrade by themselves; a warning",
    .source = "NVIDIA Fabric Manager guide: driver and fabric manager must be of one version at all times",
    .probe = R"sh(if [ -r /etc/apt/apt.conf.d/20auto-upgrades ]; then
  if grep -q 'Unattended-Upgrade "0"' /etc/apt/apt.conf.d/20auto-upgrades; then echo 'periodic off'; fi
fi
for timer in dnf-automatic.timer dnf-automatic-install.timer dnf5-automatic.timer; do
  if [ -e "/etc/systemd/system/timers.target.wants/$timer" ]; then echo 'timer on'; break; fi
done)sh",
    .judge = judge,
}};

}  // namespace
}  // namespace podwright
