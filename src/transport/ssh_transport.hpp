/// SSH to many nodes at once, from one thread: libssh sessions in one epoll loop.
///
/// Sessions stay open between calls of run(). A session that died meanwhile is opened again; a
/// command that a node may have begun is never sent twice.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/node.hpp"
#include "transport/connection.hpp"
#include "transport/credentials.hpp"
#include "transport/transport.hpp"

namespace podwright {

struct SshOptions {
  Millis connect_timeout{10000};  ///< for the TCP connection, each address of a name
  /// For banner, key exchange and login, without any progress. A node that drops connections before
  /// its banner (MaxStartups) is tried again for as long.
  Millis login_timeout{30000};
  /// Logins side by side; those that made no progress for a second do not count, so that dead nodes
  /// hold up nobody.
  std::size_t width = 256;
  std::size_t max_open = 4096;  ///< sessions; idle ones are closed to stay below
  bool keep_sessions = true;  ///< open for the next call; else each ends with its command: less memory
  HostKeyPolicy host_keys = HostKeyPolicy::pinned;
  /// Addresses whose changed host key is accepted and pinned anew.
  std::set<std::string> accept_new_keys{};
  AskPassword ask{};
  std::string home{};  ///< where "~" is; empty: the home of whoever runs this
};

/// Every step on the way to a node.
struct Diagnosis {
  std::vector<AuthTrace> steps;  ///< resolve, tcp, banner, key exchange, host key, logins, sudo
  std::optional<Error> error{};  ///< of the step that failed
};

class SshTransport : public Transport {
 public:
  SshTransport(const std::vector<Node>& nodes, SshOptions options);
  ~SshTransport() override;

  std::map<NodeId, Result<Reply>> run(const std::vector<Request>& requests,
                                      TransportObserver* observer, std::stop_token stop) override;

  /// Logs in anew, and becomes root where the node's settings say so, noting every step. Fails only
  /// for a node that this transport does not know, and when stopped.
  Result<Diagnosis> diagnose(const NodeId& node, std::stop_token stop);

  /// The key that the node showed when it was last connected to.
  [[nodiscard]] std::optional<HostKey> host_key(const NodeId& node) const;
  /// What ssh_config says and podwright does not honour.
  [[nodiscard]] std::vector<std::string> notes() const;
  /// Ends the sessions; the next run() opens them again. For nodes that are about to reboot.
  void disconnect(const NodeId& node);
  void disconnect_all();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace podwright
