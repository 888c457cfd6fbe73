#include "base/digest.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <future>
#include <memory>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/open_file.hpp"
#include "base/text.hpp"

namespace podwright {

namespace {

constexpr std::size_t sha256_size = 32;
/// Below so many bytes a thread costs more than it brings.
constexpr std::uint64_t worth_a_thread = 4U << 20U;
constexpr std::size_t read_at_once = std::size_t{128} << 10U;
/// More of them are faster than disks and networks: one digests more than a gigabyte a second.
constexpr std::uint64_t most_workers = 16;

[[noreturn]] void no_digest() { throw std::runtime_error("OpenSSL cannot compute SHA-256"); }

/// Adds all of `size` bytes from there on, in pieces that a processor's cache holds.
Status add(Sha256& digest, const InputFile& file, std::uint64_t offset, std::uint64_t size, std::vector<char>& buffer) {
  for (const auto end = offset + size; offset < end;) {
    const auto piece = std::span(buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(end - offset, buffer.size())));
    if (auto read = file.read(offset, piece); !read) return read;
    digest.add({piece.data(), piece.size()});
    offset += piece.size();
  }
  return {};
}

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

std::string Sha256::raw() {
  std::string digest(sha256_size, '\0');
  if (EVP_DigestFinal_ex(state_->context.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr) != 1) no_digest();
  state_->begin();
  return digest;
}

std::string Sha256::hex() { return hex_digits(raw()); }

std::string sha256_hex(std::string_view bytes) {
  Sha256 digest;
  digest.add(bytes);
  return digest.hex();
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

Result<std::string> chunk_sha256(const InputFile& file, std::uint64_t chunk) {
  const auto count = file.size() / chunk + (file.size() % chunk != 0 ? 1 : 0);
  // Whoever is free takes the next few: together they read a disk from its beginning to its end.
  const auto few = std::max<std::uint64_t>(1, worth_a_thread / chunk);
  std::string all(static_cast<std::size_t>(count * sha256_size), '\0');
  std::atomic<std::uint64_t> next{0};
  const auto work = [&]() -> Status {
    std::vector<char> buffer(read_at_once);
    Sha256 digest;
    for (auto first = next.fetch_add(few); first < count; first = next.fetch_add(few)) {
      for (auto one = first; one < std::min(first + few, count); ++one) {
        if (auto added = add(digest, file, one * chunk, std::min(chunk, file.size() - one * chunk), buffer); !added) return added;
        std::ranges::copy(digest.raw(), all.begin() + static_cast<std::ptrdiff_t>(one * sha256_size));
      }
    }
    return {};
  };
  std::vector<std::future<Status>> others;
  const auto workers = std::min<std::uint64_t>({std::max(1U, std::thread::hardware_concurrency()), most_workers, (count + few - 1) / few});
  for (std::uint64_t i = 1; i < workers; ++i) others.push_back(std::async(std::launch::async, work));
  auto done = work();
  for (auto& other : others) {
    if (auto end = other.get(); !end) done = std::move(end);
  }
  if (!done) return fail(done.error());
  return all;
}

Result<ChunkedDigest> chunked_sha256(const InputFile& file, std::uint64_t chunk) {
  // Side by side; what one of them has read from the disk the other finds in memory.
  auto pending = std::async(file.size() < worth_a_thread ? std::launch::deferred : std::launch::async, [&] { return chunk_sha256(file, chunk); });
  std::vector<char> buffer(read_at_once);
  Sha256 digest;
  const auto whole = add(digest, file, 0, file.size(), buffer);
  auto chunks = pending.get();
  if (!whole) return fail(whole.error());
  if (!chunks) return fail(chunks.error());
  return ChunkedDigest{.sha256 = digest.hex(), .chunks = std::move(*chunks)};
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
