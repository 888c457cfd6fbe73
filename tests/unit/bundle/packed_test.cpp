// Archives from strangers: what must be refused, and that nothing is written for it.
#include "bundle/packed.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <zstd.h>

#include <fstream>
#include <map>
#include <random>
#include <vector>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "bundle/bundle.hpp"

using namespace podwright;
namespace fs = std::filesystem;

namespace {

struct Folder {
  Folder() : path(fs::temp_directory_path() / ("podwright-packed-" + random_hex(8))) { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  fs::path path;
};

void write(const fs::path& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }

std::string compressed(const std::string& plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 1));
  return out;
}

/// What a stranger may put into a tar.
struct Odd {
  std::string path;
  std::string content{};
  unsigned type = AE_IFREG;
  std::string link{};
  bool hard = false;
};

std::string tar_of(const std::vector<Odd>& members) {
  std::string bytes;
  auto* writer = archive_write_new();
  archive_write_set_format_pax_restricted(writer);
  archive_write_open2(writer, &bytes, nullptr,
                      [](archive*, void* self, const void* data, std::size_t size) {
                        static_cast<std::string*>(self)->append(static_cast<const char*>(data), size);
                        return static_cast<la_ssize_t>(size);
                      }, nullptr, nullptr);
  for (const auto& one : members) {
    auto* entry = archive_entry_new();
    archive_entry_set_pathname(entry, one.path.c_str());
    archive_entry_set_filetype(entry, one.type);
    archive_entry_set_perm(entry, 0644);
    if (!one.link.empty() && one.hard) archive_entry_set_hardlink(entry, one.link.c_str());
    else if (!one.link.empty()) archive_entry_set_symlink(entry, one.link.c_str());
    if (one.type == AE_IFREG && one.link.empty()) archive_entry_set_size(entry, static_cast<la_int64_t>(one.content.size()));
    archive_write_header(writer, entry);
    archive_write_data(writer, one.content.data(), one.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  return bytes;
}

struct Read {
  std::map<std::string, std::string> members;
  std::string error;
};

Read read(const fs::path& file, const UnpackLimits& limits = {}) {
  Read all;
  std::string path;
  const auto status = unpack(file, {.begin = [&](const std::string& name, std::uint64_t) -> Status {
                                      path = name;
                                      all.members[path];
                                      return {};
                                    },
                                    .bytes = [&](std::string_view bytes) -> Status {
                                      all.members[path] += bytes;
                                      return {};
                                    },
                                    .end = []() -> Status { return {}; }}, limits);
  if (!status) all.error = status.error().what;
  return all;
}

std::string error_of(const std::vector<Odd>& members, const UnpackLimits& limits = {}) {
  const Folder folder;
  write(folder.path / "x.tar.zst", compressed(tar_of(members)));
  return read(folder.path / "x.tar.zst", limits).error;
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string random_text(std::size_t size) {
  std::mt19937 random(7);
  std::string text(size, '\0');
  for (auto& c : text) c = static_cast<char>(random());
  return text;
}

}  // namespace

TEST_CASE("what was packed comes out again, and equal members give equal bytes") {
  const Folder folder;
  const auto large = random_text(3 << 20);
  write(folder.path / "large", large);
  std::string digests[2];
  for (int i = 0; i < 2; ++i) {
    const auto file = folder.path / ("b" + std::to_string(i));
    Packer packer(file);
    REQUIRE(packer.open());
    REQUIRE(packer.add("index.json", "{}"));
    REQUIRE(packer.add("empty", ""));
    REQUIRE(packer.add_file("pool/large", folder.path / "large", large.size(), sha256_hex(large)));
    CHECK_FALSE(fs::exists(file));
    const auto packed = packer.finish();
    REQUIRE(packed);
    CHECK(packed->bytes == fs::file_size(file));
    CHECK(packed->sha256 == sha256_of_file(file).value());
    digests[i] = packed->sha256;
    const auto all = read(file);
    CHECK(all.error.empty());
    CHECK(all.members == std::map<std::string, std::string>{{"empty", ""}, {"index.json", "{}"}, {"pool/large", large}});
  }
  CHECK(digests[0] == digests[1]);
}

TEST_CASE("what is compressed already is passed on, and the rest becomes smaller") {
  const Folder folder;
  const auto noise = random_text(2 << 20);
  const std::string text(2 << 20, 'a');
  write(folder.path / "noise", noise);
  write(folder.path / "text", text);
  // A beginning that does not shrink must not hide the rest.
  write(folder.path / "both", noise.substr(0, 300000) + text);
  const auto file = folder.path / "bundle";
  std::map<std::string, std::string> wanted{{"index.json", "{}"}};
  Packer packer(file);
  REQUIRE(packer.open());
  REQUIRE(packer.add("index.json", "{}"));
  for (const auto* name : {"noise", "text", "both"}) {
    for (const auto* copy : {"1", "2"}) {
      const auto content = read_file(folder.path / name).value();
      REQUIRE(packer.add_file(std::string(name) + copy, folder.path / name, content.size(), sha256_hex(content)));
      wanted[std::string(name) + copy] = content;
    }
  }
  REQUIRE(packer.finish());
  CHECK(fs::file_size(file) > 2 * (noise.size() + 300000));
  CHECK(fs::file_size(file) < 2 * (noise.size() + 300000) + 20000);
  const auto all = read(file);
  CHECK(all.error.empty());
  CHECK(all.members == wanted);
}

TEST_CASE("a source that changed since it was proven is not packed, and leaves nothing behind") {
  const Folder folder;
  write(folder.path / "source", "changed");
  {
    Packer packer(folder.path / "bundle");
    REQUIRE(packer.open());
    CHECK_FALSE(packer.add_file("x", folder.path / "source", 7, sha256_hex("changes")));
  }
  CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
}

TEST_CASE("paths that lead out, links, devices and members that come twice are refused by name") {
  for (const auto* path : {"../evil", "/etc/evil", "a/../../evil", "a//evil", "a/./evil", "a\\evil", "evil\nname"}) {
    CAPTURE(path);
    CHECK(says(error_of({{path, "x"}}), "outside of the bundle"));
  }
  CHECK(says(error_of({{"a", "", AE_IFLNK, "/etc/passwd"}}), "\"a\" is a link"));
  CHECK(says(error_of({{"b", "x"}, {"a", "", AE_IFREG, "b", true}}), "\"a\" is a link"));
  CHECK(says(error_of({{"null", "", AE_IFCHR}}), "neither a file nor a folder"));
  CHECK(says(error_of({{"pipe", "", AE_IFIFO}}), "neither a file nor a folder"));
  CHECK(says(error_of({{"a", "1"}, {"a", "2"}}), "twice"));
  CHECK(says(error_of({{"a", "1"}, {"./a", "2"}}), "twice"));
  CHECK(error_of({{"./a", "1"}, {"b", "", AE_IFDIR}}).empty());
}

TEST_CASE("an archive larger than it may be is refused before it is unpacked") {
  CHECK(says(error_of({{"a", std::string(5000, '\0')}}, {.members = 10, .bytes = 4096}), "\"a\" makes it larger"));
  CHECK(says(error_of({{"a", "1"}, {"b", "2"}, {"c", "3"}}, {.members = 2, .bytes = 4096}), "more than 2 members"));
}

TEST_CASE("cut off, prolonged, damaged: refused") {
  const Folder folder;
  const auto file = folder.path / "x.tar.zst";
  const auto plain = tar_of({{"a", random_text(100000)}});
  const auto whole = compressed(plain);
  for (const auto keep : {std::size_t{0}, std::size_t{3}, whole.size() / 2, whole.size() - 1}) {
    write(file, whole.substr(0, keep));
    CAPTURE(keep);
    CHECK_FALSE(read(file).error.empty());
  }
  write(file, whole + "x");
  CHECK(says(read(file).error, "behind its end"));
  write(file, whole + whole);
  CHECK(says(read(file).error, "behind its end"));
  write(file, compressed(plain + "slipped in"));
  CHECK(says(read(file).error, "behind its end"));
  write(file, compressed(plain.substr(0, 50000)));
  CHECK_FALSE(read(file).error.empty());
  write(file, "no archive at all");
  CHECK_FALSE(read(file).error.empty());
}

TEST_CASE("a bundle with any one bit flipped is refused, and nothing but members by digest is written") {
  const Folder folder;
  const auto file = folder.path / "b";
  {
    Packer packer(file);
    REQUIRE(packer.open());
    REQUIRE(packer.add("index.json", "{}"));
    REQUIRE(packer.add("pool/x", random_text(20000)));
    REQUIRE(packer.finish());
  }
  const auto whole = read_file(file).value();
  std::mt19937 random(11);
  for (int i = 0; i < 400; ++i) {
    auto flipped = whole;
    const auto bit = random() % (flipped.size() * 8);
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    write(file, flipped);
    CAPTURE(bit);
    CHECK_FALSE(read(file).error.empty());
  }
}

TEST_CASE("fuzzed tars never crash, and never write outside of the folder that they are kept in") {
  const Folder folder;
  const auto file = folder.path / "x.tar.zst";
  fs::create_directories(folder.path / "keep");
  const auto plain = tar_of({{"index.json", "{}"}, {"pool/a", random_text(3000)}, {"dir", "", AE_IFDIR}, {"files/b", "text"}});
  std::mt19937 random(23);
  for (int round = 0; round < 1500; ++round) {
    auto bytes = plain;
    for (auto changes = 1 + random() % 6; changes > 0; --changes) {
      const auto at = random() % bytes.size();
      switch (random() % 4) {
        case 0: bytes[at] = static_cast<char>(random()); break;
        case 1: bytes[at] = static_cast<char>("01234567/.\0"[random() % 11]); break;
        case 2: bytes.erase(at, 1 + random() % 512); break;
        default: bytes.insert(at, std::string(1 + random() % 512, static_cast<char>(random() % 3 == 0 ? '/' : random())));
      }
      if (bytes.empty()) bytes = "x";
    }
    // The checksum of a header is what random changes die of: mend it, to get behind it.
    for (std::size_t header = 0; header + 512 <= bytes.size() && random() % 2 == 0; header += 512) {
      if (bytes.compare(header + 257, 5, "ustar") != 0) continue;
      unsigned sum = 0;
      for (std::size_t i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(bytes[header + i]);
      std::snprintf(&bytes[header + 148], 8, "%06o", sum);
    }
    write(file, compressed(bytes));
    (void)verify_bundle(file, {.public_key = {}, .older = {}, .closure = true, .file_digest = false, .keep = folder.path / "keep", .stop = {}});
  }
  std::size_t others = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path)) {
    const auto name = entry.path().filename().string();
    const bool digest = name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (name != "keep" && name != "x.tar.zst" && !(digest && entry.is_regular_file())) ++others;
  }
  CHECK(others == 0);
}
