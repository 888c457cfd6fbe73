// [[unit]]: a unit file of systemd, or a drop-in for one. Starting it is the service's part.
#include <fmt/format.h>

#include "base/digest.hpp"
#include "base/shell.hpp"
#include "catalog/resources/file_state.hpp"

namespace podwright {
namespace {

std::string path_of(const Wanted& wanted) { return "/etc/systemd/system/" + wanted.name; }

/// "chrony.service" of "chrony.service" and of "chrony.service.d/podwright.conf".
std::string unit_of(const Wanted& wanted) {
  const auto drop_in = wanted.name.find(".d/");
  return wanted.name.substr(0, drop_in);
}

std::string probe(const Wanted& wanted, const Facts&) {
  return sh::assign("u", unit_of(wanted)) + R"sh(
if [ -d /run/systemd/system ]; then
  case $(systemctl show -p NeedDaemonReload "$u") in *=yes) echo 'outdated yes' ;; esac
fi
)sh" + file_probe(path_of(wanted), Content::unless_same, sha256_hex(wanted.text("content")));
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  if (wanted.name.find('.') == std::string::npos || wanted.name.starts_with('/') ||
      wanted.name.find("..") != std::string::npos) {
    return refuse(wanted, "name", fmt::format("'{}' is not the name of a unit file", wanted.name),
                  "for example hugepages.service, or chrony.service.d/site.conf for a drop-in");
  }
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());

  const auto path = path_of(wanted);
  const auto state = file_state(*reading);
  auto change =
      wanted.text("state") == "absent"
          ? remove_file(path, state)
          : change_file({.path = path, .content = wanted.text("content"), .parents = true}, state);
  if (change && !*change && (*reading)["outdated"] == "yes") {
    *change = FileChange{.action = "reload",
                         .why = fmt::format("systemd has not read {} since it changed", path)};
  }
  if (change && *change) {
    (*change)->script += reload_systemd();
    (*change)->undo = {.paths = {path}, .finish = reload_systemd()};
  }
  return steps_for(wanted, std::move(change));
}

const Registered unit{ResourceKind{
    .table = "unit",
    .key = "name",
    .summary = "A unit file of systemd, or a drop-in for one",
    .fields =
        {
            {.name = "name",
             .required = true,
             .doc =
                 "File below /etc/systemd/system: hugepages.service, chrony.service.d/site.conf"},
            {.name = "content", .doc = "The unit, as a text; templates are rendered"},
            {.name = "template", .doc = "A mustache file whose rendered text is the content"},
            {.name = "source",
             .doc = "A file of the operator's machine whose bytes are the content"},
            {.name = "state", .doc = "Default: present", .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
}};

}  // namespace
}  // namespace podwright
