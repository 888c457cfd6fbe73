#include "transport/tunnel.hpp"

#include <fmt/format.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/text.hpp"

namespace podwright {

namespace {

constexpr std::size_t chunk = std::size_t{64} * 1024;

}  // namespace

/// libssh calls these in the midst of reading; they may note and pass bytes on, nothing else.
struct Tunnel::Callbacks : ssh_channel_callbacks_struct {
  static int data(ssh_session, ssh_channel, void* bytes, std::uint32_t size, int is_stderr,
                  void* self) {
    if (is_stderr == 0) {
      static_cast<Tunnel*>(self)->on_data({static_cast<const char*>(bytes), size});
    }
    return static_cast<int>(size);
  }
  static void ended(ssh_session, ssh_channel, void* self) {
    static_cast<Tunnel*>(self)->remote_done_ = true;
    static_cast<Tunnel*>(self)->restless = true;
  }
  explicit Callbacks(Tunnel* self) : ssh_channel_callbacks_struct() {
    userdata = self;
    channel_data_function = data;
    channel_eof_function = ended;
    channel_close_function = ended;
    ssh_callbacks_init(this);
  }
};

Tunnel::Tunnel(EventLoop& loop, Connection& jump, std::string host, int port)
    : jump_(jump), watch_(loop, *this), host_(std::move(host)), port_(port) {}

Tunnel::~Tunnel() {
  finish();
  if (near_ >= 0) close(near_);
}

void Tunnel::open(std::function<void()> on_change) {
  on_change_ = std::move(on_change);
  channel_ = ssh_channel_new(jump_.session());
  if (channel_ == nullptr) throw std::bad_alloc();
  callbacks_ = std::make_unique<Callbacks>(this);
  ssh_set_channel_callbacks(channel_, callbacks_.get());
  jump_.attach(*this);
  poll();
  jump_.rearm();
}

void Tunnel::answered() {
  if (const auto tell = std::exchange(on_change_, nullptr)) tell();
}

void Tunnel::poll() {
  if (open_ || error_ || channel_ == nullptr) return;
  const int rc = ssh_channel_open_forward(channel_, host_.c_str(), port_, "127.0.0.1", 0);
  if (rc == SSH_AGAIN) return;
  if (rc == SSH_OK) {
    on_progress();
    return;
  }
  const std::string says = clean_output(ssh_get_error(jump_.session()));
  const bool prohibited = says.find("error (1)") != std::string::npos;  // administratively
  const auto reason = says.rfind(") ");
  error_ = Error{.fault = Fault::unreachable,
                 .what = fmt::format("the jump host {} does not connect to {}:{}: {}",
                                     jump_.destination().endpoint(), host_, port_,
                                     reason == std::string::npos ? says : says.substr(reason + 2)),
                 .hint = prohibited ? "its sshd must allow it: AllowTcpForwarding yes"
                                    : "is the node powered on, and reachable from the jump host?"};
  restless = false;
  answered();
}

int Tunnel::take_socket() { return std::exchange(near_, -1); }

void Tunnel::on_progress() {
  if (!open_) {
    if (error_ || channel_ == nullptr || ssh_channel_is_open(channel_) == 0) return;
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      error_ = Error{.fault = Fault::internal,
                     .what = fmt::format("cannot make a socket: {}", std::strerror(errno))};
      return answered();
    }
    near_ = ends[0];
    far_ = ends[1];
    open_ = true;
    restless = false;
    watch_.set(far_, EPOLLIN);
    return answered();
  }
  pump_out();
  pump_in();
}

void Tunnel::on_data(std::string_view bytes) {
  if (to_socket_.empty() && far_ >= 0) {
    const auto sent = send(far_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  to_socket_ += bytes;
  if (!to_socket_.empty()) restless = true;
}

/// From the node to the session.
void Tunnel::pump_in() {
  if (far_ < 0) return;
  while (!to_socket_.empty()) {
    const auto sent = send(far_, to_socket_.data(), to_socket_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) break;
    to_socket_.erase(0, static_cast<std::size_t>(sent));
  }
  if (to_socket_.empty() && remote_done_) shutdown(far_, SHUT_WR);
  restless = !to_channel_.empty();
  std::uint32_t events = 0;
  if (to_channel_.empty() && !local_done_) events |= EPOLLIN;
  if (!to_socket_.empty()) events |= EPOLLOUT;
  watch_.set(far_, events);
}

/// From the session to the node.
void Tunnel::pump_out() {
  while (!to_channel_.empty() && channel_ != nullptr && jump_.writable()) {
    const auto window = ssh_channel_window_size(channel_);
    if (window == 0) break;
    const auto size = std::min<std::size_t>(window, to_channel_.size());
    const int written =
        ssh_channel_write(channel_, to_channel_.data(), static_cast<std::uint32_t>(size));
    if (written <= 0) break;
    to_channel_.erase(0, static_cast<std::size_t>(written));
  }
}

void Tunnel::on_events(std::uint32_t events) {
  if ((events & (EPOLLIN | EPOLLHUP)) != 0 && to_channel_.empty()) {
    std::array<char, chunk> buffer;
    const auto size = recv(far_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size > 0) {
      to_channel_.append(buffer.data(), static_cast<std::size_t>(size));
    } else if (size == 0 || errno != EAGAIN) {
      finish();
      return;
    }
  }
  pump_out();
  pump_in();
  jump_.rearm();
}

void Tunnel::finish() {
  watch_.clear();
  if (far_ >= 0) close(std::exchange(far_, -1));
  if (channel_ == nullptr) return;
  jump_.detach(*this);
  jump_.release(std::exchange(channel_, nullptr), callbacks_.get());
}

void Tunnel::on_lost(const Error& error) {
  channel_ = nullptr;
  error_ = error;
  if (!open_) return answered();
  // The session behind the tunnel sees the end of its socket.
  watch_.clear();
  if (far_ >= 0) close(std::exchange(far_, -1));
}

}  // namespace podwright
