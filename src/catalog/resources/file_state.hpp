/// A file on a node: how its state is read, compared with what is wanted, and changed. Every kind
/// of resource that ends in a file (file, unit, sysctl, limit, …) is made of this.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/resources/reading.hpp"

namespace podwright {

/// Larger files are compared by digest alone: nobody reads such a diff.
inline constexpr std::uint64_t most_content_bytes = 256 * 1024;

struct Ownership {
  std::string owner = "root";  ///< a name or a number
  std::string group = "root";
  std::string mode = "0644";  ///< octal digits
};

struct WantedFile {
  std::string path;
  std::string content;
  Ownership ownership{};
  bool parents = false;  ///< make missing folders (root, 0755)
  std::string
      validate{};  ///< sh that must succeed before the file is put in place; {} is the new file
};

struct FileState {
  std::string type;  ///< absent | file | directory | symlink, or what else it is, in words
  std::string owner;
  std::string uid;
  std::string group;
  std::string gid;
  std::string mode;  ///< octal digits, "644"
  std::string sha256;
  std::string target;  ///< of a symlink
  std::uint64_t size = 0;
  /// Of a regular file that is not too large, where the probe was asked for it.
  std::optional<std::string> content;
};

enum class Content {
  unless_same,  ///< print it when its digest is another than the wanted one
  always,       ///< for kinds that change a part of the file
  never,        ///< secrets
};

/// sh that prints the state of `path`. Two forks when nothing differs.
std::string file_probe(std::string_view path, Content content, std::string_view wanted_sha256 = {});
/// The same of the path that the shell variable f holds.
std::string probe_of_f(Content content, std::string_view wanted_sha256 = {});
FileState file_state(const Reading& reading);

/// What has to happen to a file.
struct FileChange {
  std::string action;  ///< create | write | set | remove
  std::string why;
  std::string diff{};
  std::string script{};
  Undo undo{};
};

/// systemd reads its units and fstab again: for Undo::finish.
std::string reload_systemd();

/// Nothing when the file is as wanted. A folder or device in its place is an error: podwright does
/// not guess whether it may go.
Result<std::optional<FileChange>> change_file(const WantedFile& wanted, const FileState& state);
/// The same for a file that should not be there.
Result<std::optional<FileChange>> remove_file(const std::string& path, const FileState& state);
/// What is wrong with owner, group and mode, in words; empty when they are as wanted.
std::string ownership_difference(const Ownership& wanted, const FileState& state);

/// sh that makes `fill` (sh that writes to stdout) the content of `path`: beside it first, then
/// renamed, so that readers see the old or the new. No ownership: that of the file as it is, or
/// root 0644 where there is none. `validate` as in WantedFile.
std::string replace_script(const std::string& path, const std::string& fill,
                           const std::optional<Ownership>& ownership, bool parents = false,
                           std::string_view validate = {});
/// The same for the path that the shell variable f holds.
std::string replace_f_script(const std::string& fill, const std::optional<Ownership>& ownership,
                             bool parents = false, std::string_view validate = {});
/// sh that sets owner, group and mode of what the shell variable `variable` names.
std::string ownership_script(std::string_view variable, const Ownership& ownership);
/// sh that prints `content`, whatever bytes it holds.
std::string print_script(std::string_view content);

/// A unified diff and how many lines it changes; empty and 0 where one of the two is not text.
struct TextChange {
  std::string diff;
  std::size_t lines = 0;
};
TextChange text_change(std::string_view before, std::string_view after, std::string_view name);

/// The fields owner, group and mode that several kinds have.
Result<Ownership> wanted_ownership(const Wanted& wanted, std::string_view default_mode);
/// The field `path`, which must be absolute and plain.
Result<std::string> wanted_path(const Wanted& wanted, std::string_view field = "path");
/// The steps that carry out a change: one or none.
Result<std::vector<Step>> steps_for(const Wanted& wanted, Result<std::optional<FileChange>> change);

}  // namespace podwright
