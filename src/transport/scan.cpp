#include "transport/scan.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <memory>
#include <optional>

#include "base/text.hpp"
#include "transport/event_loop.hpp"
#include "transport/resolver.hpp"

namespace podwright {

namespace {

using Clock = std::chrono::steady_clock;

/// A banner line is 255 bytes at most; servers may say other things before it.
constexpr std::size_t most_banner = 8192;
constexpr Millis tick_every{20};

class Probe : public FdHandler {
 public:
  Probe(EventLoop& loop, const ScanTarget& target, std::size_t place)
      : index(place), watch_(loop, *this) {
    result.target = target;
  }
  ~Probe() override { shut(); }

  void start(const SocketAddress& address) {
    begun_ = Clock::now();
    fd_ = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return failed(errno);
    if (connect(fd_, address.get(), address.size) != 0 && errno != EINPROGRESS)
      return failed(errno);
    watch_.set(fd_, EPOLLOUT);
  }

  void on_events(std::uint32_t) override {
    if (!connected_) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) return failed(error);
      connected_ = true;
      begun_ = Clock::now();
      watch_.set(fd_, EPOLLIN);
      return;
    }
    std::array<char, 1024> buffer;
    const auto size = recv(fd_, buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return finish(ScanState::open, "it closed before a banner came");
    text_.append(buffer.data(), static_cast<std::size_t>(size));
    read_banner();
  }

  void tick(Clock::time_point now, const ScanOptions& options) {
    if (done || fd_ < 0) return;
    if (!connected_ && now - begun_ > options.timeout) {
      return finish(ScanState::no_answer, "no answer within " + human_duration(options.timeout));
    }
    if (connected_ && now - begun_ > options.banner_timeout) {
      finish(ScanState::open, "no SSH banner within " + human_duration(options.banner_timeout));
    }
  }

  [[nodiscard]] bool started() const { return begun_ != Clock::time_point(); }

  void finish(ScanState state, std::string detail) {
    result.state = state;
    result.detail = std::move(detail);
    done = true;
    shut();
  }

  ScanResult result;
  std::size_t index;
  bool done = false;
  const Clock::time_point created = Clock::now();

 private:
  void shut() {
    watch_.clear();
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

  void failed(int error) {
    switch (error) {
      case ECONNREFUSED:
        return finish(ScanState::refused, "nothing listens on the port");
      case ETIMEDOUT:
        return finish(ScanState::no_answer, "no answer");
      default:
        return finish(ScanState::unreachable, std::strerror(error));
    }
  }

  /// RFC 4253: lines of other text may come before the one that begins with "SSH-".
  void read_banner() {
    std::size_t begin = 0;
    for (auto end = text_.find('\n'); end != std::string::npos; end = text_.find('\n', begin)) {
      const auto line = std::string_view(text_).substr(begin, end - begin);
      if (line.starts_with("SSH-")) {
        result.banner = trim(clean_output(line));
        return finish(ScanState::ssh, {});
      }
      begin = end + 1;
    }
    if (text_.size() > most_banner) finish(ScanState::open, "it does not speak SSH");
  }

  Watch watch_;
  int fd_ = -1;
  bool connected_ = false;
  Clock::time_point begun_;
  std::string text_;
};

std::size_t affordable_width(std::size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::min<std::size_t>(wanted, 512);
  if (limit.rlim_cur < limit.rlim_max) {
    auto raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  const auto most = limit.rlim_cur > 200 ? static_cast<std::size_t>(limit.rlim_cur) - 100 : 100;
  return std::clamp<std::size_t>(wanted, 1, most);
}

}  // namespace

std::string_view to_string(ScanState state) {
  switch (state) {
    case ScanState::ssh:
      return "ssh";
    case ScanState::open:
      return "open";
    case ScanState::refused:
      return "refused";
    case ScanState::no_answer:
      return "no answer";
    case ScanState::unreachable:
      return "unreachable";
  }
  return "unreachable";
}

Result<std::vector<ScanResult>> scan(const std::vector<ScanTarget>& targets,
                                     const ScanOptions& options, const std::stop_token& stop,
                                     const std::function<void(const ScanResult&)>& on_result) {
  EventLoop loop;
  Resolver resolver(loop);
  const std::stop_callback wake(stop, [&loop] { loop.wake(); });
  std::vector<ScanResult> results(targets.size());
  std::list<Probe> active;
  const auto width = affordable_width(options.width);
  const auto rate = std::max(options.rate, 1.0);

  // A bucket that fills at `rate` and holds a twentieth of a second's worth: no bursts.
  const auto most_tokens = std::max(1.0, rate / 20);
  double tokens = 1;
  auto filled = Clock::now();
  std::size_t next = 0;

  while (next < targets.size() || !active.empty()) {
    if (stop.stop_requested()) return fail(Fault::cancelled, "the scan was stopped");
    const auto now = Clock::now();
    tokens = std::min(most_tokens, tokens + rate * Seconds(now - filled).count());
    filled = now;
    for (; next < targets.size() && active.size() < width && tokens >= 1; ++next, tokens -= 1) {
      active.emplace_back(loop, targets[next], next);
    }
    for (auto probe = active.begin(); probe != active.end();) {
      if (!probe->done && !probe->started()) {
        const auto found =
            resolver.resolve(probe->result.target.address, probe->result.target.port);
        if (found && !*found) {
          probe->finish(ScanState::unreachable, found->error().what);
        } else if (found) {
          probe->start((*found)->front());
        } else if (now - probe->created > options.banner_timeout) {
          probe->finish(ScanState::unreachable, "the name server does not answer");
        }
      }
      probe->tick(now, options);
      if (!probe->done) {
        ++probe;
        continue;
      }
      auto& result = results[probe->index];
      result = std::move(probe->result);
      probe = active.erase(probe);
      if (on_result) on_result(result);
    }
    const auto until_token = next < targets.size() && active.size() < width
                                 ? Millis(static_cast<std::int64_t>(1000 * (1 - tokens) / rate) + 1)
                                 : tick_every;
    if (next < targets.size() || !active.empty()) loop.wait(std::min(tick_every, until_token));
  }
  return results;
}

}  // namespace podwright
