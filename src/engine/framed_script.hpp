/// Many small scripts in one: each in a shell of its own with a deadline, its output between marker
/// lines that a node cannot guess. One execution on the node instead of one for each.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/registry.hpp"

namespace podwright {

/// One piece of a framed script.
struct Frame {
  std::string comment;  ///< for whoever reads the script: "package/chrony: chrony is not installed"
  std::string script;   ///< POSIX sh; its stdin is closed
  std::chrono::seconds deadline{10};
  bool merge_stderr = false;  ///< stderr into stdout, in order: for steps
  bool must_succeed = false;  ///< a non-zero exit ends the script at the next checkpoint
  std::string on_success{};   ///< a command of sh, run when the frame ended with 0
  bool checkpoint = false;    ///< behind this frame the script ends if one that had to succeed did not
};

class FramedScript {
 public:
  /// `title` heads the script; `marker` is random in real runs and given in tests.
  explicit FramedScript(std::string title, std::string marker = {});

  /// sh that runs once before the first frame: for variables that frames read.
  void setup(const std::string& script) { setup_ += script; }
  /// Returns the number of the frame, from 0.
  std::size_t add(Frame frame);
  [[nodiscard]] bool empty() const { return frames_.empty(); }
  [[nodiscard]] std::size_t size() const { return frames_.size(); }
  [[nodiscard]] const std::string& marker() const { return marker_; }
  /// The longest that the script may take: all deadlines and a little.
  [[nodiscard]] std::chrono::seconds deadline() const;
  [[nodiscard]] std::chrono::seconds deadline_of(std::size_t frame) const { return frames_.at(frame).deadline; }
  /// The script for `sh -s`. The shell reads it whole before it runs any of it, so that a connection
  /// lost midway runs nothing.
  [[nodiscard]] std::string text() const;

 private:
  std::string title_;
  std::string marker_;
  std::string setup_;
  std::vector<Frame> frames_;
};

/// Reads stdout of a framed script as it arrives. A frame keeps at most `most_bytes`.
class FrameReader {
 public:
  using Begin = std::function<void(std::size_t frame)>;
  using End = std::function<void(std::size_t frame, const Observed& observed)>;
  explicit FrameReader(std::string marker, Begin begin = {}, End end = {},
                       std::size_t most_bytes = 4U << 20U);

  void feed(std::string_view bytes);
  /// stderr of the whole script, once it is complete: shared out to the frames.
  void feed_stderr(std::string_view bytes);
  /// Frames that ended, by number. One that never ended is absent.
  [[nodiscard]] const std::map<std::size_t, Observed>& frames() const { return frames_; }
  /// The frame that began and has not ended.
  [[nodiscard]] std::optional<std::size_t> open_frame() const { return open_; }
  /// What that frame has printed so far.
  [[nodiscard]] const std::string& open_output() const { return text_; }

 private:
  void take_line(std::string_view line, bool complete);
  void append(std::string_view bytes);

  std::string marker_;
  Begin begin_;
  End end_;
  std::size_t most_bytes_;
  std::map<std::size_t, Observed> frames_;
  std::optional<std::size_t> open_;
  std::string line_;   ///< the line that has no end yet
  bool spilled_ = false;  ///< the current line is already being passed on: too long for a marker
  std::string text_;   ///< of the open frame
};

}  // namespace podwright
