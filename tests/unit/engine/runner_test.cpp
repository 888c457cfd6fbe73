#include "engine/runner.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "support/local_nodes.hpp"

using namespace podwright;
namespace fs = std::filesystem;

namespace {

/// One node that is this machine, and whose connection can be made to break.
struct Bench {
  struct Breaking : testing::LocalNodes {
    /// The next replies are cut off after so many bytes, and the connection is lost.
    std::vector<std::size_t> cuts;
    std::map<NodeId, Result<Reply>> run(const std::vector<Request>& requests, TransportObserver* observer,
                                        std::stop_token stop) override {
      if (cuts.empty()) return LocalNodes::run(requests, observer, stop);
      const auto most = cuts.front();
      cuts.erase(cuts.begin());
      struct Cutter : TransportObserver {
        std::string out;
        void on_output(const NodeId&, std::string_view bytes) override { out += bytes; }
      } cutter;
      auto replies = LocalNodes::run(requests, &cutter, stop);
      observer->on_output("cu01", cutter.out.substr(0, most));
      replies.at("cu01") = fail(Fault::unreachable, "the connection was lost while the command was running");
      return replies;
    }
  };
  fs::path scratch = fs::temp_directory_path() / ("podwright-runner-" + random_hex(6));
  Inventory inventory;
  Breaking nodes;
  events::Bus bus;
  std::stop_source stop;
  Bench() { fs::create_directories(scratch); }
  ~Bench() { fs::remove_all(scratch); }
  Site site() { return {inventory, {"cu01"}, nodes, bus, stop.get_token()}; }
  [[nodiscard]] std::string witness() const { return read_file(scratch / "witness").value_or(""); }

  /// Two steps that leave a witness, with output around a line that looks like a marker.
  FramedScript stage(const std::string& pause = "0.3") {
    FramedScript script("test");
    const auto file = (scratch / "witness").string();
    script.add({.comment = "a", .script = "echo a >>" + file + "; echo first; sleep " + pause + "; echo second",
                .merge_stderr = true, .must_succeed = true});
    script.add({.comment = "b", .script = "echo b >>" + file + "; echo third", .merge_stderr = true,
                .checkpoint = true});
    script.add({.comment = "c", .script = "echo c >>" + file});
    return script;
  }
};

}  // namespace

TEST_CASE("a script runs to its end whatever becomes of its connection, and nothing is heard twice") {
  // The connection ends before anything was heard, within the announcement, and at every place behind it.
  for (const std::size_t cut : {0, 5, 30, 60, 75, 90, 120, 150}) {
    CAPTURE(cut);
    Bench bench;
    bench.nodes.cuts = {cut, cut + 3};
    auto site = bench.site();
    std::vector<FramedJob> jobs{{"cu01", bench.stage()}};
    std::vector<std::size_t> ended;
    const auto results = run_detached(site, "run-1", std::move(jobs), "test", {},
                                      [&](const NodeId&, std::size_t frame, const Observed&) { ended.push_back(frame); });
    const auto& result = results.at("cu01");
    CHECK_MESSAGE(!result.error, result.error.value_or(Error{}).what);
    REQUIRE(result.frames.size() == 3);
    CHECK(result.frames.at(0).out == "first\nsecond\n");
    CHECK(result.frames.at(1).out == "third\n");
    CHECK(ended == std::vector<std::size_t>{0, 1, 2});
    CHECK(bench.witness() == "a\nb\nc\n");
  }
}

TEST_CASE("another head takes up what the first one left running") {
  Bench bench;
  auto site = bench.site();
  const auto script = bench.stage("3");
  // The first head starts it and is gone at once.
  const auto started = run_process({"env", "PODWRIGHT_RUNNERS=" + (bench.nodes.runners / "cu01").string(), "sh", "-s"},
                                   launch_script("run-1", script, 0, std::chrono::seconds(1)), Millis(20000));
  REQUIRE(started);
  CHECK(started->exit_status == static_cast<int>(RunnerExit::goes_on));
  const auto results = take_up_runners(site, "run-1", {{"cu01", script.marker()}}, "test");
  CHECK_FALSE(results.at("cu01").error);
  CHECK(results.at("cu01").frames.size() == 3);
  CHECK(bench.witness() == "a\nb\nc\n");
  // What is over can be read again, until it is swept up.
  CHECK(take_up_runners(site, "run-1", {{"cu01", script.marker()}}, "test").at("cu01").frames.size() == 3);
  sweep_runners(site, {"cu01"});
  CHECK(take_up_runners(site, "run-1", {{"cu01", script.marker()}}, "test").at("cu01").frames.empty());
}

TEST_CASE("a node at work takes no second script") {
  Bench bench;
  auto site = bench.site();
  FramedScript slow("test");
  slow.add({.comment = "slow", .script = "sleep 8"});
  const auto runners = "PODWRIGHT_RUNNERS=" + (bench.nodes.runners / "cu01").string();
  REQUIRE(run_process({"env", runners, "sh", "-s"}, launch_script("first", slow, 0, std::chrono::seconds(1)),
                      Millis(20000)));
  std::vector<FramedJob> jobs{{"cu01", bench.stage()}};
  const auto results = run_detached(site, "second", std::move(jobs), "test");
  REQUIRE(results.at("cu01").error);
  CHECK(results.at("cu01").error->what == "first is at work on this node");
  CHECK(bench.witness().empty());
  take_up_runners(site, "first", {{"cu01", slow.marker()}}, "test");
}

TEST_CASE("what a runner leaves is for root alone, and its script stands in no file") {
  Bench bench;
  FramedScript script("test");
  script.add({.comment = "secret", .script = "s='not-for-others'; echo ran"});
  REQUIRE(run_process({"env", "PODWRIGHT_RUNNERS=" + (bench.nodes.runners / "cu01").string(), "sh", "-s"},
                      launch_script("run-1", script, 0, std::chrono::seconds(5)), Millis(20000)));
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(bench.nodes.runners / "cu01")) {
    const auto all = entry.status().permissions();
    CHECK((all & (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none);
    if (!entry.is_regular_file()) continue;
    ++files;
    CHECK(read_file(entry.path()).value_or("").find("not-for-others") == std::string::npos);
  }
  CHECK(files > 3);
}

TEST_CASE("a stop lets the present step end and begins no other") {
  Bench bench;
  auto site = bench.site();
  std::vector<FramedJob> jobs{{"cu01", bench.stage()}};
  const auto results = run_detached(site, "run-1", std::move(jobs), "test", [&](const NodeId&, std::size_t) {});
  CHECK(results.at("cu01").frames.size() == 3);

  Bench halted;
  auto there = halted.site();
  const auto script = halted.stage("4");
  REQUIRE(run_process({"env", "PODWRIGHT_RUNNERS=" + (halted.nodes.runners / "cu01").string(), "sh", "-s"},
                      launch_script("run-1", script, 0, std::chrono::seconds(1)), Millis(20000)));
  halted.stop.request_stop();
  const auto cut = take_up_runners(there, "run-1", {{"cu01", script.marker()}}, "test");
  CHECK(cut.at("cu01").frames.size() == 2);
  CHECK(halted.witness() == "a\nb\n");
}
