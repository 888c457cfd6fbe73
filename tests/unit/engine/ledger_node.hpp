/// A folder of this machine in the part of a node: steps are run and recorded there, and taken back.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/text.hpp"
#include "base/files.hpp"
#include "base/process.hpp"
#include "base/shell.hpp"
#include "engine/undo.hpp"

namespace podwright::test {

class LedgerNode {
 public:
  /// `shell` runs the frames: "sh", "busybox sh".
  explicit LedgerNode(std::string shell = "sh")
      : shell_(std::move(shell)),
        folder_(std::filesystem::temp_directory_path() /
                ("podwright-ledger-" + std::to_string(getpid()) + "-" + random_hex(4))) {
    std::filesystem::create_directories(folder_ / "root");
  }
  ~LedgerNode() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  LedgerNode(const LedgerNode&) = delete;
  LedgerNode& operator=(const LedgerNode&) = delete;

  [[nodiscard]] std::string ledger() const { return (folder_ / "lib/ledger").string(); }
  /// A path of the node: everything outside the ledger is below it.
  [[nodiscard]] std::string at(const std::string& name) const {
    return (folder_ / "root" / name).string();
  }

  /// sh on the node, behind podwright's back; its output.
  std::string sh(const std::string& script) const {
    const auto output = run_process({"sh", "-s"}, "cd " + at("") + " || exit\n" + script, Millis(60000));
    REQUIRE(output);
    CHECK_MESSAGE(output->exit_status == 0, output->err);
    return output->out;
  }

  std::map<std::size_t, Observed> run(const FramedScript& script) const {
    auto text = script.text();
    for (std::size_t at = 0; shell_ != "sh" && (at = text.find(" sh -s", at)) != std::string::npos;) {
      text.replace(at, 6, " " + shell_ + " -s");
      at += shell_.size() + 4;
    }
    FrameReader reader(script.marker());
    const auto output = run_process({"sh", "-s"}, text, Millis(60000));
    REQUIRE(output);
    reader.feed(output->out);
    reader.feed_stderr(output->err);
    return reader.frames();
  }

  /// The steps as one frame of a stage, recorded; what it printed.
  Observed step(const std::vector<LedgerStep>& steps, const std::string& script) const {
    FramedScript stage("test");
    stage.setup(ledger_setup(ledger()));
    stage.add({.comment = "step", .script = recorded(steps, "run-1", script),
               .deadline = std::chrono::seconds(30), .merge_stderr = true});
    const auto frames = run(stage);
    REQUIRE(frames.contains(0));
    return frames.at(0);
  }
  Observed step(const Step& one, const std::string& component = "part/one") const {
    return step({{one, component}}, one.script);
  }

  [[nodiscard]] std::vector<LedgerEntry> entries() const {
    FramedScript listing("test");
    listing.setup(ledger_setup(ledger()));
    listing.add({.comment = "list", .script = ledger_listing(), .deadline = std::chrono::seconds(30)});
    const auto frames = run(listing);
    REQUIRE(frames.contains(0));
    CHECK(frames.at(0).err == "");
    const auto parsed = parse_ledger(frames.at(0).out);
    REQUIRE_MESSAGE(parsed, frames.at(0).out);
    return *parsed;
  }

  NodeUndone undo(const UndoOptions& options = {}) const {
    const auto work = plan_undo(entries(), options);
    const auto script = undo_script("node", work, ledger());
    return undone(work, script, run(script.script));
  }

  /// Everything there is: path, type, owner, mode and content or target.
  [[nodiscard]] std::string manifest() const {
    return sh("find . -printf '%p %y %U:%G %m %l\\n' | sort; find . -type f | sort | xargs -r -d '\\n' sha256sum");
  }
  [[nodiscard]] bool has_ledger() const { return std::filesystem::exists(folder_ / "lib"); }

 private:
  std::string shell_;
  std::filesystem::path folder_;
};

}  // namespace podwright::test
