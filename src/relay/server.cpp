#include "relay/server.hpp"

// Asio 1.74 uses std::exchange without including it.
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <sys/sendfile.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <functional>
#include <list>

#include "relay/pace.hpp"

namespace podwright::relay {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

namespace {

/// A successor that takes nothing for so long is gone.
constexpr std::chrono::seconds write_timeout{30};
constexpr std::chrono::seconds request_timeout{5};
constexpr std::size_t most_sessions = 256;
/// How often the rate limit is asked for more.
constexpr std::chrono::milliseconds budget_pause{5};
/// What one successor is given before others, and what is to be received, have their turn.
constexpr std::uint64_t most_at_once = 256U << 10U;

}  // namespace

struct Server::Impl : std::enable_shared_from_this<Impl> {
  struct Session;

  Impl(asio::io_context& context, const Setup& given, Store& objects)
      : io(context), setup(given), store(objects), acceptor(context), pace(given.rate) {}

  void accept();

  asio::io_context& io;
  const Setup& setup;
  Store& store;
  tcp::acceptor acceptor;
  std::list<std::shared_ptr<Session>> sessions;
  Pace pace;
};

/// One request and its answer.
struct Server::Impl::Session : std::enable_shared_from_this<Session> {
  Session(std::shared_ptr<Impl> owner, tcp::socket connected)
      : server(std::move(owner)), socket(std::move(connected)), timer(server->io), pause(server->io) {}

  void begin() {
    socket.set_option(tcp::no_delay(true), ignored);
    parser.header_limit(64 * 1024);
    parser.body_limit(0);
    expire_after(request_timeout);
    http::async_read(socket, buffer, parser, [self = shared_from_this()](error_code problem, std::size_t) {
      if (problem) return self->close();
      self->answer();
    });
  }

  void expire_after(Clock::duration time) {
    timer.expires_after(time);
    timer.async_wait([self = shared_from_this()](error_code problem) {
      if (!problem) self->close();
    });
  }

  void close() {
    if (closed) return;
    closed = true;
    timer.cancel();
    pause.cancel();
    socket.close(ignored);
    server->sessions.remove(shared_from_this());
  }

  [[nodiscard]] bool authorized() const {
    const auto& says = parser.get()[http::field::authorization];
    return same_secret({says.data(), says.size()}, "Bearer " + server->setup.token);
  }

  void answer() {
    const auto& request = parser.get();
    const std::string_view target(request.target().data(), request.target().size());
    if (request.method() != http::verb::get) return say(http::status::method_not_allowed, "");
    if (!authorized()) return say(http::status::unauthorized, "");
    if (target == "/status") {
      const auto have = server->store.proven();
      return say(http::status::ok, std::to_string(have.object) + " " + std::to_string(have.offset));
    }
    constexpr std::string_view prefix = "/objects/";
    const auto& all = server->store.objects();
    if (!target.starts_with(prefix) ||
        !parse_ranges(target.substr(prefix.size()), static_cast<std::uint32_t>(all.size()), list)) {
      return say(http::status::not_found, "");
    }
    std::uint64_t total = 0;
    for (const auto object : list) total += all[object].size;
    std::uint64_t skip = 0;
    const auto& range = request[http::field::range];
    const std::string_view wanted(range.data(), range.size());
    if (!wanted.empty()) {
      if (!wanted.starts_with("bytes=") || !wanted.ends_with('-') ||
          !parse(wanted.substr(6, wanted.size() - 7), skip) || skip >= total) {
        return say(http::status::range_not_satisfiable, "");
      }
    }
    offset = skip;
    while (next < list.size() && offset >= all[list[next]].size) offset -= all[list[next++]].size;
    head = "HTTP/1.1 " + std::string(wanted.empty() ? "200 OK" : "206 Partial Content") +
           "\r\nConnection: close\r\nContent-Type: application/octet-stream\r\nContent-Length: " +
           std::to_string(total - skip) + "\r\n";
    if (!wanted.empty()) {
      head += "Content-Range: bytes " + std::to_string(skip) + "-" + std::to_string(total - 1) + "/" + std::to_string(total) + "\r\n";
    }
    head += "\r\n";
    write(head);
  }

  void say(http::status status, const std::string& text) {
    reply.result(status);
    reply.version(11);
    reply.keep_alive(false);
    reply.body() = text;
    reply.prepare_payload();
    expire_after(request_timeout);
    http::async_write(socket, reply, [self = shared_from_this()](error_code, std::size_t) {
      self->socket.shutdown(tcp::socket::shutdown_send, self->ignored);
      self->close();
    });
  }

