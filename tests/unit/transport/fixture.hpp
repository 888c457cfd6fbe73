/// What the tests of the SSH transport share: a key, a known_hosts file, nodes that are servers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/sshd.hpp"
#include "transport/ssh_transport.hpp"

namespace podwright::test {

struct Lab {
  TempDir dir;
  std::string key = make_key(dir, "id");

  [[nodiscard]] std::unique_ptr<Sshd> server(std::string extra = {}) const {
    return std::make_unique<Sshd>(
        Sshd::Options{.authorized = key + ".pub", .extra = std::move(extra)});
  }
  void trust(const Sshd& sshd) const {
    std::ofstream(dir.file("known_hosts"), std::ios::app) << sshd.known_hosts_line();
  }
  [[nodiscard]] Node node(const std::string& name, int port) const {
    Node node;
    node.name = name;
    node.address = "127.0.0.1";
    node.ssh.user = "root";
    node.ssh.user_set = true;
    node.ssh.port = port;
    node.ssh.port_set = true;
    node.ssh.key = key;
    node.ssh.agent = false;
    node.ssh.known_hosts = dir.file("known_hosts");
    node.ssh.use_ssh_config = false;
    return node;
  }
  /// No "~/.ssh" of whoever runs the tests.
  [[nodiscard]] SshOptions options() const { return {.home = dir.path()}; }
};

inline Request command(NodeId node, std::string line, std::string input = {}) {
  return {.node = std::move(node), .command = std::move(line), .input = std::move(input)};
}

}  // namespace podwright::test
