/// Digests, through OpenSSL.
#pragma once

#include <string>
#include <string_view>

namespace podwright {

/// SHA-256 as 64 hexadecimal digits.
std::string sha256_hex(std::string_view bytes);
std::string base64_encode(std::string_view bytes);

}  // namespace podwright
