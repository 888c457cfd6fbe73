#include "transport/command.hpp"

#include <fmt/format.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"

namespace podwright {

namespace {

/// 32 to 256 KB a write measured best; each is a handful of SSH packets.
constexpr std::size_t write_size = std::size_t{128} * 1024;
constexpr int writes_in_a_row = 4;

/// A kept session whose node silently vanished does not answer: time to open a new one.
constexpr auto open_timeout = std::chrono::seconds(5);

/// How long output may still come after the command itself ended. A daemon that it started holds
/// stdout open for ever; ssh(1) hangs on that.
constexpr auto linger = std::chrono::seconds(2);

int signal_number(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, int>, 14> numbers{{{"HUP", 1},
                                                                      {"INT", 2},
                                                                      {"QUIT", 3},
                                                                      {"ILL", 4},
                                                                      {"TRAP", 5},
                                                                      {"ABRT", 6},
                                                                      {"BUS", 7},
                                                                      {"FPE", 8},
                                                                      {"KILL", 9},
                                                                      {"USR1", 10},
                                                                      {"SEGV", 11},
                                                                      {"USR2", 12},
                                                                      {"PIPE", 13},
                                                                      {"TERM", 15}}};
  if (name.starts_with("SIG")) name.remove_prefix(3);
  const auto found = std::ranges::find(numbers, name, &std::pair<std::string_view, int>::first);
  return found == numbers.end() ? 127
                                : found->second;  // 255: ended by a signal we have no number for
}

}  // namespace

/// libssh calls these in the midst of reading; they may note, nothing else.
struct Command::Callbacks : ssh_channel_callbacks_struct {
  static Command& self(void* user) { return *static_cast<Command*>(user); }
  static int data(ssh_session, ssh_channel, void* bytes, std::uint32_t size, int is_stderr,
                  void* user) {
    auto& command = self(user);
    const std::string_view text(static_cast<const char*>(bytes), size);
    if (command.exit_status_) command.last_words_ = command.clock_.now();
    if (is_stderr == 0) {
      command.exchange_.on_stdout(text);
    } else {
      command.exchange_.on_stderr(text);
      command.restless = true;  // sudo may want something
    }
    return static_cast<int>(size);
  }
  static void close(ssh_session, ssh_channel, void* user) {
    self(user).closed_ = true;
    self(user).restless = true;
  }
  static void status(ssh_session, ssh_channel, int exit_status, void* user) {
    self(user).exit_status_ = exit_status & 0xff;
    self(user).last_words_ = self(user).clock_.now();
  }
  static void signal(ssh_session, ssh_channel, const char* name, int, const char*, const char*,
                     void* user) {
    self(user).exit_status_ = 128 + signal_number(name);
    self(user).last_words_ = self(user).clock_.now();
  }
  explicit Callbacks(Command* command) : ssh_channel_callbacks_struct() {
    userdata = command;
    channel_data_function = data;
    channel_close_function = close;
    channel_exit_status_function = status;
    channel_exit_signal_function = signal;
    ssh_callbacks_init(this);
  }
};

Command::Command(Connection& connection, DeadlineClock& clock, const Request& request,
                 std::optional<SudoSettings> sudo, Millis setup_timeout,
                 std::function<void(std::string_view)> on_output, std::function<void()> finished)
    : connection_(connection),
      clock_(clock),
      request_(request),
      setup_timeout_(setup_timeout),
      exchange_(request, std::move(sudo), std::move(on_output)),
      in_flight_(shortest_round_trip(ssh_get_fd(connection.session()))),
      finished_(std::move(finished)),
      callbacks_(std::make_unique<Callbacks>(this)) {}

Command::~Command() {
  if (!channel_) return;
  connection_.detach(*this);
  connection_.release(channel_, callbacks_.get());
}

void Command::start() {
  begun_ = clock_.now();
  channel_ = ssh_channel_new(connection_.session());
  if (channel_ == nullptr) throw std::bad_alloc();
  ssh_set_channel_callbacks(channel_, callbacks_.get());
  connection_.attach(*this);
  on_progress();
  connection_.rearm();
}

void Command::on_progress() {
  if (stage_ == Stage::opening) open();
  if (stage_ == Stage::requesting) request();
  if (stage_ == Stage::done) return;
  if (stage_ != Stage::opening) send_input();
  if (const auto refusal = exchange_.refusal()) return abandon(*refusal);
  if (closed_) return finish_with_status();
  restless = stage_ != Stage::running || (!eof_sent_ && !input_refused_);
}

void Command::open() {
  const int rc = ssh_channel_open_session(channel_);
  if (rc == SSH_AGAIN) return;
  if (rc == SSH_OK) {
    stage_ = Stage::requesting;
    may_have_run_ = true;
    started_ = clock_.now();
    return;
  }
  if (ssh_is_connected(connection_.session()) == 0) return;  // on_lost() follows
  finish(fail(Fault::remote,
              fmt::format("its sshd refuses a session: {}",
                          clean_output(ssh_get_error(connection_.session()))),
              "see MaxSessions in its sshd_config"));
}

void Command::request() {
  const int rc = ssh_channel_request_exec(channel_, exchange_.command_line().c_str());
  if (rc == SSH_OK) stage_ = Stage::running;
  if (rc != SSH_ERROR || ssh_is_connected(connection_.session()) == 0) return;
  finish(fail(Fault::remote, "its sshd refuses to run commands for this user",
              "does the account have a shell, and no ForceCommand?"));
}

void Command::send_input() {
  if (!started_noted_ && exchange_.started()) {
    started_noted_ = true;
    started_ = clock_.now();
  }
  for (int i = 0; i < writes_in_a_row && !input_refused_ && connection_.writable(); ++i) {
    const auto bytes = exchange_.to_send();
    const auto room = in_flight_.room(ssh_channel_window_size(channel_), clock_.now());
    if (bytes.empty() || room == 0) break;
    const auto size = std::min({bytes.size(), static_cast<std::size_t>(room), write_size});
    const int written = ssh_channel_write(channel_, bytes.data(), static_cast<std::uint32_t>(size));
    if (written < 0) input_refused_ = true;
    if (written <= 0) break;
    exchange_.sent(static_cast<std::size_t>(written));
  }
  if (exchange_.input_complete() && !eof_sent_ && !input_refused_ && connection_.writable()) {
    ssh_channel_send_eof(channel_);
    eof_sent_ = true;
  }
}

Millis Command::elapsed() const {
  return std::chrono::duration_cast<Millis>(clock_.now() - started_);
}

void Command::finish_with_status() {
  if (exit_status_) return finish(exchange_.finish(*exit_status_, elapsed()));
  if (!exchange_.started()) return finish(exchange_.finish(255, elapsed()));
  finish(fail(Fault::remote, "the command ended, but its sshd did not say how",
              "was its sshd, or the session, killed?"));
}

void Command::finish(Result<Reply> result) {
  if (stage_ == Stage::done) return;
  stage_ = Stage::done;
  restless = false;
  result_ = std::move(result);
  if (channel_ != nullptr) {
    connection_.detach(*this);
    connection_.release(std::exchange(channel_, nullptr), callbacks_.get());
  }
  finished_();
}

void Command::abandon(Error error) {
  if (channel_ != nullptr && stage_ == Stage::running) {
    ssh_channel_request_send_signal(channel_, "TERM");
  }
  finish(fail(std::move(error)));
}

void Command::on_lost(const Error& error) {
  channel_ = nullptr;
  if (stage_ == Stage::done) return;
  // A reboot that was asked for ends the connection after the exit status came.
  if (exit_status_ && exchange_.started())
    return finish(exchange_.finish(*exit_status_, elapsed()));
  if (!may_have_run()) return finish(fail(error));
  finish(fail(Fault::unreachable,
              fmt::format("the connection was lost while the command was running, after {}: {}",
                          human_duration(elapsed()), error.what),
              "whether the command finished is not known; it is not run again by itself"));
}

void Command::tick(SteadyTime now) {
  if (stage_ == Stage::done) return;
  if (stage_ == Stage::opening) {
    if (now - begun_ <= std::min<Millis>(open_timeout, setup_timeout_)) return;
    return finish(fail(Fault::unreachable, "the open connection does not answer any more"));
  }
  if (exit_status_ && now - last_words_ > linger) return finish_with_status();
  if (request_.feed != nullptr) {
    if (auto reason = request_.feed->given_up()) return abandon(std::move(*reason));
  }
  const auto allowed = exchange_.started() ? request_.deadline : setup_timeout_;
  if (now - started_ > allowed) abandon(exchange_.timed_out(allowed));
}

}  // namespace podwright
