#include "bundle/archive.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

using namespace podwright;
namespace fs = std::filesystem;

namespace {

struct Scratch {
  fs::path path = fs::temp_directory_path() / ("podwright-archive-" + random_hex(6));
  Scratch() { fs::create_directories(path); }
  ~Scratch() { fs::remove_all(path); }
  /// Makes a tar with the system's own tool.
  [[nodiscard]] fs::path tar(const std::string& script) const {
    const auto made = run_process({"sh", "-ec", "cd \"$0\" && " + script, path.string()}, "", Millis(10000));
    REQUIRE(made);
    REQUIRE_MESSAGE(made->exit_status == 0, made->err);
    return path / "x.tar";
  }
};

}  // namespace

TEST_CASE("what was written is read again, and the same content gives the same bytes") {
  const Scratch scratch;
  const std::map<std::string, std::string> files = {
      {"nodes/cu01/os.out", "id=debian\n"}, {"nodes/cu01/os.exit", "0\n"}, {"empty", ""},
      {"binary", std::string("\0\xff\n", 3)}};
  REQUIRE(write_archive(scratch.path / "a.tar.zst", files));
  REQUIRE(write_archive(scratch.path / "b.tar.zst", files));
  CHECK(*read_file(scratch.path / "a.tar.zst") == *read_file(scratch.path / "b.tar.zst"));
  const auto read = read_archive(scratch.path / "a.tar.zst");
  REQUIRE(read);
  CHECK(*read == files);
  CHECK((fs::status(scratch.path / "a.tar.zst").permissions() & fs::perms::others_read) == fs::perms::none);
}

TEST_CASE("an archive that wants out of its folder is refused") {
  const Scratch scratch;
  for (const auto* script : {"echo x >a && tar -cPf x.tar --transform 's,^,../,' a",
                             "echo x >a && tar -cPf x.tar --transform 's,^,/tmp/,' a",
                             "ln -s /etc/passwd a && tar -cf x.tar a", "mkfifo a && tar -cf x.tar a"}) {
    fs::remove(scratch.path / "a");
    const auto read = read_archive(scratch.tar(script));
    REQUIRE_FALSE(read);
    CHECK(read.error().fault == Fault::validation);
  }
}

TEST_CASE("an archive in any usual compression is read, and none chooses a program that unpacks it") {
  const Scratch scratch;
  for (const auto* tool : {"cat", "gzip", "bzip2", "xz", "zstd"}) {
    CAPTURE(tool);
    const auto read = read_archive(scratch.tar(std::string("echo x >a && tar -cf - a | ") + tool + " >x.tar"));
    REQUIRE(read);
    CHECK(*read == std::map<std::string, std::string>{{"a", "x\n"}});
  }
  const std::string path = ::getenv("PATH");
  ::setenv("PATH", (scratch.path.string() + ":" + path).c_str(), 1);
  // As archive_read_support_filter_grzip.c, _lrzip.c and _lzop.c of libarchive know them.
  for (const auto* magic : {"GRZipII\\0\\002\\004:)", "LRZI\\0\\006", "\\211LZO\\0\\r\\n\\032\\n"}) {
    CAPTURE(magic);
    CHECK_FALSE(read_archive(scratch.tar(std::string("for p in grzip lrzip lzop; do printf '#!/bin/sh\n: >%s/ran\n' \"$PWD\" >$p; chmod +x $p; done\n"
                                                     "{ printf '") + magic + "'; head -c 200 /dev/zero; } >x.tar")));
  }
  ::setenv("PATH", path.c_str(), 1);
  CHECK_FALSE(fs::exists(scratch.path / "ran"));
}

TEST_CASE("a huge, a cut and a missing archive are errors") {
  const Scratch scratch;
  const auto big = scratch.tar("head -c 3000000 /dev/zero >a && tar -cf x.tar a");
  CHECK(read_archive(big));
  CHECK_FALSE(read_archive(big, 1000000));
  fs::resize_file(big, 1000000);
  CHECK_FALSE(read_archive(big));
  CHECK_FALSE(read_archive(scratch.path / "none"));
}
