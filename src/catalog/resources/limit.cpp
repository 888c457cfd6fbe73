// [[limit]]: a resource limit of login sessions (pam_limits). Each has a file of its own.
#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "catalog/resources/file_state.hpp"

namespace podwright {
namespace {

WantedFile file_of(const Wanted& wanted) {
  return {
      .path = fmt::format("/etc/security/limits.d/60-podwright-{}.conf", wanted.name),
      .content = fmt::format("{} {} {} {}\n", wanted.text("domain", "*"), wanted.text("type", "-"),
                             wanted.text("item", wanted.name), wanted.text("value")),
      .parents = true};
}

std::string probe(const Wanted& wanted, const Facts&) {
  const auto file = file_of(wanted);
  return file_probe(file.path, Content::unless_same, sha256_hex(file.content));
}

bool is_word(std::string_view text) {
  return !text.empty() && text.find_first_of(" \t\n/#") == std::string_view::npos;
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  for (const auto* field : {"name", "domain", "item", "value"}) {
    if ((wanted.has(field) || field == std::string_view("value")) && !is_word(wanted.text(field)) &&
        wanted.text("state") != "absent") {
      return refuse(
          wanted, field, fmt::format("{} '{}' is not one word", field, wanted.text(field)),
          "one limit has one domain, one item and one value; declare another for another");
    }
  }
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  const auto file = file_of(wanted);
  const auto state = file_state(*reading);
  return steps_for(wanted, wanted.text("state") == "absent" ? remove_file(file.path, state)
                                                            : change_file(file, state));
}

const Registered limit{ResourceKind{
    .table = "limit",
    .key = "name",
    .summary =
        "A resource limit of login sessions (pam_limits); services have LimitMEMLOCK= and the like",
    .fields =
        {
            {.name = "name",
             .required = true,
             .doc = "Name of the limit in plans, and of its file in /etc/security/limits.d"},
            {.name = "domain",
             .doc =
                 "User, @group or *; * leaves root out, who needs a limit of his own. Default: *"},
            {.name = "type", .doc = "- is both. Default: -", .choices = {"soft", "hard", "-"}},
            {.name = "item",
             .doc = "memlock (KiB), nofile, nproc, stack (KiB), … Default: the name"},
            {.name = "value",
             .type = FieldType::any,
             .doc = "A number in the item's unit, or unlimited"},
            {.name = "state", .doc = "Default: present", .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
}};

}  // namespace
}  // namespace podwright
