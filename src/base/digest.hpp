/// Digests, through OpenSSL.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace podwright {

/// SHA-256 as 64 hexadecimal digits.
std::string sha256_hex(std::string_view bytes);
std::string base64_encode(std::string_view bytes);
/// The bytes; line ends are skipped. Nothing when it is not base64 or was cut off.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace podwright
