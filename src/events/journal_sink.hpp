/// The journal of a run: every event as a line of events.ndjson, on disk before the next thing happens.
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.hpp"
#include "events/events.hpp"

namespace podwright::events {

class JournalSink : public Sink {
 public:
  /// Appends to `file`, made with mode 0600.
  static Result<std::shared_ptr<JournalSink>> open(const std::filesystem::path& file);
  ~JournalSink() override;
  JournalSink(const JournalSink&) = delete;
  JournalSink& operator=(const JournalSink&) = delete;

  void on_event(const Event& event, std::chrono::system_clock::time_point when) override;
  /// The first failure to write (a full disk): the journal has a hole from there on.
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  JournalSink(int fd, std::filesystem::path file) : fd_(fd), file_(std::move(file)) {}
  int fd_;
  std::filesystem::path file_;
  Status status_{};
};

}  // namespace podwright::events
