#include "catalog/resources/file_state.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"

namespace podwright {

namespace {

bool is_text(std::string_view bytes) {
  std::string plain(bytes);
  std::erase(plain, '\r');
  return clean_output(plain) == plain;
}

/// Octal digits without leading zeros, so that "0644" and "644" are the same.
std::string_view plain_mode(std::string_view mode) {
  const auto start = mode.find_first_not_of('0');
  return start == std::string_view::npos ? std::string_view("0") : mode.substr(start);
}

bool is_octal_mode(std::string_view mode) {
  return mode.size() >= 3 && mode.size() <= 5 && plain_mode(mode).size() <= 4 &&
         std::ranges::all_of(mode, [](char c) { return c >= '0' && c <= '7'; });
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

bool is_replaceable(const FileState& state) {
  return state.type == "absent" || state.type == "file" || state.type == "symlink";
}

tl::unexpected<Error> in_the_way(const std::string& path, const FileState& state) {
  return fail(Fault::remote, fmt::format("{} is a {}, wanted a file", path, state.type),
              fmt::format("look at it on the node, and remove it if it is not needed: {}", path));
}

/// Why the content is not as wanted, and the diff.
FileChange content_change(const WantedFile& wanted, const FileState& state) {
  const auto& path = wanted.path;
  if (state.type == "absent") {
    return {.action = "create",
            .why = path + " does not exist",
            .diff = text_change("", wanted.content, path).diff};
  }
  if (state.type == "symlink") {
    return {.action = "write",
            .why = fmt::format("{} is a symbolic link to {}, wanted a file", path, state.target),
            .diff = text_change("", wanted.content, path).diff};
  }
  const auto change =
      state.content ? text_change(*state.content, wanted.content, path) : TextChange{};
  const auto difference =
      change.lines > 0 ? fmt::format("differs in {}", count_of(change.lines, "line"))
                       : fmt::format("has another content ({}, wanted {})", human_bytes(state.size),
                                     human_bytes(wanted.content.size()));
  return {.action = "write", .why = fmt::format("{} {}", path, difference), .diff = change.diff};
}

}  // namespace

std::string file_probe(std::string_view path, Content content, std::string_view wanted_sha256) {
  return sh::assign("f", path) + probe_of_f(content, wanted_sha256);
}

std::string probe_of_f(Content content, std::string_view wanted_sha256) {
  // The digest that needs no content to be shown; "any" matches none, so that it is always shown.
  const auto same = content == Content::unless_same ? wanted_sha256 : std::string_view("any");
  const auto most = content == Content::never ? 0 : most_content_bytes;
  return sh::assign("same", same) + fmt::format("most={}", most) + R"sh(
if [ -L "$f" ]; then
  echo 'type symlink'
  printf 'target %s\n' "$(readlink "$f")"
elif [ ! -e "$f" ]; then
  echo 'type absent'
else
  s=$(stat -c 'owner %U
uid %u
group %G
gid %g
mode %a
size %s' "$f") || exit
  printf '%s\n' "$s"
  if [ -f "$f" ]; then
    echo 'type file'
    d=$(sha256sum <"$f") || exit
    d=${d%% *}
    echo "sha256 $d"
    if [ "$d" != "$same" ] && [ "${s##* }" -le "$most" ]; then
      echo content
      base64 <"$f" || exit
    fi
  elif [ -d "$f" ]; then
    echo 'type directory'
  else
    echo 'type device, socket or pipe'
  fi
fi
)sh";
}

FileState file_state(const Reading& reading) {
  const auto value = [&](std::string_view key) { return std::string(reading[key]); };
  // Nothing printed is not the same as nothing there.
  const auto type = reading["type"];
  FileState state{.type = type.empty() ? "thing that could not be read" : std::string(type),
                  .owner = value("owner"),
                  .uid = value("uid"),
                  .group = value("group"),
                  .gid = value("gid"),
                  .mode = value("mode"),
                  .sha256 = value("sha256"),
                  .target = value("target"),
                  .size = static_cast<std::uint64_t>(to_int(reading["size"]).value_or(0)),
                  .content = reading.content};
  // A content that was cut on its way is worse than none.
  if (state.content && sha256_hex(*state.content) != state.sha256) state.content.reset();
  return state;
}

std::string ownership_difference(const Ownership& wanted, const FileState& state) {
  std::vector<std::string> differences;
  const bool owner_fits = wanted.owner == state.owner || wanted.owner == state.uid;
  const bool group_fits = wanted.group == state.group || wanted.group == state.gid;
  if (!owner_fits || !group_fits) {
    differences.push_back(fmt::format("belongs to {}:{}, wanted {}:{}", state.owner, state.group,
                                      wanted.owner, wanted.group));
  }
  if (plain_mode(wanted.mode) != plain_mode(state.mode)) {
    differences.push_back(
        fmt::format("has mode {}, wanted {}", plain_mode(state.mode), plain_mode(wanted.mode)));
  }
  return join(differences, "; ");
}

Result<std::optional<FileChange>> change_file(const WantedFile& wanted, const FileState& state) {
  if (!is_replaceable(state)) return in_the_way(wanted.path, state);
  const auto ownership =
      state.type == "file" ? ownership_difference(wanted.ownership, state) : std::string{};

  if (state.type == "file" && state.sha256 == sha256_hex(wanted.content)) {
    if (ownership.empty()) return std::nullopt;
    return FileChange{
        .action = "set",
        .why = fmt::format("{} {}", wanted.path, ownership),
        .script = sh::assign("f", wanted.path) + ownership_script("f", wanted.ownership),
        .undo = {.paths = {wanted.path}}};
  }

  auto change = content_change(wanted, state);
  if (!ownership.empty()) change.why += "; it " + ownership;
  change.script = replace_script(wanted.path, print_script(wanted.content), wanted.ownership,
                                 wanted.parents, wanted.validate);
  change.undo.paths = {wanted.path};
  return change;
}

Result<std::optional<FileChange>> remove_file(const std::string& path, const FileState& state) {
  if (state.type == "absent") return std::nullopt;
  if (!is_replaceable(state)) return in_the_way(path, state);
  return FileChange{.action = "remove",
                    .why = path + " exists, wanted absent",
                    .diff = state.content ? text_change(*state.content, "", path).diff : "",
                    .script = fmt::format("rm -f {} || exit\n", sh::quote(path)),
                    .undo = {.paths = {path}}};
}

std::string reload_systemd() {
  return "[ ! -d /run/systemd/system ] || systemctl daemon-reload || exit\n";
}

std::string ownership_script(std::string_view variable, const Ownership& ownership) {
  // chown first, because it clears the set-id bits; five digits, because chmod keeps a folder's
  // set-id bits when it gets fewer.
  return fmt::format("chown {} \"${}\" && chmod {:0>5} \"${}\" || exit\n",
                     sh::quote(ownership.owner + ":" + ownership.group), variable,
                     plain_mode(ownership.mode), variable);
}

std::string print_script(std::string_view content) {
  // dash's own printf calls a full disk an "I/O error"; cat says what it is.
  if (is_text(content)) return sh::print(content) + " | cat";
  return fmt::format("{} | base64 -d", sh::print(base64_encode(content)));
}

std::string replace_script(const std::string& path, const std::string& fill,
                           const std::optional<Ownership>& ownership, bool parents,
                           std::string_view validate) {
  return sh::assign("f", path) + replace_f_script(fill, ownership, parents, validate);
}

std::string replace_f_script(const std::string& fill, const std::optional<Ownership>& ownership,
                             bool parents, std::string_view validate) {
  std::string script = "d=${f%/*}/\n";
  script +=
      parents
          ? R"sh(mkdir -p "$d" || exit)sh"
          : R"sh([ -d "$d" ] || { printf 'there is no folder %s to put it in\n' "$d" >&2; exit 1; })sh";
  script += R"sh(
t=$(mktemp "$d.podwright.XXXXXX") || exit
trap 'rm -f "$t"' EXIT
)sh";
  script += fmt::format("{{\n{}\n}} >\"$t\" || exit\n", fill);
  script += ownership ? ownership_script("t", *ownership) : R"sh(
o=$(stat -c '%u:%g %a' "$f" 2>/dev/null) || o='0:0 644'
chown "${o% *}" "$t" && chmod "${o#* }" "$t" || exit
)sh";
  if (!validate.empty()) {
    const auto command = replace_all(std::string(validate), "{}", "\"$1\"");
    script += sh::assign("v", validate) +
              fmt::format("sh -c {} sh \"$t\" || {{\n", sh::quote(command)) +
              R"sh(  printf 'the new %s was not put in place: it does not pass %s\n' "$f" "$v" >&2
  exit 1
}
)sh";
  }
  return script + "mv -f \"$t\" \"$f\" || exit\n";
}

