#include "cli/transport_factory.hpp"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>

namespace podwright::cli {

namespace {

/// The terminal itself: stdin and stderr may well be something else.
struct Terminal {
  int fd = ::open("/dev/tty", O_RDWR | O_CLOEXEC);
  termios before{};
  bool hidden = false;

  bool hide() {
    if (fd < 0 || ::tcgetattr(fd, &before) != 0) return false;
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    hidden = ::tcsetattr(fd, TCSAFLUSH, &silent) == 0;
    return hidden;
  }
  ~Terminal() {
    if (hidden) ::tcsetattr(fd, TCSAFLUSH, &before);
    if (fd >= 0) ::close(fd);
  }
};

/// How long a stop may go unnoticed while somebody is asked.
constexpr int kPollMillis = 50;

/// Waits for something to read; false when `stop` came first.
bool readable(int fd, const std::stop_token& stop) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  while (!stop.stop_requested()) {
    if (::poll(&waiting, 1, kPollMillis) > 0) return true;
  }
  return false;
}

void say(int fd, std::string_view text) {
  [[maybe_unused]] const auto written = ::write(fd, text.data(), text.size());
}

}  // namespace

Result<Secret> ask_secret(const std::string& prompt, const std::stop_token& stop) {
  Terminal terminal;
  if (!terminal.hide()) {
    return fail(Fault::auth, "a password is needed and there is no terminal to ask on",
                "name a variable with password_env or become_password_env, or use an SSH agent");
  }
  say(terminal.fd, prompt);
  std::string typed;
  for (;;) {
    if (!readable(terminal.fd, stop)) {
      say(terminal.fd, "\n");
      return fail(Fault::cancelled, "interrupted while a password was asked for");
    }
    char c = 0;
    const auto got = ::read(terminal.fd, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || c == '\n') break;
    typed += c;
  }
  say(terminal.fd, "\n");
  if (typed.empty()) return fail(Fault::auth, "no password was typed");
  return Secret(std::move(typed));
}

SshOptions ssh_options(const Globals& globals, std::stop_token stop, std::function<void()> before_asking) {
  SshOptions options;
  if (globals.jobs > 0) {
    options.width = globals.jobs;
    options.max_open = globals.jobs;
  }
  options.ask = [stop = std::move(stop), clear = std::move(before_asking)](const std::string& prompt) {
    if (clear) clear();
    return ask_secret(prompt, stop);
  };
  return options;
}

}  // namespace podwright::cli
