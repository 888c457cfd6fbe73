/// Hands a node's objects on: to the listed addresses, with the transfer's token, over HTTP.
///   GET /status            "OBJECT OFFSET": how far everything is proven
///   GET /objects/0-4,7     these objects one after the other, as one body; Range: bytes=N- of it.
///                          What is not there yet is sent when it is.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "relay/store.hpp"

namespace podwright::relay {

class Server {
 public:
  Server(boost::asio::io_context& io, const Setup& setup, Store& store);
  ~Server();
  /// The port that it got; 0: it cannot listen, `why` says why not.
  std::uint16_t listen(std::string& why);
  /// The store has more than before.
  void wake();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace podwright::relay