TextChange text_change(std::string_view before, std::string_view after, std::string_view name) {
  if (before.size() > most_content_bytes || after.size() > most_content_bytes) return {};
  if (!is_text(before) || !is_text(after)) return {};
  TextChange change{.diff = unified_diff(before, after, name)};
  std::size_t added = 0;
  std::size_t removed = 0;
  std::size_t header = 2;
  for (const auto line : lines(change.diff)) {
    if (header > 0) {
      --header;
    } else if (line.starts_with('+')) {
      ++added;
    } else if (line.starts_with('-')) {
      ++removed;
    }
  }
  change.lines = std::max(added, removed);
  return change;
}

Result<Ownership> wanted_ownership(const Wanted& wanted, std::string_view default_mode) {
  Ownership ownership{.owner = wanted.text("owner", "root"),
                      .group = wanted.text("group", "root"),
                      .mode = wanted.text("mode", default_mode)};
  if (!is_octal_mode(ownership.mode)) {
    return refuse(wanted, "mode", fmt::format("'{}' is not a mode", ownership.mode),
                  "write octal digits as a text: mode = \"0644\"");
  }
  return ownership;
}

Result<std::string> wanted_path(const Wanted& wanted, std::string_view field) {
  auto path = wanted.text(field);
  if (path.size() < 2 || path.front() != '/' || path.back() == '/') {
    return refuse(wanted, field,
                  fmt::format("{} '{}' is not the absolute path of a file", field, path),
                  "begin it with / and do not end it with /");
  }
  return path;
}

Result<std::vector<Step>> steps_for(const Wanted& wanted,
                                    Result<std::optional<FileChange>> change) {
  if (!change) {
    change.error().step = wanted.id();
    return fail(std::move(change.error()));
  }
  if (!*change) return std::vector<Step>{};
  auto step = step_for(wanted, std::move((*change)->action), std::move((*change)->why));
  step.diff = std::move((*change)->diff);
  step.script = std::move((*change)->script);
  step.undo = std::move((*change)->undo);
  step.deadline = std::chrono::seconds(60);
  return std::vector{std::move(step)};
}

}  // namespace podwright
