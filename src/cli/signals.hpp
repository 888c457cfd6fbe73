/// Ctrl-C: the first asks everything to stop cleanly, the second stops at once.
#pragma once

#include <functional>
#include <stop_token>
#include <thread>

namespace podwright::cli {

/// While it lives, SIGINT, SIGTERM and SIGHUP set its stop token, and SIGPIPE is ignored. One at a time.
class Signals {
 public:
  /// `on_first` is called once, on a thread of its own, when the first signal has arrived.
  explicit Signals(std::function<void(int signal)> on_first = {});
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }
  [[nodiscard]] bool requested() const { return stop_.stop_requested(); }

 private:
  std::stop_source stop_;
  std::function<void(int)> on_first_;
  std::jthread watcher_;
};

}  // namespace podwright::cli
