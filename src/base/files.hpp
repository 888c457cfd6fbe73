/// Files of the operator's machine. Writes are atomic: a reader sees the old or the new, never half.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/open_file.hpp"
#include "base/result.hpp"

namespace podwright {

Result<std::string> read_file(const std::filesystem::path& path);

/// When a file that was written is to be on the disk: before the next step, which relies on it; or whenever the
/// kernel gets to it, for what nobody goes on from. The first may have to wait for all that others wrote there.
enum class OnDisk { now, later };

/// Writes beside the file, and renames over it; parents are made.
/// `mode` is the permission of a file that did not exist; an existing one keeps its own.
Status write_file(const std::filesystem::path& path, std::string_view content, unsigned mode = 0644, OnDisk when = OnDisk::now);

/// Appends, made with `mode` when absent.
Status append_file(const std::filesystem::path& path, std::string_view content,
                   unsigned mode = 0644);

Status make_directories(const std::filesystem::path& path, unsigned mode = 0755);

/// A file's bytes as they lie in the page cache, for whoever wants them in one piece.
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

/// A file that is read piece by piece, at any place, by several at once. It is not mapped: one that becomes shorter
/// meanwhile is an error then and no signal, and to map a page costs more than to copy it.
class InputFile {
 public:
  static Result<InputFile> open(const std::filesystem::path& path);
  /// In bytes, when it was opened.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Fills all of `into` with what lies from `offset` on.
  [[nodiscard]] Status read(std::uint64_t offset, std::span<char> into) const;

 private:
  InputFile() = default;
  std::filesystem::path path_;
  OpenFile file_;
  std::uint64_t size_ = 0;
};

/// "~/x" and "~" with the home of whoever runs this; other paths as they are.
std::filesystem::path expand_home(std::string_view path);

/// Where this executable lies.
std::filesystem::path executable_path();

}  // namespace podwright
