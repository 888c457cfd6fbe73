#include "events/writer.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace podwright::events {

Write writer_to(int fd) {
  return [fd](std::string_view text) {
    while (!text.empty()) {
      const auto written = ::write(fd, text.data(), text.size());
      if (written >= 0) {
        text.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno == EAGAIN) {  // somebody else made the shared terminal non-blocking
        pollfd ready{fd, POLLOUT, 0};
        ::poll(&ready, 1, 1000);
      } else if (errno != EINTR) {
        return;
      }
    }
  };
}

}  // namespace podwright::events
