/// Lists of machines that other tools keep, read as nodes of a new cluster.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/node.hpp"

namespace podwright {

/// What a list told: nodes with names, addresses and what else it has. Roles are empty where it says nothing
/// of them; user and key are set where all nodes agree.
struct ImportedNodes {
  std::vector<Node> nodes;
  std::string user;
  std::string key;
};

/// By its content: a PODsys iplist, or an Ansible inventory in INI format. `file` stands in messages.
Result<ImportedNodes> import_nodes(std::string_view text, const std::string& file);

/// PODsys: serial number, host name, address/prefix, gateway, DNS, address/prefix of IPoIB, address of
/// docker0; blanks between, "none" for nothing. The serial number becomes a label, IPoIB the fabric.
Result<ImportedNodes> import_iplist(std::string_view text, const std::string& file);

/// Ansible: [group], [group:children], [group:vars], hosts with ranges (cu[01:64], db-[a:f]) and ansible_host,
/// ansible_port, ansible_user, ansible_ssh_private_key_file. Groups that are called like a head or a
/// login node give that role, all others the role compute; every group becomes a label.
Result<ImportedNodes> import_ansible(std::string_view text, const std::string& file);

}  // namespace podwright
