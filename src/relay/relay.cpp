#include "relay/relay.hpp"

// Asio 1.74 uses std::exchange without including it.
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <thread>

#include "relay/fetcher.hpp"
#include "relay/server.hpp"

namespace podwright::relay {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

class Relay : public Decoder {
 public:
  Relay(int in, int out) : in_(io_, dup(in)), out_(out), report_(io_), silence_(io_), deadline_(io_) {}

  int run() {
    say("ready");
    heard();
    read();
    io_.run();
    fetcher_.reset();
    server_.reset();
    if (syncing_.joinable()) syncing_.join();
    return done_ ? 0 : unable;
  }

 private:
  void read() {
    in_.async_read_some(asio::buffer(bytes_), [this](error_code problem, std::size_t size) {
      if (problem) return io_.stop();  // the head, or the way to it, is gone
      heard();
      if (!feed({bytes_.data(), size})) {
        say("failed the head speaks another language");
        return io_.stop();
      }
      // What comes behind the end is for whoever reads this stream after us.
      if (!io_.stopped() && !ending_) read();
    });
  }

  void heard() {
    silence_.expires_after(silence);
    silence_.async_wait([this](error_code problem) {
      if (!problem) io_.stop();
    });
  }

  /// To the head, which reads it; if it does not for long, it has to do without.
  void say(const std::string& line) {
    const auto text = line + "\n";
    [[maybe_unused]] const auto written = write(out_, text.data(), text.size());
  }

  void fail(const std::string& why) {
    say("failed " + why);
    io_.stop();
  }

  void on_setup(Setup setup) override {
    setup_ = std::move(setup);
    deadline_.expires_after(setup_.deadline);
    deadline_.async_wait([this](error_code problem) {
      if (!problem) fail("the time for the transfer is over");
    });
    store_.emplace(setup_, [this] { say("at " + std::to_string(store_->proven_bytes())); });
    if (!store_->open()) {
      const auto lack = store_->lack();
      if (!lack) return fail(store_->problem());
      say("full " + std::to_string(lack->free) + " " + std::to_string(lack->needed));
      return io_.stop();
    }
    if (!serve()) return;
    fetcher_.emplace(io_, setup_, *store_,
                     Fetcher::Events{.say = [this](const std::string& line) { say(line); },
                                     .stored = [this] { stored(); },
                                     .failed = [this](const std::string& problem) { fail(problem); }});
    report();
    stored();
    fetcher_->start();
  }

  /// Listens, where anybody is allowed to ask.
  bool serve() {
    std::uint16_t port = 0;
    if (!setup_.allowed.empty()) {
      server_.emplace(io_, setup_, *store_);
      std::string why;
      port = server_->listen(why);
      if (port == 0) {
        fail(why);
        return false;
      }
    }
    say("listening " + std::to_string(port));
    return true;
  }

  void report() {
    say("at " + std::to_string(store_->proven_bytes()));
    report_.expires_after(report_every);
    report_.async_wait([this](error_code problem) {
      if (!problem) report();
    });
  }

  void stored() {
    if (const auto proven = store_->proven(); std::exchange(woken_, proven) != proven && server_) server_->wake();
    if (!store_->complete() || std::exchange(told_, true)) return;
    say("at " + std::to_string(store_->proven_bytes()));
    say("done");
  }

  /// Once nobody needs this node any more: what a disk has to do now would hold up those behind.
  void end() {
    if (std::exchange(ending_, true)) return;
    silence_.cancel();
    if (!store_ || !store_->complete()) return io_.stop();
    // On a thread of its own: a disk may take its time, and the head wants to hear that we live.
    syncing_ = std::thread([this, what = store_->unwritten()] {
      const bool written = Store::sync(what);
      asio::post(io_, [this, written] {
        if (!written) return fail("its disk cannot write what was received");
        done_ = true;
        say("written");
        io_.stop();
      });
    });
  }

  void on_line(std::string_view line) override {
    const auto parts = words(line);
    std::uint64_t id = 0;
    std::uint64_t port = 0;
    if (parts[0] == "end") {
      end();
    } else if (parts[0] == "peer" && parts.size() == 4 && parse(parts[1], id) && parse(parts[3], port) && fetcher_) {
      fetcher_->peer_serves(static_cast<std::uint32_t>(id), std::string(parts[2]), static_cast<std::uint16_t>(port));
    } else if (parts[0] == "allow" && parts.size() == 2 && fetcher_) {
      setup_.allowed.emplace_back(parts[1]);
      if (!server_) serve();
    } else if (parts[0] == "gone" && parts.size() == 2 && parse(parts[1], id) && fetcher_) {
      fetcher_->peer_gone(static_cast<std::uint32_t>(id));
    }
  }

  void on_data(std::uint32_t object, std::uint64_t offset, std::string_view bytes) override {
    if (fetcher_) fetcher_->feed(object, offset, bytes);
  }

  asio::io_context io_{1};
  asio::posix::stream_descriptor in_;
  int out_;
  asio::steady_timer report_;
  asio::steady_timer silence_;
  asio::steady_timer deadline_;
  std::array<char, std::size_t{128} * 1024> bytes_;
  Setup setup_;
  std::optional<Store> store_;
  std::optional<Server> server_;
  std::optional<Fetcher> fetcher_;
  Position woken_;
  std::thread syncing_;
  bool told_ = false;    ///< that everything is there
  bool ending_ = false;
  bool done_ = false;    ///< and on its disk
};

}  // namespace

int run_relay(int in, int out) {
  // Others read and write there before and after us.
  const int in_flags = fcntl(in, F_GETFL);
  const int out_flags = fcntl(out, F_GETFL);
  fcntl(out, F_SETFL, out_flags | O_NONBLOCK);
  const int status = Relay(in, out).run();
  fcntl(in, F_SETFL, in_flags);
  fcntl(out, F_SETFL, out_flags);
  return status;
}

}  // namespace podwright::relay
