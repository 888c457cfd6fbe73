#include "events/ndjson_sink.hpp"

#include "events/event_json.hpp"

namespace podwright::events {

void NdjsonSink::on_event(const Event& event, std::chrono::system_clock::time_point when) {
  write_(event_line(event, when));
}

}  // namespace podwright::events
