/// Gets what a node lacks from the nearest predecessor that serves, else from the head.
///
/// A predecessor that cannot be reached, hangs, or has more than it sends is left for the one before
/// it; one that has nothing more itself is waited for, since the fault is further up. One whose bytes
/// were wrong is not asked again.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "relay/store.hpp"

namespace podwright::relay {

class Fetcher {
 public:
  struct Events {
    std::function<void(const std::string& line)> say;  ///< to the head; see wire.hpp
    std::function<void()> stored;                      ///< the store has more than before
    std::function<void(const std::string& why)> failed;
  };
  Fetcher(boost::asio::io_context& io, const Setup& setup, Store& store, Events events);
  ~Fetcher();
  void start();
  void peer_serves(std::uint32_t id, const std::string& address, std::uint16_t port);
  void peer_gone(std::uint32_t id);
  /// Bytes from the head.
  void feed(std::uint32_t object, std::uint64_t offset, std::string_view bytes);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace podwright::relay
