#include "engine/framed_script.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace podwright {

namespace {

/// A line longer than this cannot be a marker; it is passed on in pieces instead of being kept.
constexpr std::size_t longest_line = 4096;

/// `timeout` is in coreutils and busybox: it ends the frame's whole process group. Where it is missing,
/// a watchdog does, and a frame has a group of its own where there is setsid.
///
/// A runner (engine/runner.hpp) that is asked to halt does so between steps.
constexpr std::string_view prologue = R"sh(export LC_ALL=C LANG=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PODWRIGHT_ARTIFACTS=/var/lib/podwright/artifacts
umask 022
if timeout -k 1 1 true 2>/dev/null; then limit() { timeout -k 5 "$@"; }
elif command -v timeout >/dev/null 2>&1; then limit() { timeout "$@"; }
else limit() {
  seconds=$1
  shift
  exec 3<&0
  setsid=$(command -v setsid) || setsid=
  $setsid "$@" <&3 3<&- &
  worker=$!
  (
    trap 'kill $! 2>/dev/null; exit 0' TERM
    sleep "$seconds" & wait
    trap '' TERM
    kill -TERM "-$worker" 2>/dev/null || kill -TERM "$worker"
    sleep 2
    kill -KILL "-$worker" 2>/dev/null || kill -KILL "$worker"
    exit 9
  ) >/dev/null 2>&1 3<&- &
  watchdog=$!
  exec 3<&-
  wait "$worker"
  result=$?
  kill -TERM "$watchdog" 2>/dev/null
  wait "$watchdog"
  [ $? != 9 ] || result=124
  return "$result"
}
fi
begin() { printf '\n%s begin %s\n' "$marker" "$1"; printf '\n%s begin %s\n' "$marker" "$1" >&2; }
end() { printf '\n%s end %s %s\n' "$marker" "$1" "$2"; }
go_on() { [ $failed = 0 ] && [ ! -e "${PODWRIGHT_RUNNER:-/nowhere}/halt" ]; }
)sh";

}  // namespace

FramedScript::FramedScript(std::string title, std::string marker)
    : title_(std::move(title)),
      marker_(marker.empty() ? "podwright-" + random_hex(8) : std::move(marker)) {}

std::size_t FramedScript::add(Frame frame) {
  frames_.push_back(std::move(frame));
  return frames_.size() - 1;
}

std::chrono::seconds FramedScript::deadline() const {
  std::chrono::seconds total{15};
  for (const auto& frame : frames_) total += frame.deadline + std::chrono::seconds(1);
  return total;
}

std::string FramedScript::text() const {
  // The braces make the shell read all of it first. Each frame is a shell of its own, fed from a
  // here-document: quoting needs no thought, and `exit` in a frame ends just that frame.
  std::string text = fmt::format("# podwright: {}\n{{\nmarker={}\nfailed=0\n{}", title_, marker_, prologue);
  text += setup_;
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    const auto& frame = frames_[i];
    std::string comment = frame.comment;
    std::ranges::replace(comment, '\n', ' ');
    text += fmt::format("\n# {}\nbegin {}\nlimit {} sh -s{} <<'{}-{}'\n{{ :\n{}", comment, i,
                        frame.deadline.count(), frame.merge_stderr ? " 2>&1" : "", marker_, i,
                        frame.script);
    if (!frame.script.ends_with('\n')) text += '\n';
    text += fmt::format("}} </dev/null\n{0}-{1}\nstatus=$?; end {1} $status\n", marker_, i);
    if (!frame.on_success.empty()) text += fmt::format("[ $status != 0 ] || {}\n", frame.on_success);
    if (frame.must_succeed) text += "[ $status = 0 ] || failed=1\n";
    if (frame.checkpoint) text += "go_on || exit 0\n";
  }
  return text + "exit 0\n}\n";
}

FrameReader::FrameReader(std::string marker, Begin begin, End end, std::size_t most_bytes)
    : marker_(std::move(marker)), begin_(std::move(begin)), end_(std::move(end)),
      most_bytes_(most_bytes) {}

void FrameReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto newline = bytes.find('\n');
    if (newline == std::string_view::npos) {
      line_ += bytes;
      if (spilled_ || line_.size() > longest_line) {
        append(line_);
        line_.clear();
        spilled_ = true;
      }
      return;
    }
    line_ += bytes.substr(0, newline);
    bytes.remove_prefix(newline + 1);
    if (spilled_) {
      append(line_);
      append("\n");
    } else {
      take_line(line_, true);
    }
    spilled_ = false;
    line_.clear();
  }
}

void FrameReader::append(std::string_view bytes) {
  if (!open_ || text_.size() >= most_bytes_) return;
  text_ += bytes.substr(0, most_bytes_ - text_.size());
}

void FrameReader::take_line(std::string_view line, bool complete) {
  if (line.starts_with(marker_)) {
    const auto parts = words(line.substr(marker_.size()));
    if (parts.size() == 2 && parts[0] == "begin") {
      if (const auto number = to_int(parts[1]); number && *number >= 0) {
        open_ = static_cast<std::size_t>(*number);
        text_.clear();
        if (begin_) begin_(*open_);
        return;
      }
    }
    if (parts.size() == 3 && parts[0] == "end" && open_) {
      const auto number = to_int(parts[1]);
      const auto status = to_int(parts[2]);
      if (number && status && static_cast<std::size_t>(*number) == *open_) {
        // The marker is printed on a line of its own, after a newline that is not the frame's.
        if (text_.ends_with('\n')) text_.pop_back();
        Observed observed{.exit_status = static_cast<int>(*status), .out = clean_output(text_)};
        observed.timed_out = *status == 124 || *status == 137;
        const auto frame = *open_;
        open_.reset();
        text_.clear();
        const auto& stored = frames_[frame] = std::move(observed);
        if (end_) end_(frame, stored);
        return;
      }
    }
  }
  append(line);
  if (complete) append("\n");
}

void FrameReader::feed_stderr(std::string_view bytes) {
  std::optional<std::size_t> frame;
  std::map<std::size_t, std::string> texts;
  for (const auto line : lines(bytes)) {
    if (line.starts_with(marker_)) {
      const auto parts = words(line.substr(marker_.size()));
      const auto number = parts.size() == 2 ? to_int(parts[1]) : std::nullopt;
      if (number && *number >= 0) {
        frame = static_cast<std::size_t>(*number);
        continue;
      }
    }
    if (frame && texts[*frame].size() < most_bytes_) (texts[*frame] += line) += '\n';
  }
  for (auto& [number, text] : texts) {
    // A blank line stands before the next frame's marker.
    if (text.ends_with("\n\n")) text.pop_back();
    if (text == "\n") text.clear();
    if (const auto found = frames_.find(number); found != frames_.end()) {
      found->second.err = clean_output(text);
    }
  }
}

}  // namespace podwright
