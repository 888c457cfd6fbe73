#include "base/digest.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <future>
#include <memory>
#include <stdexcept>

#include "base/open_file.hpp"

namespace podwright {

namespace {

std::string hex_digits(const unsigned char* bytes, unsigned int length) {
  std::string text;
  for (unsigned int i = 0; i < length; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

/// Below so many bytes a thread costs more than it brings.
constexpr std::size_t worth_a_thread = std::size_t{4} << 20U;

[[noreturn]] void no_digest() { throw std::runtime_error("OpenSSL cannot compute SHA-256"); }

}  // namespace

struct Sha256::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
  void begin() {
    if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) no_digest();
  }
};

Sha256::Sha256() : state_(std::make_unique<State>()) { state_->begin(); }

Sha256::~Sha256() = default;

void Sha256::add(std::string_view bytes) {
  if (EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) != 1) no_digest();
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (EVP_DigestFinal_ex(state_->context.get(), digest, &length) != 1) no_digest();
  state_->begin();
  return hex_digits(digest, length);
}

std::string sha256_hex(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr) != 1) no_digest();
  return hex_digits(digest, length);
}

Result<std::string> sha256_of_file(const std::filesystem::path& path) {
  const auto unreadable = [&] {
    return fail(Fault::usage, fmt::format("{} cannot be read: {}", path.string(), std::strerror(errno)));
  };
  const OpenFile file(std::fopen(path.c_str(), "rbe"));
  if (!file) return unreadable();
  Sha256 digest;
  std::array<char, std::size_t{64} * 1024> buffer{};
  while (const auto got = std::fread(buffer.data(), 1, buffer.size(), file.get())) digest.add({buffer.data(), got});
  if (std::ferror(file.get()) != 0) return unreadable();
  return digest.hex();
}

ChunkedDigest chunked_sha256(std::string_view bytes, std::uint64_t chunk) {
  const auto in_chunks = [bytes, chunk] {
    std::string all;
    for (auto left = bytes; !left.empty(); left.remove_prefix(std::min<std::size_t>(left.size(), chunk))) {
      unsigned char digest[EVP_MAX_MD_SIZE];
      unsigned int length = 0;
      if (EVP_Digest(left.data(), std::min<std::size_t>(left.size(), chunk), digest, &length, EVP_sha256(), nullptr) != 1) no_digest();
      all.append(reinterpret_cast<const char*>(digest), length);
    }
    return all;
  };
  // Side by side; what one of them has read from the disk the other finds in memory.
  auto chunks = std::async(bytes.size() < worth_a_thread ? std::launch::deferred : std::launch::async, in_chunks);
  ChunkedDigest result{.sha256 = sha256_hex(bytes), .chunks = {}};
  result.chunks = chunks.get();
  return result;
}

std::string base64_encode(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  static constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  std::size_t digits = 0;
  std::size_t padding = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    const auto value = alphabet.find(c);
    if (value == std::string_view::npos || padding > 0) return std::nullopt;
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    if (++digits % 4 != 0) continue;
    for (const unsigned shift : {16U, 8U, 0U}) bytes += static_cast<char>(bits >> shift & 0xFFU);
  }
  const auto rest = digits % 4;
  if ((digits + padding) % 4 != 0 || padding > 2) return std::nullopt;
  if (rest == 2) bytes += static_cast<char>(bits >> 4U & 0xFFU);
  if (rest == 3) {
    bytes += static_cast<char>(bits >> 10U & 0xFFU);
    bytes += static_cast<char>(bits >> 2U & 0xFFU);
  }
  return bytes;
}

}  // namespace podwright
