// [[reboot]]: a barrier. What follows it in the profile runs after the node has rebooted; a node that
// needs no reboot goes on at once.
#include <fmt/format.h>

#include <algorithm>

#include "base/clock.hpp"
#include "base/shell.hpp"
#include "catalog/boot_identity.hpp"
#include "catalog/resources/reading.hpp"

namespace podwright {
namespace {

std::string probe(const Wanted&, const Facts&) {
  return sh::assign("owed", owed_reboots_file) + std::string(boot_identity_function) + R"sh(
now=$(boot_identity)
if [ -r "$owed" ]; then
  while read -r boot step; do
    [ "$boot" != "$now" ] || printf 'owed %s\n' "$step"
  done <"$owed"
fi
# Debian and Ubuntu: what a package's maintainer script asked for.
for sign in /run/reboot-required /var/run/reboot-required; do
  if [ -e "$sign" ]; then echo "required $sign is there"; fi
done
# The kernel was replaced, and the modules of the one that runs are gone.
read -r kernel </proc/sys/kernel/osrelease
if [ ! -e /run/systemd/container ] && [ -d /lib/modules ] && [ ! -d "/lib/modules/$kernel" ]; then
  echo "required there are no modules for the kernel that runs, $kernel"
fi
echo end
)sh";
}

/// A machine that nobody has changed yet waits for no reboot.
std::string nothing(const Wanted&, const Facts&) { return "end\n"; }

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext& context) {
  const auto deadline = parse_duration(wanted.text("deadline", "20m"));
  if (!deadline) return refuse(wanted, "deadline", deadline.error().what, deadline.error().hint);
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  if (!reading->values.contains("end")) {
    return fail({.fault = Fault::remote,
                 .what = "whether a reboot is pending could not be read: the probe's output is not whole",
                 .step = wanted.id(),
                 .hint = "plan again"});
  }
  std::string why;
  const auto because = wanted.list("on");
  const auto changing = std::ranges::find_if(
      because, [&](const std::string& id) { return context.changing.contains(id); });
  if (changing != because.end()) {
    why = fmt::format("{} changes, which needs a reboot", *changing);
  } else if (!context.rebooting.empty()) {
    why = fmt::format("{} needs a reboot", context.rebooting);
  } else if (const auto owed = (*reading)["owed"]; !owed.empty()) {
    why = fmt::format("{} was done, and the reboot that it needs was not", owed);
  } else {
    why = std::string((*reading)["required"]);
  }
  if (why.empty()) return std::vector<Step>{};
  auto step = step_for(wanted, "reboot", std::move(why));
  step.reboots = true;
  step.undo.why_not = "a reboot cannot be taken back, and changes nothing that stays";
  step.deadline = std::chrono::ceil<std::chrono::seconds>(*deadline);
  return std::vector{step};
}

const Registered reboot{ResourceKind{
    .table = "reboot",
    .key = "name",
    .summary = "A barrier: what follows runs after a reboot, where one is needed",
    .fields =
        {
            {.name = "name", .required = true, .doc = "What it is for, for plans"},
            {.name = "on",
             .type = FieldType::list,
             .doc = "Ids of resources (\"package/nvidia-driver\"): a change of one needs the reboot. Besides "
                    "these, a step before it that needs one (kernel_param), and what the system asks for "
                    "(/run/reboot-required), are reasons. Default: none"},
            {.name = "deadline",
             .doc = "How long the node may be away: 90s, 20m. One that is not back then is quarantined. "
                    "Default: 20m"},
        },
    .probe = probe,
    .plan = plan,
    .nothing = nothing,
}};

}  // namespace
}  // namespace podwright
