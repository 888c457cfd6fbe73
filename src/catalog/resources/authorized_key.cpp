// [[authorized_key]]: public keys that open an account.
#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/file_edit.hpp"

namespace podwright {
namespace {

/// The part of a line of authorized_keys that is the key: what follows its type. Empty: no key.
std::string_view blob_of(std::string_view line) {
  if (trim(line).starts_with('#')) return {};
  const auto parts = words(trim(line));
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    if (starts_with_any(parts[i], {"ssh-", "ecdsa-", "sk-"})) return parts[i + 1];
  }
  return {};
}

std::string probe(const Wanted& wanted, const Facts&) {
  return sh::assign("n", wanted.name) + R"sh(
e=$(getent passwd "$n")
case $? in 0) ;; 2) echo 'user absent'; exit 0 ;; *) exit 1 ;; esac
h=${e%:*}
f=${h##*:}/.ssh/authorized_keys
printf 'path %s\n' "$f"
)sh" + probe_of_f(Content::always);
}

/// The change is made by the user: root writing into a folder of somebody else's could be led
/// astray by a link there.
std::string script_for(const Wanted& wanted, const FileEdit& edit) {
  const auto change = R"sh(
umask 077
f=$HOME/.ssh/authorized_keys
mkdir -p "$HOME/.ssh" || exit
o=$(stat -c %a "$f" 2>/dev/null) || o=600
t=$(mktemp "$f.XXXXXX") || exit
{
)sh" + edit_script(edit) +
                      R"sh(
} >"$t" && chmod "$o" "$t" && mv -f "$t" "$f" || { rm -f "$t"; exit 1; }
)sh";
  return sh::assign("n", wanted.name) + sh::assign("change", change) + R"sh(
getent passwd "$n" >/dev/null || { echo "there is no user $n" >&2; exit 1; }
cd / && su -s /bin/sh -c "$change" "$n" || exit
)sh";
}

/// The file as it was, put back by the user as well. Where it lies is known only on the node: the
/// user may be made by a step before this one.
Undo undo_of(const std::string& name) {
  const auto find = sh::assign("n", name) + R"sh(
e=$(getent passwd "$n")
case $? in 0) ;; 2) exit 0 ;; *) exit 1 ;; esac
h=${e%:*}
h=${h##*:}
)sh";
  return {.state = find + R"sh(
if [ ! -d "$h/.ssh" ]; then echo 'folder absent'
elif [ ! -f "$h/.ssh/authorized_keys" ]; then echo 'file absent'
else stat -c 'mode %a' "$h/.ssh/authorized_keys" && cat "$h/.ssh/authorized_keys"
fi
)sh",
          .restore = find + R"sh(
read -r key mode <"$before" || exit 0
case $key in
  folder) cd / && su -s /bin/sh -c 'rm -f "$HOME/.ssh/authorized_keys"; rmdir "$HOME/.ssh" 2>/dev/null; true' "$n" ;;
  file) cd / && su -s /bin/sh -c 'rm -f "$HOME/.ssh/authorized_keys"' "$n" ;;
  mode)
    { echo "$mode"; sed 1d "$before"; } | {
      cd / && su -s /bin/sh -c '
        umask 077
        read -r mode
        f=$HOME/.ssh/authorized_keys
        t=$(mktemp "$f.XXXXXX") || exit
        cat >"$t" && chmod "$mode" "$t" && mv -f "$t" "$f"' "$n"
    }
    ;;
esac
)sh"};
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const bool absent = wanted.text("state") == "absent";
  const auto keys = wanted.text("key");
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());

  const auto path = std::string((*reading)["path"]);
  const bool no_user = (*reading)["user"] == "absent";
  if (no_user && absent) return std::vector<Step>{};
  const auto before = no_user ? Result<std::string>{} : editable_text(path, file_state(*reading));
  if (!before) return steps_for(wanted, fail(before.error()));

  FileEdit edit;
  std::size_t count = 0;
  const auto present = exact_lines(*before);
  for (const auto key : lines(keys)) {
    if (trim(key).empty()) continue;
    const auto blob = blob_of(key);
    if (blob.empty()) {
      return refuse(wanted, "key", fmt::format("'{}' is not a public key", key),
                    "a line like that of ~/.ssh/id_ed25519.pub");
    }
    const auto place = std::ranges::find(present, blob, blob_of);
    if (absent == (place == present.end())) continue;
    ++count;
    if (!absent) edit.append += std::string(trim(key)) + "\n";
    for (const auto line : present) {
      if (absent && blob_of(line) == blob) edit.lines.emplace_back(line, "");
    }
  }
  if (count == 0) return std::vector<Step>{};

  const auto why = absent ? fmt::format("{} opens the account {}, wanted absent",
                                        count_of(count, "key"), wanted.name)
                          : fmt::format("{} {} not open the account {}", count_of(count, "key"),
                                        count == 1 ? "does" : "do", wanted.name);
  const auto file = no_user ? wanted.name + "'s authorized_keys" : path;
  return steps_for(wanted,
                   FileChange{.action = "write",
                              .why = why,
                              .diff = text_change(*before, apply_edit(edit, *before), file).diff,
                              .script = script_for(wanted, edit),
                              .undo = undo_of(wanted.name)});
}

std::string nothing(const Wanted&, const Facts&) { return "user absent\n"; }

const Registered authorized_key{ResourceKind{
    .table = "authorized_key",
    .key = "user",
    .summary = "Public keys that open an account",
    .fields =
        {
            {.name = "user", .required = true, .doc = "Whose account; one resource a user"},
            {.name = "key",
             .required = true,
             .doc = "One public key, or several, a line each, as in authorized_keys; a key that is "
                    "there "
                    "with other options is left. The keys of others stay"},
            {.name = "state", .doc = "Default: present", .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
    .nothing = nothing,
}};

}  // namespace
}  // namespace podwright
