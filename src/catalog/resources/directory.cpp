// [[directory]]: a folder, its owner and its permissions; what is in it is left alone.
#include <fmt/format.h>

#include "base/shell.hpp"
#include "catalog/resources/file_state.hpp"

namespace podwright {
namespace {

std::string probe(const Wanted& wanted, const Facts&) {
  return file_probe(wanted.name, Content::never);
}

Result<std::vector<Step>> plan_absent(const Wanted& wanted, const std::string& path,
                                      const FileState& state) {
  if (state.type == "absent") return std::vector<Step>{};
  if (state.type != "directory") {
    return fail({.fault = Fault::remote,
                 .what = fmt::format("{} is a {}, not a folder", path, state.type),
                 .step = wanted.id(),
                 .hint = "remove it with a file or symlink resource"});
  }
  auto step = step_for(wanted, "remove", path + " exists, wanted absent");
  // Never recursively: a profile must not be able to empty a file server by a wrong path.
  step.script = fmt::format("rmdir {} || exit\n", sh::quote(path));
  step.undo.paths = {path};
  step.deadline = std::chrono::seconds(30);
  return std::vector{step};
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto path = wanted_path(wanted);
  if (!path) return fail(path.error());
  const auto ownership = wanted_ownership(wanted, "0755");
  if (!ownership) return fail(ownership.error());
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());

  const auto state = file_state(*reading);
  if (wanted.text("state") == "absent") return plan_absent(wanted, *path, state);
  if (state.type != "absent" && state.type != "directory") {
    return fail({.fault = Fault::remote,
                 .what = fmt::format("{} is a {}, wanted a folder", *path, state.type),
                 .step = wanted.id(),
                 .hint = fmt::format(
                     "look at it on the node, and remove it if it is not needed: {}", *path)});
  }

  std::string script = sh::assign("f", *path);
  if (state.type == "absent") script += "mkdir -p \"$f\" || exit\n";
  script += ownership_script("f", *ownership);
  if (state.type == "absent") {
    return steps_for(wanted, FileChange{.action = "create",
                                        .why = *path + " does not exist",
                                        .script = std::move(script),
                                        .undo = {.paths = {*path}}});
  }
  const auto difference = ownership_difference(*ownership, state);
  if (difference.empty()) return std::vector<Step>{};
  return steps_for(wanted, FileChange{.action = "set",
                                      .why = fmt::format("{} {}", *path, difference),
                                      .script = std::move(script),
                                      .undo = {.paths = {*path}}});
}

const Registered directory{ResourceKind{
    .table = "directory",
    .key = "path",
    .summary = "A folder, its owner and its permissions",
    .fields =
        {
            {.name = "path",
             .required = true,
             .doc = "Absolute path; missing folders above it are made (root, 0755)"},
            {.name = "owner", .doc = "User, by name or number. Default: root"},
            {.name = "group", .doc = "Group, by name or number. Default: root"},
            {.name = "mode",
             .type = FieldType::mode,
             .doc = "Permissions, octal. Default: \"0755\""},
            {.name = "state",
             .doc = "absent removes an empty folder only. Default: present",
             .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
}};

}  // namespace
}  // namespace podwright
