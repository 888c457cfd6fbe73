/// Everything that is seen to happen, as one stream: progress on a terminal, plain lines and the
/// journal are sinks of it.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace podwright::events {

/// A verb begins or ends.
struct RunStarted { std::string verb; std::string run; std::string directory; };
struct RunFinished { std::string verb; std::string run; bool ok = true; int exit_code = 0; };
/// A part of a run: "facts", "apply stage 2 of 4", "validate round 3".
/// total: items to come; items: their names where they are known, for "still waiting for cu07".
struct PhaseStarted { std::string phase; std::size_t total = 0; std::vector<std::string> items{}; };
struct PhaseFinished { std::string phase; bool ok = true; std::chrono::milliseconds elapsed{0}; };
/// An item of the phase (a node, a pair) is done; moves the bar.
struct Progress { std::string phase; std::size_t done = 0; std::size_t total = 0; std::string item; };
struct NodeConnected { NodeId node; };
struct NodeFailed { NodeId node; Error error; };
struct StepStarted { NodeId node; std::string step; std::string action; };
struct StepFinished { NodeId node; std::string step; bool ok = true; int exit_status = 0;
                      std::string output; std::chrono::milliseconds elapsed{0}; };
/// A sentence for the operator.
struct Note { enum class Level { debug, info, warning, error } level = Level::info; std::string text; };

using Event = std::variant<RunStarted, RunFinished, PhaseStarted, PhaseFinished, Progress,
                           NodeConnected, NodeFailed, StepStarted, StepFinished, Note>;

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void on_event(const Event& event, std::chrono::system_clock::time_point when) = 0;
};

/// Hands each event to every sink, in order. Events of several threads (a signal's watcher, say) queue up.
class Bus {
 public:
  void attach(std::shared_ptr<Sink> sink) {
    const std::scoped_lock lock(mutex_);
    sinks_.push_back(std::move(sink));
  }
  void emit(const Event& event);

  void info(std::string text) { emit(Note{Note::Level::info, std::move(text)}); }
  void warn(std::string text) { emit(Note{Note::Level::warning, std::move(text)}); }
  void debug(std::string text) { emit(Note{Note::Level::debug, std::move(text)}); }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Sink>> sinks_;
};

}  // namespace podwright::events
