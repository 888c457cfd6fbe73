// [[installer]]: a vendor's .run or .sh. Whether it is needed, and whether it worked, is told by a
// command that prints the installed version, never by the installer's exit status alone.
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "base/clock.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/artifact.hpp"
#include "catalog/resources/reading.hpp"

namespace podwright {
namespace {

/// sh that prints "version V" when something is installed; its parts may fail as they like.
std::string version_script(const Wanted& wanted) {
  return fmt::format("v=$(sh -c {} 2>/dev/null </dev/null) && v=$(printf '%s\\n' \"$v\" | "
                     "sed -n '/[^[:space:]]/{{s/^[[:space:]]*//;s/[[:space:]]*$//;p;q;}}') || v=\n",
                     sh::quote(wanted.text("probe")));
}

std::string probe(const Wanted& wanted, const Facts&) {
  return version_script(wanted) +
         "if [ -n \"$v\" ]; then printf 'installed yes\\nversion %s\\n' \"$v\"; else echo "
         "'installed no'; fi\n";
}

bool fits(const std::string& pattern, const std::string& version) {
  return pattern.empty() || pattern == version ||
         fnmatch(pattern.c_str(), version.c_str(), 0) == 0;
}

/// Runs "$@" under the vendor's own name, because installers look at it.
constexpr std::string_view run_script = R"sh(
w=$(mktemp -d) || exit
trap 'cd /; rm -rf "$w"' EXIT
chmod u+x "$a" && ln -s "$a" "$w/$name" && cd "$w" || exit
"./$name" "$@" </dev/null
status=$?
case " $accepted " in
  *" $status "*) ;;
  *)
    printf '%s ended with %s\n' "$name" "$status" >&2
    if [ "$status" = 126 ]; then
      printf 'is %s mounted noexec?\n' "${a%/*}" >&2
    fi
    if [ -n "$log" ] && [ -f "$log" ]; then
      printf 'the end of %s:\n' "$log" >&2
      tail -n 30 "$log" >&2
    fi
    exit 1
    ;;
esac
)sh";

Result<std::string> accepted_statuses(const Wanted& wanted) {
  std::string accepted = "0";
  for (const auto& one : wanted.list("accept_exit")) {
    const auto number = to_int(one);
    if (!number || *number < 0 || *number > 255) {
      return refuse(wanted, "accept_exit", fmt::format("'{}' is not an exit status", one));
    }
    accepted += fmt::format(" {}", *number);
  }
  return accepted;
}

std::string install_script(const Wanted& wanted, const Artifact& artifact,
                           const std::string& accepted) {
  std::string script = artifact_script("a", artifact) + sh::assign("name", file_name(artifact)) +
                       sh::assign("accepted", accepted) + sh::assign("log", wanted.text("log")) +
                       "set --";
  for (const auto& arg : wanted.list("args")) script += " " + sh::quote(arg);
  script += run_script;
  if (wanted.flag("reboots", false)) return script;
  // The engine probes anyway; here the installer's own words are still at hand.
  const auto version = wanted.text("version");
  return script + version_script(wanted) + sh::assign("wanted", version) +
         fmt::format("case $v in\n  '') ;;\n  {}) exit 0 ;;\nesac\n",
                     version.empty() ? "*" : "\"$wanted\" | $wanted") +
         R"sh(printf '%s ended well, but its probe prints "%s", wanted %s\n' "$name" "$v" "${wanted:-a version}" >&2
exit 1
)sh";
}

Undo undo_of(const Wanted& wanted) {
  const auto uninstall = wanted.text("uninstall");
  if (uninstall.empty()) return {.why_not = "the profile gives no uninstall command for it"};
  return {.state = version_script(wanted) + "printf '%s\\n' \"$v\"\n",
          .restore = fmt::format(R"sh(
if [ -n "$(cat "$oldest")" ]; then
  printf 'left\t\tversion %s was there before, which podwright did not keep\n' "$(cat "$oldest")"
  exit 0
fi
sh -c {} </dev/null
)sh",
                                 sh::quote(uninstall))};
}

