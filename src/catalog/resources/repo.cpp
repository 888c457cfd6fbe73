// [[repo]]: a repository of packages, with its key. It is fetched and verified beside the real ones
// first, so that one that is out of reach, or signed by somebody else, never gets into the way of the
// others.
#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/packagers/repo_fields.hpp"
#include "catalog/resources/artifact.hpp"
#include "catalog/resources/file_state.hpp"

namespace podwright {
namespace {

using std::chrono_literals::operator""min;

constexpr std::string_view armor = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

std::string key_text(const Wanted& wanted) {
  const auto text = wanted.text("key");
  return text.empty() ? text : std::string(trim(text)) + "\n";
}

/// Digest of the file that should lie at RepoFiles::key_path; empty: no file should.
std::string key_digest(const Wanted& wanted) {
  if (wanted.has("key")) return sha256_hex(key_text(wanted));
  return wanted.text("key_sha256");
}

bool is_absent(const Wanted& wanted) { return wanted.text("state") == "absent"; }

/// A repository that should go is known by its name alone: its paths are what counts.
Result<RepoFiles> files_of(const Wanted& wanted, const Packager& packager) {
  if (!is_absent(wanted)) return packager.repo(wanted);
  auto nominal = wanted;
  for (const auto* field : {"uris", "suites", "baseurl"}) {
    if (!wanted.has(field)) set_value(nominal.fields, field, Value(std::string("/")));
  }
  set_value(nominal.fields, "gpgcheck", Value(false));
  return packager.repo(nominal);
}

std::string probe(const Wanted& wanted, const Facts& facts) {
  const auto* packager = packager_for(facts);
  if (packager == nullptr) return ":\n";
  const auto files = files_of(wanted, *packager);
  if (!files) return ":\n";  // the planner says why
  std::string script = "echo '[definition]'\n" +
                       file_probe(files->path, Content::unless_same, sha256_hex(files->content)) +
                       "echo '[key]'\n" + file_probe(files->key_path, Content::never);
  if (files->pin_path.empty()) return script;
  return script + "echo '[pin]'\n" +
         file_probe(files->pin_path, Content::unless_same, sha256_hex(files->pin));
}

Status check_fields(const Wanted& wanted) {
  const auto fine = !wanted.name.empty() && wanted.name.front() != '-' &&
                    wanted.name.front() != '.' && std::ranges::all_of(wanted.name, [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
                    });
  if (!fine) {
    return refuse(wanted, "name", fmt::format("'{}' is not a name for a repository", wanted.name),
                  "letters, digits, - _ and .: the name of its file");
  }
  for (const auto& [field, value] : wanted.fields) {
    if (field == "key") continue;
    for (const auto& text : wanted.list(field)) {
      if (text.find('\n') != std::string::npos) return refuse(wanted, field, field + " holds a line end");
    }
  }
  for (const auto& option : wanted.list("options")) {
    const auto end = option.find_first_of(":=");
    if (end == std::string::npos || (option[end] == ':' && option.substr(end, 2) != ": ")) {
      return refuse(wanted, "options", fmt::format("'{}' is not an option", option),
                    "\"By-Hash: no\" for apt, \"timeout=10\" for rpm");
    }
  }
  if (wanted.has("key") && wanted.has("key_source")) {
    return refuse(wanted, "key_source", "key and key_source exclude each other");
  }
  if (wanted.has("key") && !trim(wanted.text("key")).starts_with(armor)) {
    return refuse(wanted, "key", "key is not an armored public key",
                  fmt::format("it begins with {}; gpg --armor --export writes one", armor));
  }
  return {};
}

Result<std::vector<Step>> plan_absent(const Wanted& wanted, const Packager& packager,
                                      const Observed& observed) {
  const auto files = files_of(wanted, packager);
  if (!files) return fail(files.error());
  auto step = step_for(wanted, "remove", {});
  std::vector<std::string> reasons;
  const std::pair<const char*, std::string> all[] = {
      {"definition", files->path}, {"pin", files->pin_path}, {"key", files->key_path}};
  for (const auto& [section, path] : all) {
    if (path.empty()) continue;
    const auto change = remove_file(path, file_state(*read(wanted, observed, section)));
    if (!change) return steps_for(wanted, fail(change.error()));
    if (!*change) continue;
    reasons.push_back((*change)->why);
    if (section != std::string_view("key")) step.diff += (*change)->diff;
    step.script += (*change)->script;
    step.undo.paths.push_back(path);
  }
  if (reasons.empty()) return std::vector<Step>{};
  step.why = join(reasons, "; ");
  step.deadline = 1min;
  return std::vector{step};
}

/// sh that fills the folder $n: the key, the definition as it will be in `real`, and the one to be tried,
/// which names the key beside it.
std::string trial_script(const Wanted& wanted, const RepoFiles& files, const std::string& fetch_key) {
  std::string script = R"sh(
n=$(mktemp -d) || exit
trap 'rm -rf "$n"' EXIT
chmod 0755 "$n" && mkdir "$n/real" || exit
)sh" + sh::assign("definition", files.path) + sh::assign("key", files.key_path) +
                       "file=${definition##*/}\n" +
                       fmt::format("{} >\"$n/real/$file\" || exit\n", print_script(files.content));
  if (!has_key(wanted)) return script + "cp \"$n/real/$file\" \"$n/$file\" || exit\n";
  return script + "case $key in *.gpg) k=$n/key.gpg ;; *) k=$n/key.asc ;; esac\n" +
         fmt::format("{} >\"$k\" || exit\n", fetch_key) + "chmod 0644 \"$k\" || exit\n" +
         sh::assign("armor", armor) + R"sh(
if grep -qF -e "$armor" "$k" 2>/dev/null; then armored=yes; else armored=no; fi
case $k$armored in
  *.ascno)
    echo 'the key is not armored text (-----BEGIN PGP PUBLIC KEY BLOCK-----): for apt, a key_source whose name ends in .gpg brings a binary one' >&2
    exit 1
    ;;
  *.gpgyes) echo 'the key is armored text: give a key_source whose name does not end in .gpg' >&2; exit 1 ;;
