// [[timezone]]: the zone of the node's local time.
#include <fmt/format.h>

#include "base/shell.hpp"
#include "catalog/resources/reading.hpp"

namespace podwright {
namespace {

// Zones have aliases, and some systems copy the file instead of linking it: the file decides.
std::string probe(const Wanted& wanted, const Facts&) {
  return sh::assign("f", "/usr/share/zoneinfo/" + wanted.name) + R"sh(
[ -e /etc/localtime ] || exit 0
z=$(readlink -f /etc/localtime) || exit
echo "zone ${z#*/zoneinfo/}"
if [ -e "$f" ] && { [ "$f" -ef /etc/localtime ] || cmp -s "$f" /etc/localtime; }; then echo 'same yes'; fi
)sh";
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto& zone = wanted.name;
  if (zone.empty() || zone.starts_with('/') || zone.find("..") != std::string::npos) {
    return refuse(wanted, "name", fmt::format("'{}' is not the name of a time zone", zone),
                  "for example Etc/UTC or Europe/Berlin");
  }
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  const auto now = (*reading)["zone"];
  if ((*reading)["same"] == "yes") return std::vector<Step>{};

  auto step = step_for(wanted, "set",
                       now.empty() ? fmt::format("no time zone is set, wanted {}", zone)
                                   : fmt::format("the time zone is {}, wanted {}", now, zone));
  step.script = sh::assign("z", zone) + R"sh(
f=/usr/share/zoneinfo/$z
[ -f "$f" ] || { echo "there is no $f: is the package tzdata installed?" >&2; exit 1; }
ln -sfn "$f" /etc/localtime || exit
[ ! -e /etc/timezone ] || printf '%s\n' "$z" >/etc/timezone || exit
)sh";
  step.undo.paths = {"/etc/localtime", "/etc/timezone"};
  step.deadline = std::chrono::seconds(30);
  return std::vector{step};
}

const Registered timezone{ResourceKind{
    .table = "timezone",
    .key = "name",
    .summary = "The zone of the node's local time",
    .fields = {{.name = "name",
                .required = true,
                .doc = "As in the tz database: Etc/UTC, Europe/Berlin"}},
    .probe = probe,
    .plan = plan,
}};

}  // namespace
}  // namespace podwright
