// [[file]]: a file with exactly this content.
#include <fmt/format.h>

#include "base/digest.hpp"
#include "catalog/resources/file_state.hpp"

namespace podwright {
namespace {

std::string probe(const Wanted& wanted, const Facts&) {
  return file_probe(wanted.name, Content::unless_same, sha256_hex(wanted.text("content")));
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto path = wanted_path(wanted);
  if (!path) return fail(path.error());
  const auto ownership = wanted_ownership(wanted, "0644");
  if (!ownership) return fail(ownership.error());
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());

  const auto state = file_state(*reading);
  const WantedFile file{.path = *path,
                        .content = wanted.text("content"),
                        .ownership = *ownership,
                        .parents = wanted.flag("parents", false),
                        .validate = wanted.text("validate")};
  const bool absent = wanted.text("state") == "absent";
  return steps_for(wanted, absent ? remove_file(*path, state) : change_file(file, state));
}

const Registered file{ResourceKind{
    .table = "file",
    .key = "path",
    .summary = "A file with exactly this content",
    .fields =
        {
            {.name = "path", .required = true, .doc = "Absolute path of the file"},
            {.name = "content",
             .doc = "The content, as a text; templates are rendered. Default: empty"},
            {.name = "template", .doc = "A mustache file whose rendered text is the content"},
            {.name = "source",
             .doc = "A file of the operator's machine whose bytes are the content"},
            {.name = "owner", .doc = "User, by name or number. Default: root"},
            {.name = "group", .doc = "Group, by name or number. Default: root"},
            {.name = "mode",
             .type = FieldType::mode,
             .doc = "Permissions, octal. Default: \"0644\""},
            {.name = "parents",
             .type = FieldType::flag,
             .doc = "Make missing folders above it (root, 0755). Default: false"},
            {.name = "validate",
             .doc =
                 "Command that must succeed before the file is put in place; {} is the new file: "
                 "\"visudo -cf {}\""},
            {.name = "state", .doc = "Default: present", .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
}};

}  // namespace
}  // namespace podwright
