/// Servers that misbehave, for tests.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace podwright::test {

/// Accepts connections on 127.0.0.1 and says `greeting` to each; then it is silent for ever, or
/// closes at once.
class Mute {
 public:
  explicit Mute(std::string greeting = {}, bool closes = false) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd_, 512) != 0)
      abort();
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    thread_ =
        std::thread([this, greeting = std::move(greeting), closes] { serve(greeting, closes); });
  }
  ~Mute() {
    stop_ = true;
    thread_.join();
    for (const int each : clients_) close(each);
    close(fd_);
  }
  Mute(const Mute&) = delete;
  Mute& operator=(const Mute&) = delete;

  int port = 0;
  std::atomic<int> accepted{0};

 private:
  void serve(const std::string& greeting, bool closes) {
    while (!stop_) {
      pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
      if (poll(&waiting, 1, 20) <= 0) continue;
      const int client = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      ++accepted;
      if (!greeting.empty()) send(client, greeting.data(), greeting.size(), MSG_NOSIGNAL);
      if (closes) {
        close(client);
      } else {
        clients_.push_back(client);
      }
    }
  }

  int fd_ = -1;
  std::atomic<bool> stop_{false};
  std::vector<int> clients_;
  std::thread thread_;
};

}  // namespace podwright::test
