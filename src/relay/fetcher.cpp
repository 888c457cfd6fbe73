#include "relay/fetcher.hpp"

// Asio 1.74 uses std::exchange without including it.
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <algorithm>
#include <cstring>
#include <exception>
#include <limits>

namespace podwright::relay {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// Nothing for so long: time to ask the predecessor whether it lives. Its answer, and a connection,
/// may take as long again.
constexpr std::chrono::milliseconds patience{1000};
/// A predecessor that has more, and sends nothing, is asked again so often.
constexpr int most_strikes = 2;
/// Objects asked for in one request: its first line must stay short.
constexpr std::size_t most_words = 500;

enum class Standing { pending, serves, lost, wrong };

struct Peer {
  std::uint32_t id = 0;
  Standing standing = Standing::pending;
  tcp::endpoint endpoint{};
  int strikes = 0;
};

}  // namespace

struct Fetcher::Impl : std::enable_shared_from_this<Impl> {
  struct Visit;

  Impl(asio::io_context& context, const Setup& given, Store& objects, Events told)
      : io(context), setup(given), store(objects), events(std::move(told)) {
    for (const auto id : setup.peers) peers.push_back({.id = id});
  }

  Peer* find(std::uint32_t id) {
    const auto found = std::ranges::find(peers, id, &Peer::id);
    return found == peers.end() ? nullptr : &*found;
  }

  void next();
  void need(const Position& from);
  void lose(Peer& peer, const std::string& why, Standing standing = Standing::lost);
  /// What is wanted now; false: ended, or not any more from whom it came.
  bool took(std::size_t bytes, const std::string& from);

  asio::io_context& io;
  const Setup& setup;
  Store& store;
  Events events;
  std::vector<Peer> peers;  ///< nearest first
  std::shared_ptr<Visit> visit;
  bool fed = false;  ///< by the head, from here on
  bool stopped = false;
  std::string last_source;
};

/// One connection to one predecessor: for objects, or for its status.
struct Fetcher::Impl::Visit : std::enable_shared_from_this<Visit> {
  Visit(std::shared_ptr<Impl> owner, Peer& asked) : fetcher(std::move(owner)), peer(asked), socket(fetcher->io), timer(fetcher->io) {}

  /// Calls `then` with the body's length once the header came; with an error's text otherwise.
  template <class Then>
  void ask(const std::string& target, const std::string& range, Then then) {
    limit([then](auto& self) { self.close(), self.peer.strikes = most_strikes, then(0, "it does not answer"); });
    // From the address that it knows us by.
    error_code unbound;
    socket.open(peer.endpoint.protocol(), unbound);
    if (const auto own = asio::ip::make_address(fetcher->setup.listen, unbound); !unbound) socket.bind(tcp::endpoint(own, 0), unbound);
    socket.async_connect(peer.endpoint, [self = shared_from_this(), target, range, then](error_code problem) {
      if (self->closed) return;
      if (problem) return self->close(), then(0, problem.message());
      self->socket.set_option(tcp::no_delay(true), problem);
      auto& asks = self->request;
      asks.method(http::verb::get);
      asks.target(target);
      asks.version(11);
      asks.set(http::field::host, "relay");
      asks.set(http::field::authorization, "Bearer " + self->fetcher->setup.token);
      if (!range.empty()) asks.set(http::field::range, range);
      http::async_write(self->socket, asks, [self, then](error_code broken, std::size_t) {
        if (self->closed) return;
        if (broken) return self->close(), then(0, broken.message());
        self->parser.body_limit(std::numeric_limits<std::uint64_t>::max());
        http::async_read_header(self->socket, self->buffer, self->parser, [self, then](error_code refused, std::size_t) {
          if (self->closed) return;
          const auto status = self->parser.get().result_int();
          if (refused) return self->close(), then(0, refused.message());
          if (status != 200 && status != 206) return self->close(), then(0, "it refuses, with HTTP status " + std::to_string(status));
          const auto length = self->parser.content_length();
          if (!length) return self->close(), then(0, "it says no length");
          then(*length, "");
        });
      });
    });
  }

  template <class Late>
  void limit(Late late) {
    timer.expires_after(patience);
    timer.async_wait([self = shared_from_this(), late](error_code problem) {
      if (!problem && !self->closed) late(*self);
    });
  }

  void close() {
    closed = true;
    timer.cancel();
    error_code ignored;
    socket.close(ignored);
  }

