/// The cluster as its operator declares it: nodes, how to reach them, and their place in the fabric.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/value.hpp"

namespace podwright {

/// One port of a node on the fabric (not the management network).
struct FabricPort {
  std::string name;     ///< interface or HCA, "eth1", "mlx5_0"
  std::string address;  ///< IP address; empty for InfiniBand without IP
  double rate_gbps = 0; ///< line rate in Gbit/s; 0: take it from the facts
  int rail = 0;
};

/// How a node is logged in to. Every field is resolved: defaults of [ssh] are already merged in.
struct SshSettings {
  std::string user = "root";
  int port = 22;
  std::string key;           ///< private key file; empty: agent, then the usual files
  bool agent = true;         ///< try the agent of $SSH_AUTH_SOCK
  std::string password_env;  ///< name of the variable that holds the password; never the password
  bool ask_password = false; ///< prompt for it once
  std::string become = "none";         ///< none | sudo
  std::string become_password_env;     ///< variable with the sudo password
  std::vector<std::string> jump;       ///< "user@host:port", in the order of the hops
  std::string known_hosts = "known_hosts";
  bool use_ssh_config = true;          ///< honour ~/.ssh/config (or `ssh_config`)
  std::string ssh_config;              ///< another file than ~/.ssh/config
  /// Written in cluster.toml: these beat ssh_config, which beats the defaults above.
  bool user_set = false;
  bool port_set = false;
  bool key_set = false;
  bool jump_set = false;
};

struct Node {
  NodeId name;
  std::string address;  ///< host name or IP address that SSH connects to
  std::vector<std::string> roles;
  std::map<std::string, std::string> labels;
  std::vector<FabricPort> fabric;
  SshSettings ssh;
  SourcePos pos;

  [[nodiscard]] bool has_role(std::string_view role) const;  ///< "all" is everybody's
};

struct Inventory {
  std::string name;       ///< of the cluster
  std::string profile;    ///< a name on the profile path, or a file
  std::string file;       ///< cluster.toml itself
  std::string directory;  ///< the folder of cluster.toml: relative paths start here
  std::string state_dir;  ///< absolute, or relative to where podwright runs
  double quorum = 0;      ///< share of healthy nodes below which apply begins nothing more
  SshSettings ssh;        ///< the defaults
  Value::Table vars;
  std::vector<Node> nodes;

  [[nodiscard]] const Node* find(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] std::vector<const Node*> with_role(std::string_view role) const;
};

}  // namespace podwright
