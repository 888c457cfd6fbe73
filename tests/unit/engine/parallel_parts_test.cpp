#include "engine/parallel_parts.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <thread>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"

using namespace podwright;

namespace {

/// A folder that is gone with the object.
struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("podwright-parts-" + random_hex(6));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

std::map<std::size_t, Observed> run_parts(const std::vector<Part>& parts) {
  const auto script = in_parallel("parts", parts, "marker-of-a-test");
  const auto output = run_process({"sh", "-s"}, script.text(), Millis(30'000));
  REQUIRE(output);
  FrameReader reader(script.marker());
  reader.feed(output->out);
  reader.feed_stderr(output->err);
  return reader.frames();
}

bool runs(const std::string& pattern) {
  const auto found = run_process({"sh", "-c", "grep -ls " + sh::quote(pattern) + " /proc/[0-9]*/cmdline | grep -v self"}, "", Millis(5000));
  return found && !found->out.empty();
}

}  // namespace

TEST_CASE("parts run at one time, and each has its own output, errors and exit status") {
  // Each waits for the other: one after the other they would never end.
  const Folder folder;
  const auto meet = [&](const std::string& own, const std::string& other) {
    return "cd " + sh::quote(folder.path.string()) + "\n: >" + own + "\nturn=0\nwhile [ ! -e " + other +
           " ] && [ $turn -lt 100 ]; do sleep 0.1; turn=$((turn + 1)); done\n[ -e " + other + " ] || exit 9\n";
  };
  const auto frames = run_parts({{.comment = "one", .script = meet("a", "b") + "echo first; echo complaint >&2\nexit 3"},
                                 {.comment = "two", .script = meet("b", "a") + "cat\necho 'sec ond'\n"}});
  REQUIRE(frames.size() == 2);
  CHECK(frames.at(0).out.find("first") != std::string::npos);
  CHECK(frames.at(0).err.find("complaint") != std::string::npos);
  CHECK(frames.at(0).exit_status == 3);
  CHECK(frames.at(1).out.find("sec ond") != std::string::npos);
  CHECK(frames.at(1).exit_status == 0);
}

TEST_CASE("a part ends with its deadline, with what it started") {
  const auto frames = run_parts({{.comment = "late", .script = "sleep 97531 & sleep 97531\n", .deadline = std::chrono::seconds(1)}});
  REQUIRE(frames.size() == 1);
  CHECK(frames.at(0).exit_status == 124);
  CHECK_FALSE(runs("[9]7531"));
}

TEST_CASE("parts end when nobody listens any more, also in a process group or session of their own") {
  const auto script = in_parallel("parts", {{.comment = "long", .script = "timeout 60 sleep 86421 & setsid sleep 86421 & sleep 86421\n",
                                             .deadline = std::chrono::seconds(60)}});
  const Folder folder;
  REQUIRE(write_file(folder.path / "script", script.text()));
  // What reads its output ends after a second: as a head that is killed.
  const auto output = run_process({"sh", "-c", "sh -s <" + sh::quote((folder.path / "script").string()) + " | sleep 1"}, "", Millis(30'000));
  REQUIRE(output);
  for (int turn = 0; turn < 100 && runs("[8]6421"); ++turn) std::this_thread::sleep_for(Millis(100));
  CHECK_FALSE(runs("[8]6421"));
}
