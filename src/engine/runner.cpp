#include "engine/runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/runner_files.hpp"

namespace podwright {

namespace {

using Clock = std::chrono::steady_clock;

/// One request follows a runner for so long, then the next one does: a connection that died silently is
/// noticed, and a lost node is looked for again while the others go on.
constexpr std::chrono::seconds slice_of_all_well{60};
constexpr std::chrono::seconds slice_while_one_is_lost{5};
/// What a request may take beyond its slice: starting the runner on a busy node.
constexpr Millis grace{60000};
/// A node that cannot be found again for so long is given up; its runner goes on there.
constexpr std::chrono::seconds lost_for{90};
/// What cannot be read in so many attempts is gone (somebody cut the file).
constexpr int most_short_reads = 5;
/// After a stop: the step that runs is waited for as long as its deadline, and this.
constexpr std::chrono::seconds halt_grace{15};

constexpr std::string_view sweep_function = R"sh(
sweep() { # all that has ended
  for base in $bases; do
    for folder in "$base"/*/; do
      [ -d "$folder" ] || continue
      alive "${folder%/}" || rm -rf "$folder"
    done
  done
}
)sh";

/// What every script here begins with.
std::string functions() {
  return fmt::format("export LC_ALL=C\numask 077\n{}{}", runner_functions, sweep_function);
}

/// tail waits for what comes without looking all the time, and ends with the runner; busybox has no
/// --pid, and is asked every second.
constexpr std::string_view follow = R"sh(
follow() { # FOLDER
  printf '\n%s follows\n' "$marker"
  alive "$1" || { tail -c "+$((from + 1))" "$1/out"; return; }
  if command -v timeout >/dev/null 2>&1 && tail --pid=$$ --version >/dev/null 2>&1; then
    timeout "$slice" tail -c "+$((from + 1))" -s 0.2 --pid="$pid" -f "$1/out" 2>/dev/null
    return
  fi
  while :; do
    goes_on=; ! alive "$1" || goes_on=yes
    size=$(($(wc -c <"$1/out")))
    if [ "$size" -gt "$from" ]; then
      tail -c "+$((from + 1))" "$1/out" | head -c "$((size - from))"
      from=$size
    fi
    [ -n "$goes_on" ] && [ "$slice" -gt 0 ] || return
    slice=$((slice - 1))
    sleep 1
  done
}
find_folder() { # of our runner, and not of another one with its name
  folder=
  for base in $bases; do
    { read -r mark <"$base/$id/marker"; } 2>/dev/null || continue
    [ "$mark" != "$marker" ] || folder=$base/$id
  done
}
tell() { # FOLDER
  follow "$1"
  ! alive "$1" || exit 75
  tail -c 4096 "$1/err" >&2 2>/dev/null
  { read -r status <"$1/status"; } 2>/dev/null || status=died
  printf '\npodwright-runner %s %s\n' "$status" "$(($(wc -c <"$1/out")))" >&2
  exit 0
}
)sh";

/// The folder is made and tried before the script starts: on a full disk its output would be lost. The
/// shell's name in the process list is podwright's; nothing of the script is in there.
constexpr std::string_view prepare = R"sh(
if command -v flock >/dev/null 2>&1; then
  # In a subshell first: an exec that cannot open its file ends the shell.
  for base in $bases; do
    (mkdir -p "$base" && exec 9>"$base/.lock") 2>/dev/null && exec 9>"$base/.lock" && break
  done
  flock -w 30 9 2>/dev/null
fi
find_folder
[ -z "$folder" ] || { exec 9>&-; tell "$folder"; }
other=$(runner_at_work)
[ -z "$other" ] || { printf '\npodwright-runner busy %s\n' "$other" >&2; exit 76; }
sweep
for base in $bases; do
  folder=$base/$id
  { mkdir -p "$base" && chmod 700 "$base" && mkdir "$folder" && printf '' >"$folder/out" && printf '' >"$folder/err" &&
    printf '%s\n' "$marker" >"$folder/marker" && [ -s "$folder/marker" ]; } 2>/dev/null && break
  rm -rf "$folder"
  folder=
done
[ -n "$folder" ] || { echo "no folder for the runner's output can be made in $bases: is the disk full?" >&2; exit 1; }
setsid=$(command -v setsid) || { setsid=; trap '' HUP; }
PODWRIGHT_RUNNER=$folder $setsid sh -c 'sh -s >>"$1/out" 2>>"$1/err"; echo $? >"$1/status"' podwright "$folder" \
  >/dev/null 2>&1 9>&- )sh";

constexpr std::string_view started = R"sh(
born $!
read -r boot </proc/sys/kernel/random/boot_id
printf '%s %s %s\n' "$!" "$born" "$boot" >"$folder/pid"
exec 9>&-
tell "$folder"
)sh";

std::string variables(const std::string& id, const std::string& marker, std::size_t from,
                      std::chrono::seconds slice) {
  return sh::assign("id", id) + sh::assign("marker", marker) +
         fmt::format("from={}\nslice={}\n", from, slice.count());
}

/// What launch_script and follow_script say last on stderr: "podwright-runner 0 1234".
struct LastWords {
  std::string status;
  std::string detail;
};
std::optional<LastWords> last_words(std::string_view err) {
  std::optional<LastWords> found;
  for (const auto line : lines(err)) {
    const auto parts = words(line);
    if (parts.size() == 3 && parts[0] == "podwright-runner") {
      found = LastWords{std::string(parts[1]), std::string(parts[2])};
    }
  }
  return found;
}

/// A runner as the head knows it.
struct Followed {
  Followed(std::string marker_, FrameReader reader_) : marker(std::move(marker_)), reader(std::move(reader_)) {}

  std::string marker;
  const FramedScript* stage = nullptr;  ///< what starts it; null: it was started by somebody else
  FrameReader reader;
  bool started = false;       ///< the node has said that it follows the runner
  std::size_t received = 0;   ///< bytes of its output
  std::string head;           ///< of the present request's stdout, until the output itself begins
  bool flows = false;
  bool done = false;
  int short_reads = 0;        ///< it had ended, and not all of its output came
  std::optional<Clock::time_point> lost_since{};
  int attempts = 0;
  Clock::time_point next_try = Clock::now();
  Clock::time_point give_up = Clock::time_point::max();  ///< all its steps' deadlines have passed
  std::optional<Error> error{};
  std::string err;

  void request_begins() {
    head.clear();
    flows = false;
  }

  /// Output begins behind a line that no profile of a shell prints.
  void take(std::string_view bytes) {
    if (!flows) {
      head += bytes;
      const auto sign = "\n" + marker + " follows\n";
      const auto at = ("\n" + head).find(sign);
      if (at == std::string::npos) {
        if (head.size() > (1U << 16U)) head.erase(0, head.size() - 1024);
        return;
      }
      flows = true;
      started = true;
      lost_since.reset();
      attempts = 0;
      const auto rest = head.substr(at + sign.size() - 1);
      head.clear();
      received += rest.size();
      reader.feed(rest);
      return;
    }
    received += bytes.size();
    reader.feed(bytes);
  }
};

class RunnerWatch : public TransportObserver {
 public:
  RunnerWatch(Site& site, std::string phase, std::map<NodeId, Followed>& all)
      : site_(site), phase_(std::move(phase)), all_(all) {
    site_.events.emit(events::PhaseStarted{phase_, all_.size()});
  }
  void on_connected(const NodeId& node) override { site_.events.emit(events::NodeConnected{node}); }
  void on_output(const NodeId& node, std::string_view bytes) override { all_.at(node).take(bytes); }

  void done(const NodeId& node) {
    const auto& error = all_.at(node).error;
    if (error) {
      ++failed_;
      site_.events.emit(events::NodeFailed{node, *error});
    }
    site_.events.emit(events::Progress{phase_, ++done_, all_.size(), node});
  }
  void finish() {
    site_.events.emit(events::PhaseFinished{
        phase_, failed_ == 0, std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun_)});
  }

 private:
  Site& site_;
  std::string phase_;
  std::map<NodeId, Followed>& all_;
  std::size_t done_ = 0;
  std::size_t failed_ = 0;
  Clock::time_point begun_ = Clock::now();
};

/// Follows runners until each has ended or is given up.
class Pursuit {
 public:
  Pursuit(Site& site, std::string id, const std::string& phase, std::map<NodeId, Followed>& all)
      : site_(site), id_(std::move(id)), all_(all), watch_(site, phase, all) {}

  void run() {
    while (std::ranges::any_of(all_, [](const auto& each) { return !each.second.done; })) {
      if (site_.stop.stop_requested() && !halting_) halt();
      const auto requests = next_requests();
      if (requests.empty()) {
        std::this_thread::sleep_for(Millis(100));
        continue;
      }
      const auto begun = Clock::now();
      // After a stop the runners are followed to their halt, which needs a transport that goes on.
      const auto replies = site_.transport.run(requests, &watch_, halting_ ? std::stop_token{} : site_.stop);
      bool all_go_on = true;
      for (const auto& [node, reply] : replies) {
        judge(node, reply);
        all_go_on = all_go_on && !all_.at(node).done && !all_.at(node).lost_since;
      }
      // A node whose tail ends at once must not be asked all the time.
      if (all_go_on && Clock::now() - begun < std::chrono::seconds(1)) {
        for (auto& [node, one] : all_) one.next_try = Clock::now() + std::chrono::seconds(1);
      }
    }
    watch_.finish();
  }

 private:
  std::vector<Request> next_requests() {
    const bool one_is_lost =
        std::ranges::any_of(all_, [](const auto& each) { return !each.second.done && each.second.lost_since; });
    const auto slice = one_is_lost ? slice_while_one_is_lost : slice_of_all_well;
    const auto now = Clock::now();
    std::vector<Request> requests;
    for (auto& [node, one] : all_) {
      if (one.done || one.next_try > now) continue;
      one.request_begins();
      // Whether a start that was cut off has started anything is for the node to say: the runner's name
      // and marker keep it from starting twice.
      const bool start = !one.started && one.stage != nullptr && !halting_;
      requests.push_back(
          {.node = node,
           .command = "sh -s",
           .input = start ? launch_script(id_, *one.stage, one.received, slice)
                          : follow_script(id_, one.marker, one.received, slice, halting_),
           .deadline = Millis(slice) + grace,
           .max_output = 1U << 16U});  // stdout is read as it streams
    }
    return requests;
  }

  void end(const NodeId& node, std::optional<Error> error = {}) {
    auto& one = all_.at(node);
    one.done = true;
    if (error) {
      error->node = node;
      one.error = std::move(error);
    }
    watch_.done(node);
  }

  void judge(const NodeId& node, const Result<Reply>& reply) {
    auto& one = all_.at(node);
    if (!reply) return lost(node, reply.error());
    const auto said = last_words(reply->err);
    if (reply->exit_status == static_cast<int>(RunnerExit::goes_on) && one.flows) {
      if (Clock::now() < one.give_up) return;
      return end(node, Error{.fault = Fault::timeout,
                             .what = "its script goes on after the deadlines of all its steps",
                             .hint = "log in and see what it does; `podwright apply --resume` takes it up"});
    }
    if (reply->exit_status == static_cast<int>(RunnerExit::ended) && one.flows && said) {
      one.err = reply->err;
      // tail may have ended a moment before the last bytes came.
      const auto size = to_int(said->detail);
      if (size && static_cast<std::size_t>(*size) > one.received && ++one.short_reads < most_short_reads) return;
      if (said->status == "died") {
        end(node, Error{.fault = Fault::remote,
                        .what = "the script was cut off on the node: did it reboot, or lose its power?",
                        .hint = "`podwright apply --resume` looks at what was done, and goes on"});
      } else {
        end(node);
      }
      return;
    }
    if (reply->exit_status == static_cast<int>(RunnerExit::busy) && said) {
      return end(node, Error{.fault = Fault::remote,
                             .what = fmt::format("{} is at work on this node", clean_output(said->detail)),
                             .hint = "wait until it has ended, or take it up: `podwright apply --resume`"});
    }
    if (reply->exit_status == static_cast<int>(RunnerExit::none) && said) {
      if (halting_ && one.stage != nullptr) {
        return end(node, Error{.fault = Fault::cancelled, .what = "interrupted before its script was started"});
      }
      if (one.stage == nullptr && !one.started) return end(node);
      return end(node, Error{.fault = Fault::remote,
                             .what = "its script, and what it said, are gone",
                             .hint = "`podwright apply --resume` looks at what was done, and goes on"});
    }
    const auto complaint = clean_output(trim(reply->err.empty() ? reply->out : reply->err));
    end(node, Error{.fault = Fault::remote,
                    .what = fmt::format("the shell did not run the script (exit status {}){}",
                                        reply->exit_status,
                                        complaint.empty() ? "" : ": " + complaint.substr(0, 300)),
                    .hint = "the login shell must start `sh -s`; try `podwright doctor -n " + node + "`"});
  }

  void lost(const NodeId& node, const Error& error) {
    auto& one = all_.at(node);
    if (error.fault == Fault::cancelled) return;  // halt() deals with it
    // A node that was never reached, or refuses the login, is no lost one.
    const bool in_flight = one.started || one.stage == nullptr || may_have_started(error);
    const bool retry = error.fault == Fault::unreachable || error.fault == Fault::timeout ||
                       (one.lost_since && error.fault == Fault::remote);
    if (!retry || !in_flight) {
      if (one.lost_since) return end(node, still_lost(error));
      return end(node, error);
    }
    const auto now = Clock::now();
    if (!one.lost_since) {
      one.lost_since = now;
      one.attempts = 0;
      site_.events.warn(fmt::format("{}: {}; its script goes on there, connecting again", node, error.what));
    }
    if (now - *one.lost_since > lost_for || now > one.give_up) return end(node, still_lost(error));
    one.next_try = now + std::chrono::seconds(std::min(1 << std::min(one.attempts++, 4), 15));
  }

  /// The transport says so of a command that may have reached the node.
  static bool may_have_started(const Error& error) {
    return error.what.find("while the command was running") != std::string::npos ||
           error.fault == Fault::timeout;
  }

  static Error still_lost(const Error& error) {
    return {.fault = Fault::unreachable,
            .what = fmt::format("the connection was lost while its script was running, and it was not "
                                "found again within {} s: {}",
                                lost_for.count(), error.what),
            .hint = "what was started goes on there; `podwright apply --resume` takes it up"};
  }

  /// The operator wants to stop: what runs is finished, nothing more is begun.
  void halt() {
    halting_ = true;
    for (auto& [node, one] : all_) {
      if (one.done) continue;
      one.next_try = Clock::now();
      if (const auto frame = one.reader.open_frame(); frame && one.stage != nullptr) {
        one.give_up = std::min(one.give_up, Clock::now() + one.stage->deadline_of(*frame) + halt_grace);
      } else {
        one.give_up = std::min(one.give_up, Clock::now() + halt_grace + std::chrono::seconds(45));
      }
      if (one.lost_since) end(node, still_lost({.what = "stopped by the operator"}));
    }
  }

  Site& site_;
  std::string id_;
  std::map<NodeId, Followed>& all_;
  RunnerWatch watch_;
  bool halting_ = false;
};

Followed followed(const NodeId& node, const std::string& marker, const OnFrameBegin& begin,
                  const OnFrameEnd& end) {
  FrameReader::Begin on_begin;
  FrameReader::End on_end;
  if (begin) on_begin = [&begin, node](std::size_t frame) { begin(node, frame); };
  if (end) {
    on_end = [&end, node](std::size_t frame, const Observed& seen) { end(node, frame, seen); };
  }
  return {marker, FrameReader(marker, std::move(on_begin), std::move(on_end))};
}

std::map<NodeId, FramedResult> results_of(std::map<NodeId, Followed>& all) {
  std::map<NodeId, FramedResult> results;
  for (auto& [node, one] : all) {
    one.reader.feed_stderr(one.err);
    auto& result = results[node];
    result.frames = one.reader.frames();
    result.unfinished = one.reader.open_frame();
    result.unfinished_output = clean_output(one.reader.open_output());
    result.error = std::move(one.error);
  }
  return results;
}

}  // namespace

std::string launch_script(const std::string& id, const FramedScript& stage, std::size_t from,
                          std::chrono::seconds slice) {
  // In braces, so that the shell runs nothing before it has read all of it.
  return fmt::format("# podwright: starts the script below as a process of its own, and follows it\n{{\n{}{}{}{}"
                     "<<'{}-stage' &\n{}{}-stage\n{}}}\n",
                     variables(id, stage.marker(), from, slice), functions(), follow, prepare, stage.marker(),
                     stage.text(), stage.marker(), started);
}

std::string follow_script(const std::string& id, const std::string& marker, std::size_t from,
                          std::chrono::seconds slice, bool halt) {
  return fmt::format("# podwright: follows a script that was started before\n{{\n{}{}{}{}"
                     "tell \"$folder\"\n}}\n",
                     variables(id, marker, from, slice), functions(), follow,
                     std::string("find_folder\n") +
                         // The start that was interrupted may still be on its way.
                         (halt ? "[ -n \"$folder\" ] || { sleep 1; find_folder; }\n" : "") +
                         std::string("[ -n \"$folder\" ] || { printf '\\npodwright-runner none 0\\n' >&2; exit 77; }\n") +
                         (halt ? "printf '' >\"$folder/halt\"\n" : ""));
}

std::map<NodeId, FramedResult> run_detached(Site& site, const std::string& id, std::vector<FramedJob> jobs,
                                            const std::string& phase, OnFrameBegin begin, OnFrameEnd end) {
  std::map<NodeId, Followed> all;
  for (const auto& job : jobs) {
    const auto [one, added] = all.try_emplace(job.node, followed(job.node, job.script.marker(), begin, end));
    if (!added) throw std::logic_error("run_detached: two jobs for " + job.node);
    one->second.stage = &job.script;
    one->second.give_up = Clock::now() + job.script.deadline() + lost_for;
  }
  Pursuit(site, id, phase, all).run();
  return results_of(all);
}

std::map<NodeId, FramedResult> take_up_runners(Site& site, const std::string& id,
                                               const std::vector<LostRunner>& runners,
                                               const std::string& phase, OnFrameBegin begin, OnFrameEnd end) {
  std::map<NodeId, Followed> all;
  for (const auto& runner : runners) {
    all.try_emplace(runner.node, followed(runner.node, runner.marker, begin, end));
  }
  Pursuit(site, id, phase, all).run();
  return results_of(all);
}

void sweep_runners(Site& site, const std::vector<NodeId>& nodes) {
  std::vector<Request> requests;
  for (const auto& node : nodes) {
    requests.push_back({.node = node, .input = "{\n" + functions() + "sweep\n}\n"});
  }
  if (!requests.empty()) site.transport.run(requests, nullptr, std::stop_token{});
}

}  // namespace podwright
