/// One epoll loop for everything that transport waits for. Single-threaded: what watches and what
/// is called back live on the thread that calls wait(); only wake() may be called from elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/clock.hpp"

namespace podwright {

using SteadyTime = std::chrono::steady_clock::time_point;

/// The time that deadlines are measured with. It stands still while an operator is typing a
/// password: no node is to blame for that.
class DeadlineClock {
 public:
  [[nodiscard]] SteadyTime now() const { return std::chrono::steady_clock::now() - paused_; }
  void skip(std::chrono::steady_clock::duration pause) { paused_ += pause; }

 private:
  std::chrono::steady_clock::duration paused_{0};
};

class FdHandler {
 public:
  virtual ~FdHandler() = default;
  /// `events` are epoll's bits.
  virtual void on_events(std::uint32_t events) = 0;
};

class Watch;

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Waits at most `timeout` and calls the handlers of what became ready.
  /// Returns the number of handlers called.
  int wait(Millis timeout);
  /// Ends a wait() at once; from any thread.
  void wake();

 private:
  friend class Watch;
  struct State;
  std::unique_ptr<State> state_;
};

/// A descriptor's place in the loop. A handler may be destroyed while events for it are still on
/// their way: they are dropped.
class Watch {
 public:
  Watch(EventLoop& loop, FdHandler& handler) : loop_(loop), handler_(handler) {}
  ~Watch() { clear(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Waits for `events` on `fd` from now on; cheap when nothing changed.
  void set(int fd, std::uint32_t events);
  /// Stops watching. Must come before the descriptor is closed.
  void clear();
  /// Stops watching a descriptor that somebody else has closed already: epoll has forgotten it, and
  /// its number may be another's by now.
  void abandon();

 private:
  friend class EventLoop;
  EventLoop& loop_;
  FdHandler& handler_;
  int fd_ = -1;
  std::uint32_t events_ = 0;
};

}  // namespace podwright
