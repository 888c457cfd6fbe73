#include "cli/signals.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <stdexcept>

namespace podwright::cli {

namespace {

// A handler may touch nothing but these: a pipe to the watcher, which may lock and allocate.
std::atomic<int> seen{0};
std::atomic<int> pipe_end{-1};
std::array<int, 2> ends{-1, -1};
static_assert(std::atomic<int>::is_always_lock_free);

constexpr std::array kCaught = {SIGINT, SIGTERM, SIGHUP};

extern "C" void podwright_on_signal(int signal) {
  const int before = errno;
  if (seen.fetch_add(1) > 0) {
    // Whatever progress line stands on the terminal is wiped; nothing else is safe here.
    constexpr char kWipe[] = "\r\x1b[K";
    if (::isatty(STDERR_FILENO) == 1) {
      [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, kWipe, sizeof kWipe - 1);
    }
    ::_exit(130);
  }
  const auto byte = static_cast<unsigned char>(signal);
  [[maybe_unused]] const auto written = ::write(pipe_end.load(), &byte, 1);
  errno = before;
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

Signals::Signals(std::function<void(int)> on_first) : on_first_(std::move(on_first)) {
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  pipe_end = ends[1];
  seen = 0;
  watcher_ = std::jthread([this] {
    unsigned char signal = 0;
    while (::read(ends[0], &signal, 1) < 0 && errno == EINTR) {
    }
    if (signal == 0) return;  // the destructor's
    stop_.request_stop();
    if (on_first_) on_first_(signal);
  });
  for (const int signal : kCaught) handle(signal, podwright_on_signal);
  handle(SIGPIPE, SIG_IGN);
}

Signals::~Signals() {
  for (const int signal : kCaught) handle(signal, SIG_DFL);
  constexpr unsigned char kEnd = 0;
  [[maybe_unused]] const auto written = ::write(ends[1], &kEnd, 1);
  watcher_.join();
  for (int& end : ends) ::close(end);
}

}  // namespace podwright::cli
