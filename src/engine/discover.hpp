/// Finding machines: scan, host key, login, facts, hardware classes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/gather.hpp"
#include "engine/site.hpp"
#include "model/facts.hpp"
#include "transport/ssh_transport.hpp"

namespace podwright {

struct FoundNode {
  std::string name;      ///< of cluster.toml where it is known there, else its hostname made unique
  std::string address;
  std::string status;    ///< ok | refused | unreachable | no-ssh | auth | failed | duplicate
  std::string reason{};  ///< why it is not ok, with the remedy
  std::string host_key{};  ///< "SHA256:…"
  std::string hardware_class{};
  bool added = false;    ///< was not in cluster.toml before
};

struct Discovery {
  std::vector<FoundNode> found;        ///< in the order of the addresses
  std::vector<HardwareClass> classes;
  std::map<NodeId, Facts> facts;
  std::vector<Node> new_nodes;         ///< to be written into cluster.toml
};

struct DiscoverOptions {
  std::vector<std::string> targets;  ///< CIDR, ranges, names; empty: the nodes of cluster.toml
  double rate = 2000;                ///< connection attempts a second
  Millis timeout{2000};              ///< for the TCP handshake
  bool accept_changed_keys = false;  ///< the machines were reinstalled
  SshOptions ssh{};                  ///< deadlines, and how to ask for passwords
};

/// Scans, logs in with the settings of [ssh] (a known node's own ones), reads facts. Host keys seen
/// for the first time are pinned in `ssh.known_hosts`; nothing else is written. The first new node
/// becomes the head where the cluster has none yet, all others are compute nodes.
Result<Discovery> discover(const Inventory& inventory, const DiscoverOptions& options,
                           events::Bus& events, std::stop_token stop);

}  // namespace podwright
