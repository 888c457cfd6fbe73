/// `--output ndjson`: events on stdout, one JSON object a line.
#pragma once

#include "events/events.hpp"
#include "events/writer.hpp"

namespace podwright::events {

class NdjsonSink : public Sink {
 public:
  explicit NdjsonSink(Write write) : write_(std::move(write)) {}
  void on_event(const Event& event, std::chrono::system_clock::time_point when) override;

 private:
  Write write_;
};

}  // namespace podwright::events