  /// Sends what there is; then waits for wake(), or for the successor to take what is on its way.
  void send() {
    waiting = false;
    const auto& all = server->store.objects();
    while (!closed) {
      while (next < list.size() && offset >= all[list[next]].size) {
        ++next;
        offset = 0;
      }
      if (next == list.size()) {
        socket.shutdown(tcp::socket::shutdown_send, ignored);
        return close();
      }
      if (server->store.proven(list[next]) <= offset) {
        waiting = true;
        return watch_for_hangup();
      }
      const auto most = std::min(server->store.proven(list[next]) - offset, most_at_once);
      const auto size = server->pace.allow(most);
      if (size == 0) {
        pause.expires_after(budget_pause);
        pause.async_wait([self = shared_from_this()](error_code problem) {
          if (!problem) self->send();
        });
        return;
      }
      if (!hand_over(static_cast<std::size_t>(size))) return;
    }
  }

  /// From the file to the socket, past this process. False: it goes on once there is room for more.
  bool hand_over(std::size_t size) {
    auto from = static_cast<off_t>(offset);
    const auto sent = sendfile(socket.native_handle(), server->store.file(list[next]), &from, size);
    if (sent > 0) {
      offset += static_cast<std::uint64_t>(sent);
      server->pace.spent(static_cast<std::uint64_t>(sent));
      if (static_cast<std::size_t>(sent) == size) return true;
    } else if (sent == 0 || (errno != EAGAIN && errno != EINTR)) {
      close();
      return false;
    }
    expire_after(write_timeout);
    socket.async_wait(tcp::socket::wait_write, [self = shared_from_this()](error_code problem) {
      self->timer.cancel();
      if (problem) return self->close();
      self->send();
    });
    return false;
  }

  void write(std::string_view bytes) {
    expire_after(write_timeout);
    asio::async_write(socket, asio::buffer(bytes.data(), bytes.size()), [self = shared_from_this()](error_code problem, std::size_t) {
      self->timer.cancel();
      if (problem) return self->close();
      // sendfile must not wait for a slow successor.
      self->socket.native_non_blocking(true, self->ignored);
      self->send();
    });
  }

  /// A successor that went elsewhere while there was nothing for it.
  void watch_for_hangup() {
    if (watching) return;
    watching = true;
    socket.async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code problem) {
      self->watching = false;
      if (problem) return;
      error_code end;
      if (self->socket.available(end) == 0) self->close();
    });
  }

  std::shared_ptr<Impl> server;
  tcp::socket socket;
  asio::steady_timer timer;
  asio::steady_timer pause;
  boost::beast::flat_buffer buffer;
  http::request_parser<http::empty_body> parser;
  http::response<http::string_body> reply;
  std::string head;
  std::vector<std::uint32_t> list;
  std::size_t next = 0;
  std::uint64_t offset = 0;
  bool waiting = false;
  bool watching = false;
  bool closed = false;
  error_code ignored;
};

void Server::Impl::accept() {
  acceptor.async_accept([self = shared_from_this()](error_code problem, tcp::socket socket) {
    if (problem == asio::error::operation_aborted) return;
    error_code ignored;
    const auto from = problem ? tcp::endpoint() : socket.remote_endpoint(ignored);
    const bool listed = std::ranges::find(self->setup.allowed, from.address().to_string()) != self->setup.allowed.end();
    if (!problem && listed && self->sessions.size() < most_sessions) {
      self->sessions.push_back(std::make_shared<Session>(self, std::move(socket)));
      self->sessions.back()->begin();
    }
    self->accept();
  });
}

Server::Server(asio::io_context& io, const Setup& setup, Store& store)
    : impl_(std::make_shared<Impl>(io, setup, store)) {}

Server::~Server() {
  try {
    error_code ignored;
    impl_->acceptor.close(ignored);
    for (const auto& session : std::list(impl_->sessions)) session->close();
  } catch (const std::exception&) {
    // By its signature Asio's cancel() may throw. The sessions end all the same.
  }
}

std::uint16_t Server::listen(std::string& why) {
  error_code problem;
  const auto address = asio::ip::make_address(impl_->setup.listen, problem);
  if (!problem) impl_->acceptor.open(tcp::endpoint(address, 0).protocol(), problem);
  if (!problem) impl_->acceptor.bind(tcp::endpoint(address, 0), problem);
  if (!problem) impl_->acceptor.listen(asio::socket_base::max_listen_connections, problem);
  if (problem) {
    why = "cannot listen on " + impl_->setup.listen + ": " + problem.message();
    return 0;
  }
  impl_->accept();
  return impl_->acceptor.local_endpoint().port();
}

void Server::wake() {
  for (const auto& session : std::list(impl_->sessions)) {
    if (session->waiting) session->send();
  }
}

}  // namespace podwright::relay
