// [[secret]]: a file whose bytes are generated once on the operator's machine and are the same on
// every node that has it (the munge key). Plans, diffs and logs know its SHA-256 only.
#include <fmt/format.h>

#include "base/shell.hpp"
#include "catalog/resources/file_state.hpp"

namespace podwright {
namespace {

/// The shell variable that brings the secret: letters and digits stay, anything else is _ and its
/// code, so that two names never share a variable.
std::string variable_of(std::string_view name) {
  std::string variable = "pw_secret_";
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    variable += plain ? std::string(1, c) : fmt::format("_{:02x}", static_cast<unsigned char>(c));
  }
  return variable;
}

std::string probe(const Wanted& wanted, const Facts&) {
  return file_probe(wanted.name, Content::never);
}

/// Why the content has to be written; empty when it is the secret.
std::string reason_to_write(const Wanted& wanted, const FileState& state) {
  if (state.type == "absent") return wanted.name + " does not exist";
  if (state.type != "file")
    return fmt::format("{} is a {}, wanted a file", wanted.name, state.type);
  if (!wanted.has("sha256")) {
    return fmt::format("{} is not the cluster's: that one is going to be generated", wanted.name);
  }
  return state.sha256 == wanted.text("sha256") ? "" : wanted.name + " is not the cluster's";
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto path = wanted_path(wanted);
  if (!path) return fail(path.error());
  const auto ownership = wanted_ownership(wanted, "0600");
  if (!ownership) return fail(ownership.error());
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());

  const auto state = file_state(*reading);
  if (wanted.text("state") == "absent") return steps_for(wanted, remove_file(*path, state));
  if (state.type != "absent" && state.type != "file" && state.type != "symlink") {
    return steps_for(wanted, change_file({.path = *path, .content = {}}, state));
  }
  const auto reason = reason_to_write(wanted, state);
  if (reason.empty()) {
    const auto difference = ownership_difference(*ownership, state);
    if (difference.empty()) return std::vector<Step>{};
    return steps_for(
        wanted, FileChange{.action = "set",
                           .why = fmt::format("{} {}", *path, difference),
                           .script = sh::assign("f", *path) + ownership_script("f", *ownership),
                           .undo = {.paths = {*path}}});
  }

  const auto secret = wanted.text("name");
  const auto variable = variable_of(secret);
  auto step = step_for(wanted, state.type == "absent" ? "create" : "write", reason);
  step.secrets = {{variable, secret}};
  step.undo.paths = {*path};
  step.deadline = std::chrono::seconds(60);
  step.script = fmt::format(
      "umask 077\n"
      "[ -n \"${{{0}}}\" ] || {{ echo 'the secret did not arrive' >&2; exit 1; }}\n{1}",
      variable,
      replace_script(*path, fmt::format("printf %s \"${}\" | base64 -d", variable), *ownership,
                     wanted.flag("parents", false)));
  return std::vector{step};
}

const Registered secret{ResourceKind{
    .table = "secret",
    .key = "path",
    .summary = "A file generated once for the cluster, the same on all its nodes, never printed",
    .fields =
        {
            {.name = "path", .required = true, .doc = "Absolute path of the file"},
            {.name = "name",
             .required = true,
             .doc = "Name of the secret; files of the same name hold the same bytes"},
            {.name = "kind",
             .doc =
                 "random: bytes; ssh-ed25519: a private key, whose public half templates know as "
                 "{{secrets.NAME.public}}. Default: random",
             .choices = {"random", "ssh-ed25519"}},
            {.name = "bytes",
             .type = FieldType::integer,
             .doc = "How many random bytes. Default: 1024"},
            {.name = "owner", .doc = "User, by name or number. Default: root"},
            {.name = "group", .doc = "Group, by name or number. Default: root"},
            {.name = "mode",
             .type = FieldType::mode,
             .doc = "Permissions, octal. Default: \"0600\""},
            {.name = "parents",
             .type = FieldType::flag,
             .doc = "Make missing folders above it (root, 0700). Default: false"},
            {.name = "sha256", .doc = "Set by podwright: digest of the secret once it exists"},
            {.name = "state", .doc = "Default: present", .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
}};

}  // namespace
}  // namespace podwright
