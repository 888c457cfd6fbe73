// [[service]]: a unit of systemd that runs, or does not, now and after the next boot.
//
// A service must also have been started after its configuration last changed. That is judged by
// times on the node, so that it holds even when the run that changed the file died before the
// restart.
#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/reading.hpp"

namespace podwright {
namespace {

using std::chrono_literals::operator""min;

constexpr std::string_view probe_script = R"sh(
if ! command -v systemctl >/dev/null 2>&1 || [ ! -d /run/systemd/system ]; then
  echo 'systemd absent'
  exit 0
fi
export TZ=UTC
p=LoadState,ActiveState,SubState,UnitFileState,Type,RemainAfterExit,Result
p=$p,ActiveEnterTimestamp,InactiveEnterTimestamp,StateChangeTimestamp
# Before version 247 systemd told whole seconds only.
s=$(systemctl show --timestamp=us+utc -p "$p" "$u" 2>/dev/null) ||
  s=$(systemctl show -p "$p" "$u") || exit
printf '%s\n' "$s" | sed 's/=/ /'
date '+now %Y-%m-%d %H:%M:%S'
for f in "$@"; do
  if [ -e "$f" ]; then
    t=$(stat -L -c %y "$f") || exit
    printf 'changed:%s %s\n' "$f" "$t"
  fi
done
)sh";

/// Waits until the unit is what it should be, and a moment longer: a daemon that dies at once is
/// often reported as active first.
constexpr std::string_view settle_script = R"sh(
pw_show() { systemctl show -p ActiveState,Type,Result,ActiveEnterTimestampMonotonic "$u"; }
pw_fail() {
  echo "$u did not stay up" >&2
  systemctl status --no-pager --full --lines=0 "$u" >&2
  journalctl --no-pager --quiet --lines=20 --unit "$u" >&2
  exit 1
}
pw_settle() {
  tries=40
  while [ "$tries" -gt 0 ]; do
    state=$(pw_show)
    case $state in
      *ActiveState=activating* | *ActiveState=deactivating* | *ActiveState=reloading*) ;;
      *) break ;;
    esac
    tries=$((tries - 1))
    sleep 0.25
  done
  case $state in
    *Type=oneshot*) case $state in *Result=success*) return ;; esac ;;
    *ActiveState=active*) sleep 1; [ "$(pw_show)" = "$state" ] && return ;;
  esac
  pw_fail
}
)sh";

std::string unit_of(const Wanted& wanted) {
  return wanted.name.find('.') == std::string::npos ? wanted.name + ".service" : wanted.name;
}

/// The file behind the id of a resource: its own path, or where a unit lies. Empty: it has none.
std::string path_of(const std::string& id) {
  const auto slash = id.find('/');
  if (slash == std::string::npos) return {};
  const auto name = id.substr(slash + 1);
  if (name.starts_with('/')) return name;
  return id.starts_with("unit/") ? "/etc/systemd/system/" + name : std::string{};
}

/// "2026-01-31 12:00:00.123456" of what systemctl and stat print, with a day before or a zone
/// behind. Such texts of one zone compare as the times do.
std::string_view time_of(std::string_view text) {
  const auto year = text.find_first_of("0123456789");
  if (year == std::string_view::npos) return {};
  text = text.substr(year);
  return text.substr(0, text.find(' ', text.find(' ') + 1));
}

/// Whether a file changed after a unit was started. Times to the second are compared as such.
bool is_newer(std::string_view file, std::string_view unit) {
  const auto digits =
      std::min({file.size(), unit.size(), std::string_view("2026-01-31 12:00:00.123456").size()});
  return file.substr(0, digits) > unit.substr(0, digits);
}

/// Why the unit has to take up a file, in words; empty when it has it already.
std::string reason_to_renew(const std::vector<std::string>& ids, std::string_view since,
                            const Wanted& wanted, const Reading& reading,
                            const PlanContext& context) {
  for (const auto& id : ids) {
    const auto path = path_of(id);
    if (context.changing.contains(id)) {
      return fmt::format("{} has to take up the new {}", wanted.name, path.empty() ? id : path);
    }
    const auto changed = time_of(reading["changed:" + path]);
    // A time to come is a clock that was wrong once: a restart would not mend it.
    if (path.empty() || changed.empty() || is_newer(changed, time_of(reading["now"]))) continue;
    if (is_newer(changed, time_of(since))) {
      return fmt::format("{} has run since before {} changed", wanted.name, path);
    }
  }
  return {};
}

