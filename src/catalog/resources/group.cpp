// [[group]]: a group of users.
#include <fmt/format.h>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/reading.hpp"

namespace podwright {
namespace {

std::string probe(const Wanted& wanted, const Facts&) {
  return sh::assign("n", wanted.name) + R"sh(
e=$(getent group "$n")
case $? in 0) ;; 2) exit 0 ;; *) exit 1 ;; esac
printf 'group %s\n' "$e"
)sh";
}

/// A group that is made again gets its number and its members back. Who is in a group that stays is
/// no part of the state: users bring that.
Undo undo_of(const std::string& name, bool removes) {
  return {.state = sh::assign("n", name) + R"sh(
e=$(getent group "$n")
case $? in 0) ;; 2) exit 0 ;; *) exit 1 ;; esac
members=${e##*:}
e=${e%:*}
printf '%s\n' "${e##*:}"
)sh" + (removes ? "printf '%s\\n' \"$members\"\n" : ""),
          .restore = sh::assign("n", name) + R"sh(
gid=$(sed -n 1p "$before")
if [ -z "$gid" ]; then
  getent group "$n" >/dev/null || exit 0
  groupdel "$n"
elif getent group "$n" >/dev/null; then
  groupmod -g "$gid" "$n"
else
  groupadd -g "$gid" "$n" || exit
  members=$(sed -n 2p "$before")
  [ -z "$members" ] || gpasswd -M "$members" "$n"
fi
)sh"};
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  const auto entry = split((*reading)["group"], ':');  // name:password:gid:members
  const bool exists = entry.size() >= 3;
  const auto name = sh::quote(wanted.name);
  const auto gid = wanted.text("gid");

  Step step;
  if (wanted.text("state") == "absent") {
    if (!exists) return std::vector<Step>{};
    step = step_for(wanted, "remove", fmt::format("group {} exists, wanted absent", wanted.name));
    step.script = fmt::format("groupdel {} || exit\n", name);
  } else if (!exists) {
    step = step_for(wanted, "create", fmt::format("there is no group {}", wanted.name));
    step.script =
        fmt::format("groupadd{}{} {} || exit\n", wanted.flag("system", false) ? " -r" : "",
                    gid.empty() ? "" : " -g " + sh::quote(gid), name);
  } else if (!gid.empty() && entry[2] != gid) {
    step = step_for(wanted, "set",
                    fmt::format("group {} has gid {}, wanted {}", wanted.name, entry[2], gid));
    step.script = fmt::format("groupmod -g {} {} || exit\n", sh::quote(gid), name);
  } else {
    return std::vector<Step>{};
  }
  step.undo = undo_of(wanted.name, wanted.text("state") == "absent");
  step.deadline = std::chrono::seconds(60);
  return std::vector{step};
}

const Registered group{ResourceKind{
    .table = "group",
    .key = "name",
    .summary = "A group of users",
    .fields =
        {
            {.name = "name", .required = true, .doc = "Name of the group"},
            {.name = "gid",
             .type = FieldType::integer,
             .doc = "Number; files of the old number keep it. Default: the next that is free"},
            {.name = "system",
             .type = FieldType::flag,
             .doc = "Take the number from the system's range. Default: false"},
            {.name = "state", .doc = "Default: present", .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
}};

}  // namespace
}  // namespace podwright
