/// Looking for SSH servers: many addresses at once, at a rate that the network bears.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "transport/targets.hpp"

namespace podwright {

struct ScanTarget {
  std::string address;  ///< an IP address, or a name, which is resolved
  int port = 22;
};

enum class ScanState {
  ssh,          ///< open, and its banner says SSH
  open,         ///< open, but no SSH banner came
  refused,      ///< somebody is there, and nothing listens
  no_answer,    ///< nothing came back within the time limit
  unreachable,  ///< no route, nobody has the address, or the name is unknown
};
std::string_view to_string(ScanState state);

struct ScanResult {
  ScanTarget target;
  ScanState state = ScanState::no_answer;
  std::string banner{};  ///< "SSH-2.0-OpenSSH_9.2p1 …", cleaned
  std::string detail{};  ///< why, where it is not ssh
};

struct ScanOptions {
  double rate = 2000;            ///< connection attempts a second
  Millis timeout{2000};          ///< for the TCP handshake
  Millis banner_timeout{10000};  ///< for the banner after that: a busy sshd takes its time
  std::size_t width = 4096;      ///< attempts in flight; bounded by the limit of open files
};

/// The result of every target, in their order; `on_result` hears each as it comes. On a stop the
/// result is Fault::cancelled.
Result<std::vector<ScanResult>> scan(const std::vector<ScanTarget>& targets,
                                     const ScanOptions& options, const std::stop_token& stop,
                                     const std::function<void(const ScanResult&)>& on_result = {});

}  // namespace podwright