esac
sed "s|$key|$k|" "$n/real/$file" >"$n/$file" || exit
)sh";
}

/// Takes the keys that came with repositories out of those that the node trusts for all; not one whose
/// file another repository of podwright, which stays, brought as well.
constexpr std::string_view take_back_keys = R"sh(
set -- $entries
t=$(mktemp -d) || exit
trap 'rm -rf "$t"' EXIT
ledger=${1%/*}
for e in "$ledger"/[0-9]*; do
  case " $entries " in *" $e "*) continue ;; esac
  read -r x id <"$e/step"
  case $id in repo/*) grep '^file ' "$e/after" ;; esac
done >"$t/others"
for e in "$@"; do
  after=$e/after
  [ -s "$after" ] || { sh "$e/state" >"$t/now"; after=$t/now; }
  digest=$(grep '^file ' "$after")
  if [ -n "$digest" ] && grep -qxF "$digest" "$t/others"; then continue; fi
  sed -n 's/^key //p' "$e/before" >"$t/before"
  sed -n 's/^key //p' "$after" | comm -13 "$t/before" -
done | sort -u >"$t/came"
pw_keys | comm -12 - "$t/came" >"$t/go"
[ ! -s "$t/go" ] || pw_distrust $(cat "$t/go")
)sh";

/// The way back for the keys, where the packager trusts those of all repositories at once.
void undo_keys(Undo& undo, const Packager& packager, const RepoFiles& files) {
  if (packager.keys.empty()) return;
  undo.state = fmt::format("export LC_ALL=C\n({0}\n) | sed 's/^/key /'\n[ ! -f {1} ] || sha256sum <{1} | sed 's/^/file /'\n",
                           packager.keys, sh::quote(files.key_path));
  undo.finish = fmt::format("export LC_ALL=C\npw_keys() {{\n{}\n}}\npw_distrust() {{\n{} \"$@\"\n}}\n{}", packager.keys,
                            packager.distrust, take_back_keys);
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed,
                               const PlanContext& context) {
  if (const auto fine = check_fields(wanted); !fine) return fail(fine.error());
  const auto packager = require_packager(wanted, context.facts);
  if (!packager) return fail(packager.error());
  if (const auto reading = read(wanted, observed); !reading) return fail(reading.error());
  if (is_absent(wanted)) return plan_absent(wanted, **packager, observed);

  const auto files = files_of(wanted, **packager);
  if (!files) return fail(files.error());
  std::optional<Artifact> key_artifact;
  if (wanted.has("key_source")) {
    auto artifact = wanted_artifact(wanted, "", "key_source", "key_sha256");
    if (!artifact) return fail(artifact.error());
    key_artifact = std::move(*artifact);
  }

  const auto definition_state = file_state(*read(wanted, observed, "definition"));
  const auto definition =
      change_file({.path = files->path, .content = files->content, .parents = true}, definition_state);
  if (!definition) return steps_for(wanted, fail(definition.error()));
  const auto key_state = file_state(*read(wanted, observed, "key"));
  const bool new_key = has_key(wanted) && key_state.sha256 != key_digest(wanted);
  if (new_key && key_state.type != "absent" && key_state.type != "file") {
    return steps_for(wanted, change_file({.path = files->key_path, .content = {}}, key_state));
  }
  std::optional<FileChange> pin;
  if (!files->pin_path.empty()) {
    const auto state = file_state(*read(wanted, observed, "pin"));
    auto change = files->pin.empty()
                      ? remove_file(files->pin_path, state)
                      : change_file({.path = files->pin_path, .content = files->pin, .parents = true}, state);
    if (!change) return steps_for(wanted, std::move(change));
    pin = std::move(*change);
  }

  std::vector<std::string> reasons;
  auto step = step_for(wanted, definition_state.type == "absent" ? "add" : "write", {});
  if (*definition) {
    reasons.push_back((*definition)->why);
    step.diff += (*definition)->diff;
    step.undo.paths.push_back(files->path);
  }
  if (new_key) {
    reasons.push_back(key_state.type == "absent" ? fmt::format("its key is not in {}", files->key_path)
                                                 : fmt::format("{} is another key", files->key_path));
    step.undo.paths.push_back(files->key_path);
  }
  if (pin) {
    reasons.push_back(pin->why);
    step.diff += pin->diff;
    step.undo.paths.push_back(files->pin_path);
  }
  if (reasons.empty()) return std::vector<Step>{};
  step.why = join(reasons, "; ");
  step.deadline = 10min;

  const bool enabled = wanted.flag("enabled", true);
  if (*definition || new_key) {
    if (key_artifact) {
      step.script += artifact_script("a", *key_artifact);
      step.artifacts = {*key_artifact};
    }
    step.script += trial_script(wanted, *files, key_artifact ? "cat \"$a\"" : print_script(key_text(wanted)));
    if (enabled) {
      // Where everything comes from a bundle, no repository can be asked, and none will be.
      step.script += fmt::format("[ -n \"${{PODWRIGHT_BUNDLE:-}}\" ] || (\n{} \"$n\" {}\n) || {{\n", (*packager)->try_repo, sh::quote(wanted.name)) +
                     "  echo 'the repository was not added: it could not be fetched and verified' >&2\n"
                     "  exit 1\n}\n";
    }
    if (has_key(wanted)) {
      step.script += fmt::format("(\n{}) || exit\n",
                                 replace_script(files->key_path, "cat \"$k\"", Ownership{}, true));
    }
  }
  undo_keys(step.undo, **packager, *files);
  if (pin) step.script += fmt::format("(\n{}) || exit\n", pin->script);
  // Last, because it is what makes the others count.
  if (*definition) step.script += fmt::format("(\n{}) || exit\n", (*definition)->script);
  return std::vector{step};
}

std::string nothing(const Wanted&, const Facts&) {
  return "[definition]\ntype absent\n[key]\ntype absent\n[pin]\ntype absent\n";
}

const Registered repo{ResourceKind{
    .table = "repo",
    .key = "name",
    .summary = "A repository of packages, with its key: for apt, dnf, yum or zypper",
    .fields =
        {
            {.name = "name", .required = true, .doc = "Name of its files, and its id for rpm"},
            {.name = "description", .doc = "rpm: what it is called. Default: its name"},
            {.name = "uris",
             .type = FieldType::list,
             .doc = "apt: where it is: [\"https://download.docker.com/linux/debian\"]"},
            {.name = "suites",
             .type = FieldType::list,
             .doc = "apt: [\"{{os.codename}}\"]; [\"/\"] for one without suites"},
            {.name = "components",
             .type = FieldType::list,
             .doc = "apt. Default: [\"main\"]; none for a suite that ends in /"},
            {.name = "architectures",
             .type = FieldType::list,
             .doc = "apt: [\"amd64\"]. Default: those of the node"},
            {.name = "types", .type = FieldType::list, .doc = "apt. Default: [\"deb\"]"},
            {.name = "pin_priority",
             .type = FieldType::integer,
             .doc = "apt: Pin-Priority of what comes from its host; 500 is usual, more than 1000 "
                    "downgrades. Default: none"},
            {.name = "baseurl",
             .type = FieldType::list,
             .doc = "rpm: where it is; $releasever and $basearch are the packager's"},
            {.name = "mirrorlist", .doc = "rpm: where its list of mirrors is"},
            {.name = "metalink", .doc = "rpm: where its metalink is"},
            {.name = "gpgcheck",
             .type = FieldType::flag,
             .doc = "rpm: packages must be signed. Default: true"},
            {.name = "repo_gpgcheck",
             .type = FieldType::flag,
             .doc = "rpm: its metadata must be signed. Default: false"},
            {.name = "gpgkey",
             .type = FieldType::list,
             .doc = "rpm: where its key is: a URL, or file:///… of a key that the distribution "
                    "brings; key is the safer way"},
            {.name = "module_hotfixes",
             .type = FieldType::flag,
             .doc = "dnf: its packages count also where a module hides them. Default: false"},
            {.name = "priority",
             .type = FieldType::integer,
             .doc = "rpm: 1 to 99, less comes first. Default: 99, the packager's"},
            {.name = "key", .doc = "Its key, armored: -----BEGIN PGP PUBLIC KEY BLOCK-----…"},
            {.name = "key_source",
             .doc = "Or where its key is: an http or https URL, or a path on the head. Armored; for "
                    "apt a name that ends in .gpg is a binary key"},
            {.name = "key_sha256", .doc = "Digest of what key_source brings; required with it"},
            {.name = "enabled", .type = FieldType::flag, .doc = "Default: true"},
            {.name = "options",
             .type = FieldType::list,
             .doc = "Further lines: \"By-Hash: no\" counts for apt, \"timeout=10\" for rpm"},
            {.name = "state",
             .doc = "absent removes its files and its key; packages stay. Default: present",
             .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
    .nothing = nothing,
}};

}  // namespace
}  // namespace podwright
