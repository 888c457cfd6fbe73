/// Files of the operator's machine. Writes are atomic: a reader sees the old or the new, never half.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace podwright {

Result<std::string> read_file(const std::filesystem::path& path);

/// Writes beside the file, syncs, and renames over it; parents are made.
/// `mode` is the permission of a file that did not exist; an existing one keeps its own.
Status write_file(const std::filesystem::path& path, std::string_view content, unsigned mode = 0644);

/// Appends, made with `mode` when absent.
Status append_file(const std::filesystem::path& path, std::string_view content,
                   unsigned mode = 0644);

Status make_directories(const std::filesystem::path& path, unsigned mode = 0755);

/// A file's bytes as they lie in the page cache: any size, shared by everybody who sends them.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] std::string_view bytes() const { return bytes_; }

 private:
  MappedFile() = default;
  std::string_view bytes_;
};

/// "~/x" and "~" with the home of whoever runs this; other paths as they are.
std::filesystem::path expand_home(std::string_view path);

/// Where this executable lies.
std::filesystem::path executable_path();

}  // namespace podwright
