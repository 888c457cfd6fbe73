#include "engine/framed_script.hpp"

#include <doctest/doctest.h>

#include "base/process.hpp"
#include "base/text.hpp"

using namespace podwright;

namespace {

/// Runs the script in a real shell and reads its frames.
FrameReader run(const FramedScript& script, const std::string& shell = "sh",
                std::size_t most_bytes = 4U << 20U) {
  FrameReader reader(script.marker(), {}, {}, most_bytes);
  const auto output = run_process({shell, "-s"}, script.text(), Millis(30000));
  REQUIRE(output);
  // In pieces, as a network delivers it.
  for (std::size_t at = 0; at < output->out.size(); at += 7) {
    reader.feed(std::string_view(output->out).substr(at, 7));
  }
  reader.feed_stderr(output->err);
  return reader;
}

}  // namespace

TEST_CASE("each frame has its own output, error output and status") {
  for (const auto* shell : {"sh", "bash"}) {
    FramedScript script("test");
    script.add({.comment = "one", .script = "echo one; echo oops >&2; exit 3"});
    script.add({.comment = "two", .script = "printf 'no newline'"});
    script.add({.comment = "three", .script = "cat; echo \"it's $((1+1)) \\$\""});
    script.add({.comment = "empty", .script = ""});
    script.add({.comment = "merged", .script = "echo a; echo b >&2", .merge_stderr = true});
    script.add({.comment = "syntax error", .script = "if ("});
    script.add({.comment = "last", .script = "false"});
    const auto reader = run(script, shell);
    const auto& frames = reader.frames();
    REQUIRE(frames.size() == 7);
    CHECK(frames.at(0).out == "one\n");
    CHECK(frames.at(0).err == "oops\n");
    CHECK(frames.at(0).exit_status == 3);
    CHECK(frames.at(1).out == "no newline");
    CHECK(frames.at(1).err.empty());
    CHECK(frames.at(2).out == "it's 2 $\n");
    CHECK(frames.at(3).exit_status == 0);
    CHECK(frames.at(4).out == "a\nb\n");
    CHECK(frames.at(5).exit_status != 0);
    CHECK(frames.at(6).exit_status == 1);
  }
}

TEST_CASE("a frame beyond its deadline is ended, and the next one runs") {
  FramedScript script("test");
  script.add({.comment = "slow", .script = "echo begun; sleep 30",
              .deadline = std::chrono::seconds(1)});
  script.add({.comment = "next", .script = "echo next"});
  const auto reader = run(script);
  CHECK(reader.frames().at(0).timed_out);
  CHECK(reader.frames().at(0).out == "begun\n");
  CHECK(reader.frames().at(1).out == "next\n");
}

TEST_CASE("where there is no timeout, a frame still ends at its deadline, with what it started") {
  FramedScript script("test");
  script.add({.comment = "well", .script = "echo well; exit 3", .deadline = std::chrono::seconds(20)});
  script.add({.comment = "slow", .script = "echo begun; sleep 60 & sleep 60", .deadline = std::chrono::seconds(1)});
  script.add({.comment = "next", .script = "cat; echo next"});
  auto text = script.text();
  for (std::size_t at = 0; (at = text.find("timeout", at)) != std::string::npos;) text.replace(at, 7, "no-such");
  const auto output = run_process({"sh", "-s"}, text, Millis(30000));
  REQUIRE(output);
  FrameReader reader(script.marker());
  reader.feed(output->out);
  REQUIRE(reader.frames().size() == 3);
  CHECK(reader.frames().at(0).exit_status == 3);
  CHECK(reader.frames().at(1).timed_out);
  CHECK(reader.frames().at(1).out == "begun\n");
  CHECK(reader.frames().at(2).out == "next\n");
}

TEST_CASE("a failed frame ends the script at the next checkpoint") {
  FramedScript script("test");
  script.add({.comment = "a", .script = "exit 1", .must_succeed = true});
  script.add({.comment = "its probe", .script = "echo why", .checkpoint = true});
  script.add({.comment = "b", .script = "echo never"});
  const auto reader = run(script);
  CHECK(reader.frames().size() == 2);
}

TEST_CASE("a script cut short runs nothing at all") {
  FramedScript script("test");
  script.add({.comment = "a", .script = "echo ran"});
  const auto whole = script.text();
  const auto output =
      run_process({"sh", "-s"}, std::string_view(whole).substr(0, whole.size() - 4), Millis(5000));
  REQUIRE(output);
  CHECK(output->out.find("ran") == std::string::npos);
}

TEST_CASE("a frame's output is bounded and cleaned") {
  FramedScript script("test");
  script.add({.comment = "flood", .script = "head -c 3000000 /dev/zero | tr '\\0' x; printf '\\033[31mred'"});
  script.add({.comment = "next", .script = "printf '\\033[31mred\\033[0m'"});
  const auto reader = run(script, "sh", 10000);
  CHECK(reader.frames().at(0).out.size() == 10000);
  CHECK(reader.frames().at(1).out == "red");
}

TEST_CASE("a marker in the wrong place is only text") {
  FrameReader reader("M");
  reader.feed("M begin 0\nM end 7 0\nM begin x\nhello\n\nM end 0 0\n");
  REQUIRE(reader.frames().size() == 1);
  CHECK(reader.frames().at(0).out == "M end 7 0\nM begin x\nhello\n");
}

TEST_CASE("what runs when a node is lost is known") {
  FrameReader reader("M");
  reader.feed("M begin 0\n\nM end 0 0\nM begin 1\nhalf");
  CHECK(reader.open_frame() == 1);
}
