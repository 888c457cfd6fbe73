// [[command]]: a command for what no kind covers. It must say how one sees that it was done.
#include <fmt/format.h>

#include <algorithm>

#include "base/clock.hpp"
#include "base/shell.hpp"
#include "catalog/resources/reading.hpp"

namespace podwright {
namespace {

/// sh that runs the text of a profile in a shell of its own, so that nothing in it (a syntax error,
/// an exit, a cd) reaches the script around it.
std::string run_script(const Wanted& wanted, const std::string& command) {
  const auto user = wanted.text("user");
  const auto shell =
      user.empty() ? fmt::format("sh -c {}", sh::quote(command))
                   : fmt::format("su -s /bin/sh -c {} {}", sh::quote(command), sh::quote(user));
  const auto folder = wanted.text("cwd");
  return folder.empty() ? shell : fmt::format("cd {} && {}", sh::quote(folder), shell);
}

/// A condition of sh: it was done.
std::string done(const Wanted& wanted) {
  if (wanted.has("creates")) return fmt::format("[ -e {} ]", sh::quote(wanted.text("creates")));
  return fmt::format("( {} ) >/dev/null 2>&1 </dev/null",
                     run_script(wanted, wanted.text("unless")));
}

std::string probe(const Wanted& wanted, const Facts&) {
  return fmt::format("if {}; then echo 'done yes'; else echo 'done no'; fi\n", done(wanted));
}

/// The resource of rerun_on that is going to change; empty: none.
std::string changing_input(const Wanted& wanted, const PlanContext& context) {
  const auto inputs = wanted.list("rerun_on");
  const auto place = std::ranges::find_if(
      inputs, [&](const std::string& id) { return context.changing.contains(id); });
  return place == inputs.end() ? std::string{} : *place;
}

/// What the profile says of it; whether it was done is the state by which a change since is seen.
Undo undo_of(const Wanted& wanted) {
  Undo undo{.paths = wanted.list("undo_paths")};
  if (wanted.has("undo")) undo.restore = run_script(wanted, wanted.text("undo")) + "\n";
  if (!undo.possible()) undo.why_not = "the profile gives no undo for this command";
  return undo;
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed,
                               const PlanContext& context) {
  if (wanted.has("creates") == wanted.has("unless")) {
    return refuse(wanted, "run",
                  wanted.has("creates") ? "both creates and unless are given"
                                        : "nothing tells whether the command was run already",
                  "give one of creates (a path) and unless (a command that succeeds when it was)");
  }
  if (wanted.has("creates") && wanted.has("rerun_on")) {
    return refuse(
        wanted, "rerun_on", "creates cannot tell whether the result is still good",
        "give unless, a command that fails when the inputs have changed: test result -nt input");
  }
  const auto creates = wanted.text("creates");
  if (wanted.has("creates") && !creates.starts_with('/')) {
    return refuse(wanted, "creates", fmt::format("'{}' is not an absolute path", creates));
  }
  for (const auto& path : wanted.list("undo_paths")) {
    if (!path.starts_with('/')) {
      return refuse(wanted, "undo_paths", fmt::format("'{}' is not an absolute path", path));
    }
  }
  const auto deadline = parse_duration(wanted.text("deadline", "10m"));
  if (!deadline) return refuse(wanted, "deadline", deadline.error().what, deadline.error().hint);
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  const bool done_now = (*reading)["done"] == "yes";
  const auto input = changing_input(wanted, context);
  if (done_now && input.empty()) return std::vector<Step>{};

  auto step = step_for(wanted, "run",
                       done_now ? fmt::format("{} changes, which may undo it", input)
                       : wanted.has("creates")
                           ? creates + " does not exist"
                           : fmt::format("this does not succeed: {}", wanted.text("unless")));
  // A step before this one may have done it meanwhile (a package that brings the very file).
  step.script = fmt::format("if {}; then exit 0; fi\n{}\n", done(wanted),
                            run_script(wanted, wanted.text("run")));
  step.deadline = std::chrono::ceil<std::chrono::seconds>(*deadline);
  step.undo = undo_of(wanted);
  return std::vector{step};
}

const Registered command{ResourceKind{
    .table = "command",
    .key = "name",
    .summary =
        "A command for what no kind covers, with the sign by which one sees that it was done",
    .fields =
        {
            {.name = "name", .required = true, .doc = "What it does, for plans"},
            {.name = "run",
             .required = true,
             .doc = "The command, POSIX sh, as root unless user is given"},
            {.name = "creates", .doc = "Absolute path that exists once it was run"},
            {.name = "unless",
             .doc = "Command that succeeds once it was run; it only looks, within 10 seconds"},
            {.name = "rerun_on",
             .type = FieldType::list,
             .doc =
                 "Ids of resources (\"file//opt/x.c\"): when one changes in this run, `unless` is "
                 "asked again after it. Default: none"},
            {.name = "undo",
             .doc = "Command that takes it back, run as `run` is; it succeeds also when nothing is left "
                    "to take back. Default: none, and `podwright undo` names the command as left"},
            {.name = "undo_paths",
             .type = FieldType::list,
             .doc = "Absolute paths of the files that it makes or changes: kept before it runs, and put "
                    "back by `podwright undo`, before `undo` runs. Default: none"},
            {.name = "user", .doc = "Who runs it, and `unless`. Default: root"},
            {.name = "cwd", .doc = "Folder in which it runs, and `unless`. Default: /root or so"},
            {.name = "deadline", .doc = "How long it may take: 90s, 10m, 2h. Default: 10m"},
        },
    .probe = probe,
    .plan = plan,
}};

}  // namespace
}  // namespace podwright
