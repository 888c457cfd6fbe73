/// The bundle's container: a tar in one zstd stream with a checksum. Written so that equal members give
/// equal bytes; read as what a stranger sent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace podwright {

/// Whether a path stays below the folder that it is joined to, and is written in the one plain way:
/// no "..", no ".", no empty part, no backslash or control character.
bool is_plain_member(std::string_view path);

/// Writes members one after the other; compresses on all processors with a few MiB a processor. Nothing
/// stands at `file` before finish().
class Packer {
 public:
  explicit Packer(const std::filesystem::path& file);
  ~Packer();
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  Status open();
  Status add(const std::string& path, std::string_view content);
  /// A file of any size, whose digest must be `sha256`; empty: that was proven.
  Status add_file(const std::string& path, const std::filesystem::path& source, std::uint64_t size, const std::string& sha256);
  /// The bytes that were written, and their SHA-256.
  struct Packed {
    std::uint64_t bytes = 0;
    std::string sha256;
  };
  Result<Packed> finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct UnpackLimits {
  std::uint64_t members = 1'000'000;
  std::uint64_t bytes = std::uint64_t{1} << 42U;  ///< of all members
};

/// A member as it comes: `begin` for each, then its bytes, then `end`. An error ends the reading.
struct MemberSink {
  std::function<Status(const std::string& path, std::uint64_t size)> begin;
  std::function<Status(std::string_view bytes)> bytes;
  std::function<Status()> end;
  /// All bytes of the archive's own file, where somebody wants them: in turn, in a thread of its own, and all of
  /// them only where unpack() has no error.
  std::function<void(std::string_view bytes)> file_bytes{};
};

/// Reads the archive once, from its start to its very last byte. Refused by name: a member that is
/// neither a file nor a folder, a path that is_plain_member refuses ("./" before it is let pass), a path
/// that comes twice, a hole, more than the limits, an archive that is cut off, bytes behind its end.
Status unpack(const std::filesystem::path& file, const MemberSink& sink, const UnpackLimits& limits = {},
              const std::stop_token& stop = {});

}  // namespace podwright
