/// Running commands on nodes. The interface that the engine knows; SSH is one implementation
/// (transport/ssh_transport.hpp), the local machine another (transport/local_transport.hpp).
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace podwright {

/// Input that comes into being while the command runs. Asked on the thread that called run().
class Feed {
 public:
  virtual ~Feed() = default;
  /// What may be sent now; empty: nothing just now, ask again. Valid until the next call.
  virtual std::string_view next() = 0;
  /// There is something now, where next() had nothing: it is asked at once. Without this it is asked when
  /// something else happens on its connection, and every 50 ms or so.
  virtual bool stirred() { return false; }
  /// So much of it was sent.
  virtual void taken(std::size_t bytes) = 0;
  /// No more is going to come: the command's stdin ends.
  virtual bool ended() = 0;
  /// Why the command is to be ended now, if it is.
  virtual std::optional<Error> given_up() { return std::nullopt; }
};

/// One command for one node.
struct Request {
  NodeId node;
  /// A command line for the node's login shell; "sh -s" with a script on `input` is the usual one:
  /// a script on stdin has no length limit and shows in no process list.
  std::string command = "sh -s";
  std::string input{};
  /// Asked for more once these are sent; null: that was all. The caller keeps it.
  Feed* feed = nullptr;
  Millis deadline{60000};  ///< for the command itself; connecting and login have their own
  std::size_t max_output = 8U << 20U;  ///< bytes kept of stdout, and of stderr; the rest is counted
  bool become = true;                  ///< as root through sudo, where the node's settings say so
};

struct Reply {
  int exit_status = 0;  ///< 128 + n when a signal ended it
  std::string out;      ///< raw bytes, bounded
  std::string err;
  std::uint64_t dropped_bytes = 0;  ///< beyond max_output
  Millis elapsed{0};
};

/// Hears of what happens while it happens. Called on the thread that called run().
class TransportObserver {
 public:
  virtual ~TransportObserver() = default;
  /// A session was opened; one that is still open from before is not told again.
  virtual void on_connected(const NodeId& /*node*/) {}
  /// A piece of stdout as it arrived; not cleaned, lines may be torn, max_output does not apply.
  virtual void on_output(const NodeId& /*node*/, std::string_view /*bytes*/) {}
  virtual void on_done(const NodeId& /*node*/, const Result<Reply>& /*reply*/) {}
  /// Every 50 ms or so, whatever happens.
  virtual void on_tick() {}
};

class Transport {
 public:
  virtual ~Transport() = default;
  /// Runs all requests (at most one a node) side by side and returns when each has its reply or its
  /// error. Connections are kept for the next call. A stop ends what runs with Fault::cancelled.
  virtual std::map<NodeId, Result<Reply>> run(const std::vector<Request>& requests,
                                              TransportObserver* observer,
                                              std::stop_token stop) = 0;
};

}  // namespace podwright
