#include "base/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace podwright {

namespace {

struct Pipe {
  int read = -1;
  int write = -1;
  bool open() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    read = ends[0];
    write = ends[1];
    return true;
  }
  bool open_as_socket() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
    read = ends[0];
    write = ends[1];
    return true;
  }
  static void close(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  ~Pipe() {
    close(read);
    close(write);
  }
};

int exit_status(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

}  // namespace

Result<ProcessOutput> run_process(const std::vector<std::string>& argv, std::string_view input,
                                  Millis deadline, const std::stop_token& stop) {
  if (argv.empty()) throw std::invalid_argument("run_process: no command");
  // stdin is a socket, because a write to one can be told not to raise SIGPIPE when the child is gone.
  Pipe in, out, err;
  if (!in.open_as_socket() || !out.open() || !err.open()) {
    return fail(Fault::internal, fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  }

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write, 1);
  posix_spawn_file_actions_adddup2(&actions, err.write, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t child = 0;
  const int problem = posix_spawnp(&child, words[0], &actions, &attributes, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (problem != 0) {
    return fail(Fault::usage, fmt::format("cannot run {}: {}", argv[0], std::strerror(problem)),
                "check the command's path and permissions");
  }
  Pipe::close(in.read);
  Pipe::close(out.write);
  Pipe::close(err.write);
  for (const int fd : {in.write, out.read, err.read}) ::fcntl(fd, F_SETFL, O_NONBLOCK);

  const auto end = std::chrono::steady_clock::now() + deadline;
  const auto ended_early = [&](Fault fault, std::string what) {
    ::kill(-child, SIGTERM);
    for (int i = 0; i < 20 && ::waitpid(child, nullptr, WNOHANG) == 0; ++i) ::usleep(50000);
    ::kill(-child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    return fail(fault, std::move(what));
  };

  ProcessOutput output;
  if (input.empty()) Pipe::close(in.write);
  std::array<char, 65536> buffer{};
  while (out.read >= 0 || err.read >= 0) {
    if (stop.stop_requested()) return ended_early(Fault::cancelled, "interrupted");
    const auto left = std::chrono::duration_cast<Millis>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return ended_early(Fault::timeout,
                         fmt::format("{} did not finish within {}", argv[0], human_duration(deadline)));
    }
    std::array<pollfd, 3> polled = {pollfd{out.read, POLLIN, 0}, pollfd{err.read, POLLIN, 0},
                                    pollfd{in.write, POLLOUT, 0}};
    ::poll(polled.data(), polled.size(), static_cast<int>(std::min<std::int64_t>(left.count(), 100)));
    if (polled[2].revents != 0) {
      const auto written = ::send(in.write, input.data(), input.size(), MSG_NOSIGNAL);
      if (written > 0) input.remove_prefix(static_cast<std::size_t>(written));
      if ((written < 0 && errno != EAGAIN) || input.empty()) Pipe::close(in.write);
    }
    const auto drain = [&](int& fd, short events, std::string& into) {
      if (events == 0) return;
      const auto got = ::read(fd, buffer.data(), buffer.size());
      if (got > 0) into.append(buffer.data(), static_cast<std::size_t>(got));
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) Pipe::close(fd);
    };
    drain(out.read, polled[0].revents, output.out);
    drain(err.read, polled[1].revents, output.err);
  }
  // A child may close its output and live on.
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (stop.stop_requested()) return ended_early(Fault::cancelled, "interrupted");
    if (std::chrono::steady_clock::now() > end) {
      return ended_early(Fault::timeout, fmt::format("{} did not finish within {}", argv[0],
                                                     human_duration(deadline)));
    }
    ::usleep(1000);
  }
  output.exit_status = exit_status(status);
  return output;
}

}  // namespace podwright
