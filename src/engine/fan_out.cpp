#include "engine/fan_out.hpp"

#include <fmt/format.h>

#include <memory>

#include "base/text.hpp"

namespace podwright {

namespace {

/// Passes what the transport reports on to the event stream and to each node's frame reader.
class Watcher : public TransportObserver {
 public:
  Watcher(events::Bus& bus, std::string phase, std::size_t total)
      : bus_(bus), phase_(std::move(phase)), total_(total) {
    if (!phase_.empty()) bus_.emit(events::PhaseStarted{phase_, total_});
  }

  void read_frames(const NodeId& node, FrameReader* reader) { readers_[node] = reader; }

  void on_connected(const NodeId& node) override { bus_.emit(events::NodeConnected{node}); }

  void on_output(const NodeId& node, std::string_view bytes) override {
    if (const auto found = readers_.find(node); found != readers_.end()) found->second->feed(bytes);
  }

  void on_done(const NodeId& node, const Result<Reply>& reply) override {
    ++done_;
    if (!reply) {
      ++failed_;
      bus_.emit(events::NodeFailed{node, reply.error()});
    }
    if (!phase_.empty()) bus_.emit(events::Progress{phase_, done_, total_, node});
  }

  void finish() {
    if (phase_.empty()) return;
    bus_.emit(events::PhaseFinished{phase_, failed_ == 0,
                                    std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::steady_clock::now() - begun_)});
  }

 private:
  events::Bus& bus_;
  std::string phase_;
  std::size_t total_;
  std::size_t done_ = 0;
  std::size_t failed_ = 0;
  std::map<NodeId, FrameReader*> readers_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace

std::map<NodeId, FramedResult> run_framed(Site& site, const std::vector<FramedJob>& jobs,
                                          const std::string& phase, OnFrameBegin begin,
                                          OnFrameEnd end) {
  std::map<NodeId, FrameReader> readers;
  std::vector<Request> requests;
  Watcher watcher(site.events, phase, jobs.size());
  for (const auto& job : jobs) {
    const NodeId node = job.node;
    FrameReader::Begin on_begin;
    FrameReader::End on_end;
    if (begin) on_begin = [&begin, node](std::size_t frame) { begin(node, frame); };
    if (end) {
      on_end = [&end, node](std::size_t frame, const Observed& seen) { end(node, frame, seen); };
    }
    const auto [reader, added] =
        readers.try_emplace(node, job.script.marker(), std::move(on_begin), std::move(on_end));
    if (!added) throw std::logic_error("run_framed: two jobs for " + node);
    watcher.read_frames(node, &reader->second);
    requests.push_back({.node = node,
                        .command = "sh -s",
                        .input = job.script.text(),
                        .deadline = job.script.deadline(),
                        // stdout is read as it streams; only stderr has to be kept.
                        .max_output = 1U << 20U});
  }

  auto replies = site.transport.run(requests, &watcher, site.stop);

  std::map<NodeId, FramedResult> results;
  for (const auto& job : jobs) {
    auto& reader = readers.at(job.node);
    auto& result = results[job.node];
    const auto& reply = replies.at(job.node);
    if (reply) reader.feed_stderr(reply->err);
    result.frames = reader.frames();
    result.unfinished = reader.open_frame();
    result.unfinished_output = clean_output(reader.open_output());
    if (!reply) {
      result.error = reply.error();
      result.error->node = job.node;
    } else if (result.frames.empty() && !job.script.empty()) {
      const auto said = clean_output(trim(reply->err.empty() ? reply->out : reply->err));
      result.error = Error{
          .fault = Fault::remote,
          .what = fmt::format("the shell did not run the script (exit status {}){}",
                              reply->exit_status, said.empty() ? "" : ": " + said.substr(0, 300)),
          .node = job.node,
          .hint = "the login shell must start `sh -s`; try `podwright doctor -n " + job.node + "`"};
    }
  }
  watcher.finish();
  return results;
}

std::map<NodeId, Result<Reply>> run_requests(Site& site, const std::vector<Request>& requests, const std::string& phase) {
  Watcher watcher(site.events, phase, requests.size());
  auto replies = site.transport.run(requests, &watcher, site.stop);
  for (auto& [node, reply] : replies) {
    if (!reply) reply.error().node = node;
  }
  watcher.finish();
  return replies;
}

std::map<NodeId, Result<Reply>> run_everywhere(Site& site, const std::string& command,
                                               const std::string& phase, Millis deadline,
                                               bool become) {
  std::vector<Request> requests;
  for (const auto& node : site.nodes) {
    requests.push_back({.node = node, .command = command, .deadline = deadline, .become = become});
  }
  return run_requests(site, requests, phase);
}

std::vector<std::string> describe_failures(const std::map<NodeId, Error>& failures) {
  std::vector<std::string> texts;
  for (const auto& [node, error] : failures) texts.push_back(fmt::format("{}: {}", node, error.what));
  return texts;
}

}  // namespace podwright
