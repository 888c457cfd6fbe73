#include "transport/resolver.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

namespace podwright {

namespace {

constexpr std::size_t most_threads = 8;

SocketAddress with_port(SocketAddress address, int port) {
  const auto number = htons(static_cast<std::uint16_t>(port));
  if (address.storage.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port = number;
  } else {
    reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port = number;
  }
  return address;
}

Result<std::vector<SocketAddress>> look_up(const std::string& host, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* list = nullptr;
  const int rc = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (rc != 0) {
    const bool temporary = rc == EAI_AGAIN;
    return fail(Fault::unreachable, fmt::format("cannot resolve {}: {}", host, gai_strerror(rc)),
                temporary ? "the name server does not answer; write IP addresses in cluster.toml"
                          : "check the address in cluster.toml, or write an IP address");
  }
  std::vector<SocketAddress> addresses;
  for (const auto* each = list; each != nullptr; each = each->ai_next) {
    SocketAddress address;
    if (each->ai_addrlen > sizeof address.storage) continue;
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.size = each->ai_addrlen;
    addresses.push_back(address);
  }
  freeaddrinfo(list);
  return addresses;
}

}  // namespace

std::string SocketAddress::text() const {
  char host[NI_MAXHOST] = "?";
  getnameinfo(get(), size, host, sizeof host, nullptr, 0, NI_NUMERICHOST);
  return host;
}

std::optional<SocketAddress> literal_address(const std::string& host, int port) {
  const auto found = look_up(host, AI_NUMERICHOST);
  if (!found || found->empty()) return std::nullopt;
  return with_port(found->front(), port);
}

/// Shared with the threads, which may outlive the resolver: a look-up cannot be interrupted, and
/// nobody should wait 20 s for it when the program wants to end.
struct Resolver::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::string> wanted;
  std::map<std::string, std::optional<Result<std::vector<SocketAddress>>>> answers;
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool closing = false;
  EventLoop* loop = nullptr;

  static void work(const std::shared_ptr<State>& state) {
    std::unique_lock lock(state->mutex);
    while (true) {
      ++state->idle;
      state->changed.wait(lock, [&] { return state->closing || !state->wanted.empty(); });
      --state->idle;
      if (state->closing) return;
      const auto host = state->wanted.front();
      state->wanted.pop_front();
      lock.unlock();
      auto found = look_up(host, 0);
      lock.lock();
      state->answers[host] = std::move(found);
      if (!state->closing) state->loop->wake();
    }
  }
};

Resolver::Resolver(EventLoop& loop) : state_(std::make_shared<State>()) { state_->loop = &loop; }

Resolver::~Resolver() {
  const std::lock_guard lock(state_->mutex);
  state_->closing = true;
  state_->changed.notify_all();
}

std::optional<Result<std::vector<SocketAddress>>> Resolver::resolve(const std::string& host,
                                                                    int port) {
  if (const auto literal = literal_address(host, port)) return std::vector{*literal};
  const std::lock_guard lock(state_->mutex);
  const auto known = state_->answers.find(host);
  if (known == state_->answers.end()) {
    state_->answers.emplace(host, std::nullopt);
    state_->wanted.push_back(host);
    if (state_->idle == 0 && state_->threads < most_threads) {
      ++state_->threads;
      std::thread(State::work, state_).detach();
    }
    state_->changed.notify_one();
    return std::nullopt;
  }
  if (!known->second) return std::nullopt;
  if (!*known->second) return fail((*known->second).error());
  std::vector<SocketAddress> addresses;
  for (const auto& each : known->second->value()) addresses.push_back(with_port(each, port));
  return addresses;
}

void Resolver::forget(const std::string& host) {
  const std::lock_guard lock(state_->mutex);
  const auto known = state_->answers.find(host);
  if (known != state_->answers.end() && known->second) state_->answers.erase(known);
}

}  // namespace podwright
