#include "events/events.hpp"

namespace podwright::events {

void Bus::emit(const Event& event) {
  const auto now = std::chrono::system_clock::now();
  const std::scoped_lock lock(mutex_);
  for (const auto& sink : sinks_) sink->on_event(event, now);
}

}  // namespace podwright::events