  void fetch() {
    const auto wanted = fetcher->store.wanted();
    std::vector<std::uint32_t> list;
    const auto& objects = fetcher->store.objects();
    std::uint64_t expected = 0;
    for (auto object = wanted.object; object < objects.size() && list.size() < most_words; ++object) {
      if (objects[object].have) continue;
      // What an earlier transfer left of it is taken up when its turn comes: where it begins is not known now.
      if (object != wanted.object && fetcher->store.has_part(object)) break;
      list.push_back(object);
      expected += objects[object].size;
    }
    expected -= wanted.offset;
    const auto range = wanted.offset == 0 ? "" : "bytes=" + std::to_string(wanted.offset) + "-";
    ask("/objects/" + ranges(list), range, [self = shared_from_this(), expected](std::uint64_t length, const std::string& why) {
      if (!why.empty()) return self->broken(why);
      if (length != expected) {
        self->close();
        self->fetcher->lose(self->peer, "it offers other bytes", Standing::wrong);
        return self->fetcher->next();
      }
      self->left = length;
      self->source = std::to_string(self->peer.id);
      if (std::exchange(self->fetcher->last_source, self->source) != self->source) self->fetcher->events.say("from " + self->source);
      self->drain();
    });
  }

  /// What came with the header, then what the socket brings.
  void drain() {
    while (buffer.size() > 0 && left > 0) {
      const auto room = fetcher->store.room();
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>({room.size(), buffer.size(), left}));
      std::memcpy(room.data(), buffer.data().data(), size);
      buffer.consume(size);
      if (!account(size)) return;
    }
    read();
  }

  void read() {
    if (left == 0) {
      close();
      return fetcher->next();
    }
    limit([](auto& self) { self.stalled(); });
    const auto room = fetcher->store.room();
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(room.size(), left));
    socket.async_read_some(asio::buffer(room.data(), size), [self = shared_from_this()](error_code problem, std::size_t got) {
      if (self->closed) return;
      if (problem) return self->broken(problem == asio::error::eof ? "it closed the connection" : problem.message());
      self->peer.strikes = 0;
      if (self->account(got)) self->read();
    });
  }

  bool account(std::size_t bytes) {
    left -= bytes;
    if (fetcher->took(bytes, source)) return true;
    close();
    return false;
  }

  /// Refused or cut off: once more if it still answers, else the one before it.
  void broken(const std::string& why) {
    close();
    if (++peer.strikes < most_strikes) return fetcher->next();
    fetcher->lose(peer, why);
    fetcher->next();
  }

  void stalled() {
    close();
    auto question = std::make_shared<Visit>(fetcher, peer);
    fetcher->visit = question;
    question->ask("/status", "", [question](std::uint64_t length, const std::string& why) {
      auto& owner = *question->fetcher;
      if (!why.empty() || length > 64) {
        owner.lose(question->peer, why.empty() ? "it answers nonsense" : "it hangs: " + why);
        return owner.next();
      }
      question->body.resize(static_cast<std::size_t>(length));
      question->read_status();
    });
  }

  void read_status() {
    const auto at_hand = std::min(buffer.size(), body.size());
    std::memcpy(body.data(), buffer.data().data(), at_hand);
    asio::async_read(socket, asio::buffer(body.data() + at_hand, body.size() - at_hand), [self = shared_from_this()](error_code problem, std::size_t) {
      if (self->closed) return;
      self->close();
      auto& owner = *self->fetcher;
      const auto parts = words(self->body);
      std::uint64_t object = 0;
      std::uint64_t offset = 0;
      if (problem || parts.size() != 2 || !parse(parts[0], object) || !parse(parts[1], offset)) {
        owner.lose(self->peer, "it hangs");
        return owner.next();
      }
      const auto mine = owner.store.wanted();
      const bool ahead = Position{static_cast<std::uint32_t>(object), offset} > mine;
      // One that has no more than we do waits as well: the fault is further up.
      if (ahead && ++self->peer.strikes >= most_strikes) owner.lose(self->peer, "it has more, and sends nothing");
      owner.next();
    });
  }

  std::shared_ptr<Impl> fetcher;
  Peer& peer;
  tcp::socket socket;
  asio::steady_timer timer;
  http::request<http::empty_body> request;
  http::response_parser<http::empty_body> parser;
  boost::beast::flat_buffer buffer;
  std::string body;
  std::string source;
  std::uint64_t left = 0;
  bool closed = false;
};

