/// Events as plain lines on stderr, for logs and for people who read them later: no escape codes, no
/// redrawing, no timestamps (whoever collects the log adds its own).
#pragma once

#include <map>
#include <string>

#include "events/events.hpp"
#include "events/writer.hpp"

namespace podwright::events {

enum class Detail {
  quiet,    ///< warnings and errors
  normal,
  verbose,  ///< also each connection, each step's start and debug notes
};

class PlainSink : public Sink {
 public:
  PlainSink(Write write, Detail detail) : write_(std::move(write)), detail_(detail) {}
  void on_event(const Event& event, std::chrono::system_clock::time_point when) override;

 private:
  Write write_;
  Detail detail_;
  /// When a phase last said how far it is: a long one does so every few seconds.
  std::map<std::string, std::chrono::system_clock::time_point> spoke_;
  std::map<std::string, std::size_t> total_;
};

/// The lines in which a failed step ended: what an operator needs to see without opening the log.
std::string last_lines(std::string_view output, std::size_t most = 8);

}  // namespace podwright::events
