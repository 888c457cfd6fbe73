// Fuzzing of the readers of strangers' archives with libFuzzer: bundles (bundle/packed.hpp) and snapshots
// (bundle/archive.hpp). Whatever comes, nothing of it leads out of a folder, and it is no more than was announced
// and allowed. Build and run: tests/fuzz/README.md.
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "bundle/archive.hpp"
#include "bundle/packed.hpp"
#include "memory_file.hpp"

namespace {

using namespace podwright;

constexpr UnpackLimits limits{.members = 64, .bytes = 1U << 20U};

void demand(bool holds) {
  if (!holds) std::abort();
}

std::string compressed(std::string_view plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 1));
  return out;
}

/// The checksum of a header is what changes die of: mended, the reader sees what else was changed.
std::string mended(std::string tar) {
  for (std::size_t header = 0; header + 512 <= tar.size(); header += 512) {
    if (tar.compare(header + 257, 5, "ustar") != 0) continue;
    unsigned sum = 0;
    for (std::size_t i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(tar[header + i]);
    std::snprintf(&tar[header + 148], 8, "%06o", sum);
  }
  return tar;
}

bool stays_below(const std::string& path) {
  const std::filesystem::path folder = "/folder";
  return (folder / path).lexically_normal().string().starts_with("/folder/");
}

void read_bundle(const std::string& bytes) {
  const MemoryFile file(bytes);
  std::set<std::string> seen;
  std::uint64_t total = 0, announced = 0, got = 0;
  bool inside = false;
  const auto status = unpack(file.path(), {.begin = [&](const std::string& path, std::uint64_t size) -> Status {
                                             demand(!inside && is_plain_member(path) && stays_below(path));
                                             demand(seen.insert(path).second && seen.size() <= limits.members);
                                             demand(size <= limits.bytes - total);
                                             total += size;
                                             announced = size;
                                             got = 0;
                                             inside = true;
                                             return {};
                                           },
                                           .bytes = [&](std::string_view part) -> Status {
                                             demand(inside && part.size() <= announced - got);
                                             // Read, so that the sanitizer sees whether they are there.
                                             demand(std::ranges::count(part, 'x') >= 0);
                                             got += part.size();
                                             return {};
                                           },
                                           .end = [&]() -> Status {
                                             demand(inside && got == announced);
                                             inside = false;
                                             return {};
                                           }}, limits);
  if (status) demand(!inside);
  else demand(!status.error().what.empty() && clean_output(status.error().what) == status.error().what);
}

void read_snapshot(const std::string& bytes) {
  const MemoryFile file(bytes);
  const auto files = read_archive(file.path(), limits.bytes);
  if (!files) return demand(!files.error().what.empty());
  std::uint64_t total = 0;
  for (const auto& [path, content] : *files) {
    demand(stays_below(path));
    total += content.size();
  }
  demand(total <= limits.bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string bytes(data + 1, data + size);
  switch (data[0] % 5) {
    case 0: read_bundle(bytes); break;  // the zstd stream itself
    case 1: read_bundle(compressed(bytes)); break;
    case 2: read_bundle(compressed(mended(bytes))); break;
    case 3: read_snapshot(bytes); break;
    default: read_snapshot(mended(bytes));
  }
  return 0;
}
