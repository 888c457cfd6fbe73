// [[symlink]]: a symbolic link and where it points.
#include <fmt/format.h>

#include "base/shell.hpp"
#include "catalog/resources/file_state.hpp"

namespace podwright {
namespace {

std::string probe(const Wanted& wanted, const Facts&) {
  return file_probe(wanted.name, Content::never);
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto path = wanted_path(wanted);
  if (!path) return fail(path.error());
  const auto target = wanted.text("target");
  const bool absent = wanted.text("state") == "absent";
  if (!absent && target.empty()) {
    return refuse(wanted, "target", "a link needs a target",
                  "say what it points to: target = \"/opt/x\"");
  }
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());

  const auto state = file_state(*reading);
  if (state.type != "absent" && state.type != "symlink") {
    return fail({.fault = Fault::remote,
                 .what = fmt::format("{} is a {}, wanted a symbolic link", *path, state.type),
                 .step = wanted.id(),
                 .hint = fmt::format(
                     "look at it on the node, and remove it if it is not needed: {}", *path)});
  }
  if (absent) return steps_for(wanted, remove_file(*path, state));
  if (state.type == "symlink" && state.target == target) return std::vector<Step>{};

  const bool create = state.type == "absent";
  auto script = fmt::format("ln -sfn -- {} {} || exit\n", sh::quote(target), sh::quote(*path));
  return steps_for(wanted, FileChange{.action = create ? "create" : "write",
                                      .why = create ? *path + " does not exist"
                                                    : fmt::format("{} points to {}, wanted {}",
                                                                  *path, state.target, target),
                                      .script = std::move(script),
                                      .undo = {.paths = {*path}}});
}

const Registered symlink{ResourceKind{
    .table = "symlink",
    .key = "path",
    .summary = "A symbolic link and where it points",
    .fields =
        {
            {.name = "path", .required = true, .doc = "Absolute path of the link"},
            {.name = "target", .doc = "What it points to, absolute or relative; need not exist"},
            {.name = "state", .doc = "Default: present", .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
}};

}  // namespace
}  // namespace podwright
