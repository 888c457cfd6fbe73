/// Host names to addresses without holding the loop: an unreachable name server costs 20 s a
/// look-up.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "transport/event_loop.hpp"

namespace podwright {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  /// "10.0.0.1", "fe80::1"
  [[nodiscard]] std::string text() const;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// The address of a literal ("10.0.0.1", "fe80::1%eth0"); nothing for a name. Asks nobody.
std::optional<SocketAddress> literal_address(const std::string& host, int port);

/// Looks names up on threads of its own, each name once. Answers wake the loop.
class Resolver {
 public:
  explicit Resolver(EventLoop& loop);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// The addresses of `host`, in the order to try them; nothing while it is being looked up.
  std::optional<Result<std::vector<SocketAddress>>> resolve(const std::string& host, int port);
  /// Forgets an answer that did not lead anywhere, so that the next try asks again.
  void forget(const std::string& host);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace podwright
