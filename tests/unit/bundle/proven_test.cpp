// Files that were proven once are known again, and no change of theirs goes unseen.
#include "bundle/proven.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "support/sshd.hpp"

using namespace podwright;
using podwright::test::TempDir;

TEST_CASE("a file that was proven is known until it is touched") {
  TempDir dir;
  const auto file = dir.write("file", "content");
  const std::string digest(64, 'a');
  CHECK_MESSAGE(ProvenFiles::state_of(file).empty(), "it has just been written: its times prove nothing yet");
  CHECK(ProvenFiles::state_of(dir.file("none")).empty());
  ProvenFiles empty(dir.file("record"));
  empty.note(digest, "");
  CHECK_FALSE(empty.knows(file, digest));
  CHECK_FALSE(empty.knows(dir.file("none"), digest));

  std::this_thread::sleep_for(std::chrono::seconds(4));
  struct stat before {};
  REQUIRE(stat(file.c_str(), &before) == 0);
  {
    ProvenFiles proven(dir.file("record"));
    proven.note(digest, ProvenFiles::state_of(file));
    CHECK(proven.knows(file, digest));
    REQUIRE(proven.save());
  }
  CHECK(ProvenFiles(dir.file("record")).knows(file, digest));
  CHECK_FALSE(ProvenFiles(dir.file("record")).knows(file, std::string(64, 'b')));
  CHECK_FALSE(ProvenFiles(dir.file("record")).knows(dir.write("other", "content"), digest));

  // The same size, and the time of its content set back: its ctime gives it away.
  std::ofstream(file) << "CONTENT";
  const timespec times[2] = {before.st_atim, before.st_mtim};
  REQUIRE(utimensat(AT_FDCWD, file.c_str(), times, 0) == 0);
  CHECK_FALSE(ProvenFiles(dir.file("record")).knows(file, digest));

  dir.write("record", "{\"a\": 1, damaged");
  CHECK_FALSE(ProvenFiles(dir.file("record")).knows(file, digest));
}
