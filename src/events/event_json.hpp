/// Events as JSON: a line of events.ndjson and of `--output ndjson`.
#pragma once

#include "base/json.hpp"
#include "events/events.hpp"

namespace podwright::events {

/// {"time":"2026-01-31T12:00:00.123Z","event":"step_finished","node":"cu01",…}. What a node printed
/// is cleaned, and bounded to its last 64 KiB.
Json event_to_json(const Event& event, std::chrono::system_clock::time_point when);

/// The same as one line, with its end.
std::string event_line(const Event& event, std::chrono::system_clock::time_point when);

}  // namespace podwright::events