bool is_running(const Reading& unit) {
  if (unit["ActiveState"] == "active" || unit["ActiveState"] == "reloading") return true;
  // A one-shot that does not remain is started when it has run since boot, and succeeded.
  return unit["Type"] == "oneshot" && unit["ActiveState"] == "inactive" &&
         unit["Result"] == "success" && !time_of(unit["InactiveEnterTimestamp"]).empty();
}

bool is_enabled(const Reading& unit) {
  // Static and generated units have no switch: what wants them decides, so nothing is left to do.
  static constexpr std::string_view states[] = {"enabled", "static", "indirect", "generated",
                                                "alias"};
  return std::ranges::find(states, unit["UnitFileState"]) != std::end(states);
}

bool can_be_disabled(const Reading& unit) {
  return unit["UnitFileState"] == "enabled" || unit["UnitFileState"] == "enabled-runtime" ||
         unit["UnitFileState"] == "linked";
}

std::string probe(const Wanted& wanted, const Facts&) {
  std::string script = sh::assign("u", unit_of(wanted)) + "set --";
  for (const auto* field : {"restart_on", "reload_on"}) {
    for (const auto& id : wanted.list(field)) {
      if (const auto path = path_of(id); !path.empty()) script += " " + sh::quote(path);
    }
  }
  return script + std::string(probe_script);
}

/// One step: reasons and commands are collected, the gravest of them names it.
struct Work {
  std::string action{};
  std::vector<std::string> reasons{};
  std::string commands{};

  void add(const char* verb, std::string reason, std::string_view command) {
    action = verb;
    reasons.push_back(std::move(reason));
    commands += command;
  }
};

Work work_to_run(const Wanted& wanted, const Reading& unit, const PlanContext& context) {
  // restart, not start: what was installed a moment ago may have started with other files.
  constexpr std::string_view restart =
      "systemctl reset-failed \"$u\" 2>/dev/null\n"
      "systemctl restart \"$u\" || pw_fail\npw_settle\n";
  constexpr std::string_view reload = "systemctl reload-or-restart \"$u\" || pw_fail\npw_settle\n";
  Work work;
  const bool exists = unit["LoadState"] != "not-found";
  if (unit["LoadState"] == "masked") {
    work.add("start", wanted.name + " is masked", "systemctl unmask \"$u\" || exit\n");
  }
  if (wanted.flag("enabled", false) && !is_enabled(unit)) {
    work.add("enable", wanted.name + " is not enabled at boot",
             "systemctl enable -q \"$u\" || exit\n");
  }
  if (!exists) {
    work.reasons = {fmt::format("{} does not exist yet, wanted running", wanted.name)};
    work.action = "start";
    work.commands += restart;
  } else if (!is_running(unit)) {
    const auto state = unit["ActiveState"] == "activating" || unit["ActiveState"] == "deactivating"
                           ? fmt::format("{} ({})", unit["ActiveState"], unit["SubState"])
                           : std::string(unit["ActiveState"]);
    work.add("start", fmt::format("{} is {}, wanted running", wanted.name, state), restart);
  } else if (auto why = reason_to_renew(wanted.list("restart_on"), unit["ActiveEnterTimestamp"],
                                        wanted, unit, context);
             !why.empty()) {
    work.add("restart", std::move(why), restart);
  } else if (why = reason_to_renew(wanted.list("reload_on"), unit["StateChangeTimestamp"], wanted,
                                   unit, context);
             !why.empty()) {
    work.add("reload", std::move(why), reload);
  }
  return work;
}

Work work_to_rest(const Wanted& wanted, const Reading& unit) {
  Work work;
  const bool may_start_at_boot = wanted.has("enabled") && !wanted.flag("enabled", true);
  if (may_start_at_boot && can_be_disabled(unit)) {
    work.add("disable", wanted.name + " is enabled at boot, wanted disabled",
             "systemctl disable -q \"$u\" || exit\n");
  }
  static constexpr std::string_view at_rest[] = {"inactive", "failed"};
  if (std::ranges::find(at_rest, unit["ActiveState"]) == std::end(at_rest)) {
    work.add("stop", fmt::format("{} is {}, wanted stopped", wanted.name, unit["ActiveState"]),
             "systemctl stop \"$u\" || exit\n");
  }
  return work;
}

