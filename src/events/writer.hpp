/// Where sinks write: stderr or stdout in real runs, a text in tests.
#pragma once

#include <functional>
#include <string_view>

namespace podwright::events {

using Write = std::function<void(std::string_view)>;

/// Writes whole texts to a file descriptor. A reader that went away (a closed pipe) is not an error.
Write writer_to(int fd);

}  // namespace podwright::events
