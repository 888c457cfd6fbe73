#include "transport/local_transport.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <list>
#include <memory>
#include <optional>

#include "transport/credentials.hpp"
#include "transport/event_loop.hpp"
#include "transport/exchange.hpp"
#include "transport/sigpipe.hpp"

namespace podwright {

namespace {

constexpr Millis tick_every{50};
/// As for commands over SSH: how long a command's leftover may keep its output open.
constexpr auto linger = std::chrono::seconds(2);
constexpr auto sudo_timeout = Millis(30000);

/// One end of a pipe in the loop.
class PipeEnd : public FdHandler {
 public:
  PipeEnd(EventLoop& loop, int fd, std::function<void(PipeEnd&)> on_ready)
      : watch_(loop, *this), fd_(fd), on_ready_(std::move(on_ready)) {
    fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  ~PipeEnd() override { close(); }
  void on_events(std::uint32_t) override { on_ready_(*this); }
  void wait_for(std::uint32_t events) {
    if (fd_ < 0) return;
    if (events == 0) {
      watch_.clear();
    } else {
      watch_.set(fd_, events);
    }
  }
  void close() {
    watch_.clear();
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool open() const { return fd_ >= 0; }

 private:
  Watch watch_;
  int fd_;
  std::function<void(PipeEnd&)> on_ready_;
};

class Child {
 public:
  Child(EventLoop& loop, const Request& request, std::optional<SudoSettings> sudo,
        TransportObserver* observer)
      : loop_(loop),
        request_(request),
        exchange_(
            request, std::move(sudo),
            observer == nullptr ? std::function<void(std::string_view)>()
                                : [observer, &request](std::string_view bytes) {
                                    observer->on_output(request.node, bytes);
                                  }) {}
  ~Child() { end_now(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  Status start();
  void tick(SteadyTime now);
  void stop(Error error) {
    if (!result_) result_ = fail(std::move(error));
    end_now();
  }
  [[nodiscard]] const Request& request() const { return request_; }
  [[nodiscard]] const std::optional<Result<Reply>>& result() const { return result_; }

 private:
  void read(PipeEnd& end, bool is_stderr);
  void write();
  void reap();
  void end_now();
  [[nodiscard]] Millis elapsed() const {
    return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - started_);
  }

  EventLoop& loop_;
  const Request& request_;
  Exchange exchange_;
  pid_t pid_ = -1;
  std::unique_ptr<PipeEnd> in_;
  std::unique_ptr<PipeEnd> out_;
  std::unique_ptr<PipeEnd> err_;
  SteadyTime started_;
  bool started_noted_ = false;
  SteadyTime exited_;
  std::optional<int> exit_status_;
  std::optional<Result<Reply>> result_;
};

Status Child::start() {
  std::array<std::array<int, 2>, 3> pipes{{{-1, -1}, {-1, -1}, {-1, -1}}};
  const auto close_all = [&pipes] {
    for (auto& each : pipes) {
      for (const int fd : each) {
        if (fd >= 0) close(fd);
      }
    }
  };
  for (auto& each : pipes) {
    if (pipe2(each.data(), O_CLOEXEC) != 0) {
      close_all();
      return fail(Fault::internal, fmt::format("cannot make a pipe: {}", std::strerror(errno)));
    }
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipes[0][0], 0);
  posix_spawn_file_actions_adddup2(&actions, pipes[1][1], 1);
  posix_spawn_file_actions_adddup2(&actions, pipes[2][1], 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (const int each : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&defaults, each);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(
      &attributes,
      static_cast<short>(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  auto line = exchange_.command_line();
  std::string shell = "/bin/sh";
  std::string option = "-c";
  std::array<char*, 4> argv{shell.data(), option.data(), line.data(), nullptr};
  const int rc = posix_spawn(&pid_, shell.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (rc != 0) {
    pid_ = -1;
    close_all();
    return fail(Fault::internal, fmt::format("cannot start /bin/sh: {}", std::strerror(rc)));
  }
  close(pipes[0][0]);
  close(pipes[1][1]);
  close(pipes[2][1]);
  started_ = std::chrono::steady_clock::now();
  in_ = std::make_unique<PipeEnd>(loop_, pipes[0][1], [this](PipeEnd&) { write(); });
  out_ = std::make_unique<PipeEnd>(loop_, pipes[1][0], [this](PipeEnd& end) { read(end, false); });
  err_ = std::make_unique<PipeEnd>(loop_, pipes[2][0], [this](PipeEnd& end) { read(end, true); });
  out_->wait_for(EPOLLIN);
  err_->wait_for(EPOLLIN);
  write();
  return {};
}

void Child::write() {
  if (!started_noted_ && exchange_.started()) {
    started_noted_ = true;
    started_ = std::chrono::steady_clock::now();
  }
  while (in_->open()) {
    const auto bytes = exchange_.to_send();
    if (bytes.empty()) break;
    const auto written = ::write(in_->fd(), bytes.data(), bytes.size());
    if (written > 0) {
      exchange_.sent(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      break;
    } else {
      in_->close();  // the command does not read on
    }
  }
  if (exchange_.input_complete()) in_->close();
  in_->wait_for(exchange_.to_send().empty() ? 0U : static_cast<std::uint32_t>(EPOLLOUT));
}

void Child::read(PipeEnd& end, bool is_stderr) {
  std::array<char, 65536> buffer;
  const auto size = ::read(end.fd(), buffer.data(), buffer.size());
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    end.close();
    reap();
    return;
  }
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
  if (!is_stderr) return exchange_.on_stdout(bytes);
  exchange_.on_stderr(bytes);
  write();
  if (const auto refusal = exchange_.refusal()) stop(*refusal);
}

void Child::reap() {
  if (result_ || pid_ < 0) return;
  int status = 0;
  if (!exit_status_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    exited_ = std::chrono::steady_clock::now();
  }
  if (!exit_status_) return;
  const bool output_ended = !out_->open() && !err_->open();
  if (!output_ended && std::chrono::steady_clock::now() - exited_ <= linger) return;
  pid_ = -1;
  result_ = exchange_.finish(*exit_status_, elapsed());
  end_now();
}

void Child::end_now() {
  if (pid_ > 0) {
    kill(-pid_, SIGKILL);
    if (!exit_status_) waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  for (auto* end : {in_.get(), out_.get(), err_.get()}) {
    if (end != nullptr) end->close();
  }
}

void Child::tick(SteadyTime now) {
  reap();
  if (result_) return;
  if (request_.feed != nullptr) {
    if (auto reason = request_.feed->given_up()) return stop(std::move(*reason));
    write();
  }
  const auto allowed = exchange_.started() ? request_.deadline : sudo_timeout;
  if (now - started_ > allowed) stop(exchange_.timed_out(allowed));
}

}  // namespace

std::map<NodeId, Result<Reply>> LocalTransport::run(const std::vector<Request>& requests,
                                                    TransportObserver* observer,
                                                    std::stop_token stop) {
  const IgnoreSigpipe guard;
  EventLoop loop;
  const std::stop_callback wake(stop, [&loop] { loop.wake(); });
  std::map<NodeId, Result<Reply>> results;
  std::list<Child> children;
  const auto finish = [&](const NodeId& node, Result<Reply> result) {
    if (!result) {
      auto error = result.error();
      error.node = node;
      result = fail(std::move(error));
    }
    const auto& kept = results.insert_or_assign(node, std::move(result)).first->second;
    if (observer != nullptr) observer->on_done(node, kept);
  };

  for (const auto& request : requests) {
    std::optional<SudoSettings> sudo;
    if (request.become && options_.become == "sudo" && geteuid() != 0) {
      const auto* user = getpwuid(geteuid());
      sudo = SudoSettings{.user = user == nullptr ? "this user" : user->pw_name,
                          .password_env = options_.become_password_env};
      if (!options_.become_password_env.empty()) {
        auto password = Credentials::from_environment(options_.become_password_env);
        if (!password) {
          finish(request.node, fail(password.error()));
          continue;
        }
        sudo->password = std::move(*password);
      }
    }
    auto& child = children.emplace_back(loop, request, std::move(sudo), observer);
    if (const auto started = child.start(); !started) {
      finish(request.node, fail(started.error()));
      children.pop_back();
    } else if (observer != nullptr) {
      observer->on_connected(request.node);
    }
  }
  while (!children.empty()) {
    if (stop.stop_requested()) {
      for (auto& child : children) {
        child.stop({.fault = Fault::cancelled, .what = "stopped while its command was running"});
      }
    } else {
      loop.wait(tick_every);
    }
    if (observer != nullptr) observer->on_tick();
    const auto now = std::chrono::steady_clock::now();
    for (auto child = children.begin(); child != children.end();) {
      child->tick(now);
      if (!child->result()) {
        ++child;
        continue;
      }
      finish(child->request().node, *child->result());
      child = children.erase(child);
    }
  }
  return results;
}

}  // namespace podwright