void Fetcher::Impl::next() {
  visit.reset();
  if (stopped || fed || store.complete()) return;
  for (auto& peer : peers) {
    if (peer.standing == Standing::pending) return;  // the head says when it serves, or that it never will
    if (peer.standing != Standing::serves) continue;
    visit = std::make_shared<Visit>(shared_from_this(), peer);
    return visit->fetch();
  }
  fed = true;
  const auto wanted = store.wanted();
  last_source = "head";
  events.say("from head");
  need(wanted);
}

void Fetcher::Impl::need(const Position& from) { events.say("need " + std::to_string(from.object) + " " + std::to_string(from.offset)); }

void Fetcher::Impl::lose(Peer& peer, const std::string& why, Standing standing) {
  peer.standing = standing;
  peer.strikes = 0;
  events.say("lost " + std::to_string(peer.id) + " " + why);
}

bool Fetcher::Impl::took(std::size_t bytes, const std::string& from) {
  switch (store.commit(bytes)) {
    case Store::Accepted::ok:
      events.stored();
      return !stopped;
    case Store::Accepted::disk:
      stopped = true;
      events.failed(store.problem());
      return false;
    case Store::Accepted::bad_chunk:
      break;
  }
  events.say("bad " + std::to_string(store.wanted().object) + " " + std::to_string(store.bad_chunk()) + " " + from);
  if (from == "head") {
    stopped = true;
    events.failed("what the head sent is not what it announced");
    return false;
  }
  std::uint64_t id = 0;
  parse(from, id);
  auto* peer = find(static_cast<std::uint32_t>(id));
  lose(*peer, "its bytes are wrong", Standing::wrong);
  asio::post(io, [self = shared_from_this()] { self->next(); });
  return false;
}

Fetcher::Fetcher(asio::io_context& io, const Setup& setup, Store& store, Events events)
    : impl_(std::make_shared<Impl>(io, setup, store, std::move(events))) {}

Fetcher::~Fetcher() {
  impl_->stopped = true;
  try {
    if (impl_->visit) impl_->visit->close();
  } catch (const std::exception&) {
    // By its signature Asio's cancel() may throw. The visit ends all the same.
  }
  impl_->visit.reset();
}

void Fetcher::start() { impl_->next(); }

void Fetcher::peer_serves(std::uint32_t id, const std::string& address, std::uint16_t port) {
  auto* peer = impl_->find(id);
  error_code problem;
  const auto parsed = asio::ip::make_address(address, problem);
  if (peer == nullptr || problem || peer->standing == Standing::wrong) return;
  peer->standing = Standing::serves;
  peer->strikes = 0;
  peer->endpoint = tcp::endpoint(parsed, port);
  if (!impl_->visit) impl_->next();
}

void Fetcher::peer_gone(std::uint32_t id) {
  auto* peer = impl_->find(id);
  if (peer == nullptr || peer->standing == Standing::wrong) return;
  peer->standing = Standing::lost;
  if (impl_->visit && &impl_->visit->peer == peer) {
    impl_->visit->close();
    impl_->visit.reset();
  }
  if (!impl_->visit) impl_->next();
}

void Fetcher::feed(std::uint32_t object, std::uint64_t offset, std::string_view bytes) {
  auto& self = *impl_;
  while (!bytes.empty() && self.fed && !self.stopped && !self.store.complete()) {
    const auto wanted = self.store.wanted();
    if (wanted.object == object && offset < wanted.offset) {  // taken up from an earlier transfer
      const auto known = std::min<std::uint64_t>(bytes.size(), wanted.offset - offset);
      bytes.remove_prefix(static_cast<std::size_t>(known));
      offset += known;
      continue;
    }
    if (wanted > Position{object, offset}) return;
    if (wanted.object != object || wanted.offset != offset) {
      self.stopped = true;
      return self.events.failed("the head sends what was not asked for");
    }
    const auto room = self.store.room();
    const auto size = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), size);
    offset += size;
    bytes.remove_prefix(size);
    if (!self.took(size, "head")) return;
    // What an earlier transfer left of the next object is not to be sent again.
    if (const auto next = self.store.wanted(); next.object != object && next.offset > 0) self.need(next);
  }
}

}  // namespace podwright::relay
