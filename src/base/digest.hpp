/// Digests, through OpenSSL.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "base/result.hpp"

namespace podwright {

/// SHA-256 of bytes that come in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void add(std::string_view bytes);
  /// Of what was added, as 64 hexadecimal digits; what is added after that begins anew.
  std::string hex();
  /// The same as 32 bytes.
  std::string raw();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// SHA-256 as 64 hexadecimal digits.
std::string sha256_hex(std::string_view bytes);
/// The same of a file of any size.
Result<std::string> sha256_of_file(const std::filesystem::path& path);
/// The SHA-256 of every piece of `chunk` bytes (the last may be shorter): 32 bytes each, one after the other. All
/// processors work on it, where the digest of the whole is bound to one.
Result<std::string> chunk_sha256(const InputFile& file, std::uint64_t chunk);
/// Both at once.
struct ChunkedDigest {
  std::string sha256;  ///< of the whole file, 64 hexadecimal digits
  std::string chunks;
};
Result<ChunkedDigest> chunked_sha256(const InputFile& file, std::uint64_t chunk);
std::string base64_encode(std::string_view bytes);
/// The bytes; line ends are skipped. Nothing when it is not base64 or was cut off.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace podwright