Result<std::vector<Step>> plan_absent(const Wanted& wanted, const Reading& now,
                                      std::chrono::seconds deadline) {
  if (now["installed"] == "no") return std::vector<Step>{};
  const auto uninstall = wanted.text("uninstall");
  if (uninstall.empty()) {
    return refuse(wanted, "uninstall", "it is not said how it is uninstalled",
                  "give uninstall, a command");
  }
  auto step = step_for(wanted, "uninstall",
                       fmt::format("{} {} is installed, wanted absent", wanted.name, now["version"]));
  step.script = fmt::format("sh -c {} </dev/null || exit\n", sh::quote(uninstall));
  step.undo.why_not = "no copy of it is kept: apply a profile that declares the installer";
  step.reboots = wanted.flag("reboots", false);
  step.deadline = deadline;
  return std::vector{step};
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto deadline = parse_duration(wanted.text("deadline", "30m"));
  if (!deadline) return refuse(wanted, "deadline", deadline.error().what, deadline.error().hint);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(*deadline);
  if (trim(wanted.text("probe")).empty()) {
    return refuse(wanted, "probe", "nothing tells what is installed",
                  "give a command that prints the installed version, and nothing without it");
  }
  const auto accepted = accepted_statuses(wanted);
  if (!accepted) return fail(accepted.error());
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  const auto& now = *reading;
  if (now["installed"] != "yes" && now["installed"] != "no") {
    return fail({.fault = Fault::remote,
                 .what = "its probe did not say whether it is installed",
                 .step = wanted.id(),
                 .hint = "plan again"});
  }
  if (wanted.text("state") == "absent") return plan_absent(wanted, now, seconds);

  const auto artifact = wanted_artifact(wanted);
  if (!artifact) return fail(artifact.error());
  const auto version = wanted.text("version");
  const bool installed = now["installed"] == "yes";
  if (installed && fits(version, std::string(now["version"]))) return std::vector<Step>{};
  auto step = step_for(wanted, "install",
                       installed ? fmt::format("{} is {}, wanted {}", wanted.name, now["version"],
                                               version)
                                 : wanted.name + " is not installed");
  step.script = install_script(wanted, *artifact, *accepted);
  step.artifacts = {*artifact};
  step.reboots = wanted.flag("reboots", false);
  step.undo = undo_of(wanted);
  step.deadline = seconds;
  return std::vector{step};
}

std::string nothing(const Wanted&, const Facts&) { return "installed no\n"; }

const Registered installer{ResourceKind{
    .table = "installer",
    .key = "name",
    .summary = "What a vendor's .run or .sh installs, proven by its version",
    .fields =
        {
            {.name = "name", .required = true, .doc = "What it installs, for plans"},
            {.name = "url", .doc = "Where the installer is fetched: http or https"},
            {.name = "source", .doc = "A copy of it on the head, taken instead of url"},
            {.name = "sha256", .doc = "Digest of the installer: 64 hex digits; required"},
            {.name = "args",
             .type = FieldType::list,
             .doc = "Its arguments: [\"--silent\", \"--dkms\"]. It gets no input and no terminal"},
            {.name = "probe",
             .required = true,
             .doc = "sh that prints the installed version, and nothing when it is not installed; "
                    "its first line counts"},
            {.name = "version",
             .doc = "What the probe must print, exact or a pattern: \"580.65.*\". Default: anything"},
            {.name = "accept_exit",
             .type = FieldType::list,
             .doc = "Exit statuses besides 0 that are no failure"},
            {.name = "reboots",
             .type = FieldType::flag,
             .doc = "The node is rebooted after it, and proven then. Default: false"},
            {.name = "deadline", .doc = "How long it may take: 90s, 30m, 2h. Default: 30m"},
            {.name = "log", .doc = "A file of the node whose end is shown when it fails"},
            {.name = "uninstall",
             .doc = "sh that takes it away: for state absent, and for undo. Default: none"},
            {.name = "state", .doc = "Default: present", .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
    .nothing = nothing,
}};

}  // namespace
}  // namespace podwright
