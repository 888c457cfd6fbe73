// Asking for a password on a real terminal: a pseudo terminal of the test's own.
#include <doctest/doctest.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <stop_token>
#include <string>
#include <thread>

#include "cli/transport_factory.hpp"

using namespace podwright;

namespace {

/// What a child answered that asked on a terminal of its own, and how it left that terminal.
struct Asked {
  int exit_status = -1;
  std::string shown;
  bool echoes = false;
};

/// Exit status of the child: 0 when it read `typed`, 1 when it was cancelled, 2 for anything else.
Asked ask_on_terminal(const std::string& typed, bool stop_it) {
  int master = -1;
  const auto child = ::forkpty(&master, nullptr, nullptr, nullptr);
  REQUIRE(child >= 0);
  if (child == 0) {
    std::stop_source stop;
    std::jthread stopper;
    if (stop_it) {
      stopper = std::jthread([&stop] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        stop.request_stop();
      });
    }
    const auto answer = cli::ask_secret("password: ", stop.get_token());
    if (answer) ::_exit(answer->reveal() == typed ? 0 : 2);
    ::_exit(answer.error().fault == Fault::cancelled ? 1 : 2);
  }
  Asked asked;
  const auto read_until = [&](std::string_view end) {
    char c = 0;
    while (!asked.shown.ends_with(end) && ::read(master, &c, 1) == 1) asked.shown += c;
  };
  read_until("password: ");
  if (!stop_it) {
    const auto line = typed + "\n";
    REQUIRE(::write(master, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  }
  read_until("\n");
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  asked.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  termios settings{};
  asked.echoes = ::tcgetattr(master, &settings) == 0 && (settings.c_lflag & ECHO) != 0;
  ::close(master);
  return asked;
}

}  // namespace

TEST_CASE("a password is read from the terminal and never shown") {
  const auto asked = ask_on_terminal("correct horse", false);
  CHECK(asked.exit_status == 0);
  CHECK(asked.shown.find("horse") == std::string::npos);
  CHECK(asked.echoes);
}

TEST_CASE("a stop ends the question, and the terminal echoes again") {
  const auto asked = ask_on_terminal("", true);
  CHECK(asked.exit_status == 1);
  CHECK(asked.echoes);
}
