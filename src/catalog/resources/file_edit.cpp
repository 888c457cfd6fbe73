#include "catalog/resources/file_edit.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "base/text.hpp"

namespace podwright {

namespace {

std::string block_text(const FileEdit::Block& block) {
  return block.text ? block.begin + "\n" + *block.text + block.end + "\n" : std::string{};
}

}  // namespace

std::vector<std::string_view> exact_lines(std::string_view text) {
  auto all = split(text, '\n');
  if (!all.empty() && all.back().empty()) all.pop_back();
  return all;
}

std::string apply_edit(const FileEdit& edit, std::string_view before) {
  std::string after;
  bool inside = false;
  bool placed = false;
  for (const auto line : exact_lines(before)) {
    if (inside) {
      if (line == edit.block->end) inside = false;
      continue;
    }
    if (edit.block && line == edit.block->begin) {
      inside = true;
      if (!placed) after += block_text(*edit.block);
      placed = true;
      continue;
    }
    const auto place =
        std::ranges::find_if(edit.lines, [&](const auto& one) { return one.first == line; });
    if (place == edit.lines.end()) {
      after.append(line).append("\n");
    } else {
      after += place->second;
    }
  }
  if (edit.block && !placed) after += block_text(*edit.block);
  return after + edit.append;
}

std::string edit_script(const FileEdit& edit) {
  const auto begin = edit.block ? edit.block->begin : std::string{};
  std::string script = "inside= placed=\n";
  if (edit.block) {
    script += sh::assign("begin", begin) + sh::assign("end", edit.block->end) +
              sh::assign("block", block_text(*edit.block));
  }
  script += "[ ! -e \"$f\" ] || while IFS= read -r line || [ -n \"$line\" ]; do\n";
  if (edit.block) {
    script += R"sh(  if [ -n "$inside" ]; then
    if [ "$line" = "$end" ]; then inside=; fi
    continue
  fi
)sh";
  }
  script += "  case $line in\n";
  if (edit.block) {
    script +=
        "    \"$begin\") inside=yes; [ -n \"$placed\" ] || printf %s \"$block\"; placed=yes ;;\n";
  }
  for (const auto& [line, text] : edit.lines) {
    script += fmt::format("    {}) {} ;;\n", sh::quote(line), text.empty() ? ":" : sh::print(text));
  }
  script += "    *) printf '%s\\n' \"$line\" ;;\n  esac\ndone <\"$f\" || exit\n";
  if (edit.block) script += "[ -n \"$placed\" ] || printf %s \"$block\"\n";
  if (!edit.append.empty()) script += sh::print(edit.append) + "\n";
  return script;
}

Result<std::string> editable_text(const std::string& path, const FileState& state) {
  if (state.type == "absent") return std::string{};
  const auto hint = fmt::format("look at it on the node: {}", path);
  if (state.type == "symlink") {
    return fail(Fault::remote, fmt::format("{} is a symbolic link to {}", path, state.target),
                "name the file that it points to");
  }
  if (state.type != "file") return fail(Fault::remote, path + " is not a file", hint);
  if (state.size > most_content_bytes) {
    return fail(
        Fault::remote,
        fmt::format("{} is too large to change a part of it: {}", path, human_bytes(state.size)),
        hint);
  }
  if (!state.content) return fail(Fault::remote, path + " could not be read whole", hint);
  if (state.content->find('\0') != std::string::npos) {
    return fail(Fault::remote, path + " is not a text file", hint);
  }
  return *state.content;
}

std::optional<FileChange> change_part(const std::string& path, const std::string& before,
                                      const FileEdit& edit, std::string why) {
  if (edit.empty()) return std::nullopt;
  const auto after = apply_edit(edit, before);
  if (after == before) return std::nullopt;
  return FileChange{.action = "write",
                    .why = std::move(why),
                    .diff = text_change(before, after, path).diff,
                    .script = replace_script(path, edit_script(edit), std::nullopt),
                    .undo = {.paths = {path}}};
}

}  // namespace podwright