/// Enabled, masked and running as before. One that ran before and after takes up its old files once
/// all of them are back; by then its package may be gone.
Undo undo_of(const std::string& unit) {
  const auto u = sh::assign("u", unit);
  return {.state = u + R"sh(
s=$(systemctl show -p LoadState,ActiveState,UnitFileState "$u") || exit
case $s in
  *LoadState=masked*) echo masked ;;
  *LoadState=not-found*) echo absent; exit ;;
esac
case $s in *UnitFileState=enabled*) echo enabled ;; *) echo disabled ;; esac
case $s in
  *ActiveState=active* | *ActiveState=reloading* | *ActiveState=activating*) echo running ;;
  *) echo stopped ;;
esac
)sh",
          .restore = u + R"sh(
was=$(cat "$before")
case $(systemctl show -p LoadState "$u") in *not-found*) exit 0 ;; esac
case $was in
  *masked*) systemctl mask -q "$u" || exit ;;
  *absent* | *disabled*) systemctl disable -q "$u" || exit ;;
  *enabled*) systemctl enable -q "$u" || exit ;;
esac
case $was in
  *running*) ;;
  *)
    systemctl stop "$u" || exit
    systemctl reset-failed "$u" 2>/dev/null
    ;;
esac
exit 0
)sh",
          .finish = u + R"sh(
set -- $entries
case $(cat "$1/before") in *running*) ;; *) exit 0 ;; esac
case $(systemctl show -p LoadState "$u") in *LoadState=loaded*) ;; *) exit 0 ;; esac
case $(systemctl show -p NeedDaemonReload "$u") in *=yes) systemctl daemon-reload ;; esac
systemctl restart "$u" && exit
printf 'left\t\t%s does not start with the files that it had before\n' "$u"
)sh"};
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed,
                               const PlanContext& context) {
  const auto unit = read(wanted, observed);
  if (!unit) return fail(unit.error());
  if ((*unit)["systemd"] == "absent") {
    return fail({.fault = Fault::remote,
                 .what = "this node is not run by systemd, which services need",
                 .step = wanted.id(),
                 .hint = "leave the resource out for such nodes, with when = or roles ="});
  }
  if ((*unit)["LoadState"].empty() || (*unit)["ActiveState"].empty()) {
    return fail({.fault = Fault::remote,
                 .what = "systemctl did not tell its state",
                 .step = wanted.id(),
                 .hint = "try on the node: systemctl show " + unit_of(wanted)});
  }
  const bool run = wanted.text("state", "started") == "started";
  auto work = run ? work_to_run(wanted, *unit, context) : work_to_rest(wanted, *unit);
  if (run && wanted.has("enabled") && !wanted.flag("enabled", true) && can_be_disabled(*unit)) {
    work.add(work.action.empty() ? "disable" : work.action.c_str(),
             wanted.name + " is enabled at boot, wanted disabled",
             "systemctl disable -q \"$u\" || exit\n");
  }
  if (work.reasons.empty()) return std::vector<Step>{};

  auto step = step_for(wanted, work.action, join(work.reasons, "; "));
  step.script = sh::assign("u", unit_of(wanted)) + std::string(settle_script) +
                "case $(systemctl show -p NeedDaemonReload \"$u\") in\n"
                "  *=yes) systemctl daemon-reload || exit ;;\n"
                "esac\n" +
                work.commands;
  step.undo = undo_of(unit_of(wanted));
  step.deadline = 5min;
  return std::vector{step};
}

std::string nothing(const Wanted&, const Facts&) {
  return "LoadState not-found\nActiveState inactive\n";
}

const Registered service{ResourceKind{
    .table = "service",
    .key = "name",
    .summary = "A unit of systemd that runs, or does not, now and after the next boot",
    .fields =
        {
            {.name = "name", .required = true, .doc = "Unit; without a suffix it is a .service"},
            {.name = "state",
             .doc = "A one-shot counts as started when it has run since boot. Default: started",
             .choices = {"started", "stopped"}},
            {.name = "enabled",
             .type = FieldType::flag,
             .doc = "Whether it starts at boot. Default: left as it is"},
            {.name = "restart_on",
             .type = FieldType::list,
             .doc = "Ids of resources (\"file//etc/x.conf\"): when one changes, or its file is "
                    "newer than "
                    "the running service, the service is restarted"},
            {.name = "reload_on",
             .type = FieldType::list,
             .doc = "The same, but reload; restart where the unit cannot reload"},
        },
    .probe = probe,
    .plan = plan,
    .nothing = nothing,
}};

}  // namespace
}  // namespace podwright
