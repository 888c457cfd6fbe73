/// A part of a file on a node: some of its lines, or a marked block. The change is carried out on
/// the node against the file as it is then, so that several resources may each change their part of
/// one file in the same run; the diff is what the change does to the file as it was read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/resources/file_state.hpp"

namespace podwright {

struct FileEdit {
  /// Lines, compared whole, and the text in their place: whole lines, or nothing.
  std::vector<std::pair<std::string, std::string>> lines{};
  /// A block between two marker lines; appended when the file has none yet.
  struct Block {
    std::string begin;
    std::string end;
    std::optional<std::string> text;  ///< whole lines; nothing removes the block and its markers
  };
  std::optional<Block> block{};
  std::string append{};  ///< whole lines

  [[nodiscard]] bool empty() const { return lines.empty() && !block && append.empty(); }
};

/// Lines as they are: a carriage return at the end of one is a part of it.
std::vector<std::string_view> exact_lines(std::string_view text);
/// `before` as the edit leaves it.
std::string apply_edit(const FileEdit& edit, std::string_view before);
/// sh that prints the file "$f" as the edit leaves it; an absent file counts as empty.
std::string edit_script(const FileEdit& edit);

/// The text of a file that is about to be edited: empty when absent. An error when it is not a text
/// file of at most most_content_bytes.
Result<std::string> editable_text(const std::string& path, const FileState& state);

/// Nothing when the edit leaves `before` as it is. `why` is said of the change.
std::optional<FileChange> change_part(const std::string& path, const std::string& before,
                                      const FileEdit& edit, std::string why);

}  // namespace podwright
