#include "events/journal_sink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "events/event_json.hpp"

namespace podwright::events {

Result<std::shared_ptr<JournalSink>> JournalSink::open(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return fail(Fault::internal,
                fmt::format("cannot open the journal {}: {}", file.string(), std::strerror(errno)),
                "check the permissions and the space of state_dir");
  }
  return std::shared_ptr<JournalSink>(new JournalSink(fd, file));
}

JournalSink::~JournalSink() { ::close(fd_); }

void JournalSink::on_event(const Event& event, std::chrono::system_clock::time_point when) {
  const std::string line = event_line(event, when);
  std::string_view rest = line;
  while (!rest.empty()) {
    const auto written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      if (status_) {
        status_ = fail(Fault::internal,
                       fmt::format("cannot write the journal {}: {}", file_.string(), std::strerror(errno)),
                       "check the space of state_dir");
      }
      return;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace podwright::events
