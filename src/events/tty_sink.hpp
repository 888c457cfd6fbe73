/// Progress on a terminal: one status line, redrawn, for what is going on; a permanent line for each
/// phase that ended and each failure. Nothing is ever wider than the terminal, and whatever happens
/// the terminal is left clean: the only state is the status line, which close() wipes.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "events/events.hpp"
#include "events/plain_sink.hpp"
#include "events/writer.hpp"

namespace podwright::events {

/// What the status line says.
struct PhaseView {
  std::string phase;
  std::size_t done = 0;
  std::size_t total = 0;  ///< 0: unknown
  std::size_t failed = 0;
  std::chrono::milliseconds elapsed{0};
  /// Who is still at it ("cu07", "cu07 package/slurm"): shown while it is few enough to fit.
  std::vector<std::string> busy{};
  std::size_t busy_count = 0;
};

/// The status line, at most `width` - 1 columns, so that no terminal wraps it.
std::string status_line(const PhaseView& view, std::size_t width);
/// The permanent line of a phase that ended.
std::string finished_line(const PhaseView& view, bool ok, std::size_t width);

struct TtyOptions {
  Write write;
  std::function<std::size_t()> width;  ///< asked for each line: windows are resized
  Detail detail = Detail::normal;
  bool color = true;
  /// Keeps the elapsed time moving while nothing happens; zero: only events redraw.
  std::chrono::milliseconds tick{250};
};

class TtySink : public Sink {
 public:
  explicit TtySink(TtyOptions options);
  ~TtySink() override;
  TtySink(const TtySink&) = delete;
  TtySink& operator=(const TtySink&) = delete;

  void on_event(const Event& event, std::chrono::system_clock::time_point when) override;
  /// Wipes the status line until the next event draws one: before anybody else writes to the terminal.
  void close();

 private:
  struct Open {
    PhaseView view;
    std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
    std::map<std::string, std::string> running;  ///< node -> step
    std::map<std::string, bool> waiting;         ///< items that are still to come, where named
    std::set<std::string> failed;                ///< nodes
    std::size_t shown_failures = 0;
    std::size_t hidden_failures = 0;
  };

  void permanent(std::string_view text, std::string_view color = {});
  void failure(std::string_view text);
  void draw(bool now);
  void wipe();
  void tick(const std::stop_token& stop);
  void start_phase(const PhaseStarted& phase);
  void finish_phase(const PhaseFinished& phase);
  void count_failure(const NodeId& node);
  Open* find(std::string_view phase);

  TtyOptions options_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::vector<Open> open_;  ///< the innermost last
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_draw_{};
  std::jthread ticker_;
};

}  // namespace podwright::events
