/// Ed25519 signatures, through OpenSSL: whose bundle it is.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace podwright {

/// Writes a new private key (PEM, mode 0600) and its public half beside it (`file`.pub). Never over a key
/// that is there. The answer is the public key's fingerprint.
Result<std::string> make_key_pair(const std::filesystem::path& file);

struct Signature {
  std::string public_key;  ///< 32 bytes, as base64
  std::string bytes;       ///< 64 bytes, as base64
};

Result<Signature> sign(std::string_view text, const std::filesystem::path& private_key);
/// Whether the signature is that of the key that it names; whom that belongs to is another question.
bool is_signed_by_its_key(std::string_view text, const Signature& signature);
/// The key of a file that make_key_pair wrote (PEM), as base64.
Result<std::string> read_public_key(const std::filesystem::path& file);
/// Short, to be compared by people: the first 16 hex digits of the key's SHA-256.
std::string fingerprint(const std::string& public_key);

}  // namespace podwright
