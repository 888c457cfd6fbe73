/// Writing cluster.toml without losing what a person wrote in it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/node.hpp"

namespace podwright {

/// A commented cluster.toml for a new cluster.
struct NewCluster {
  std::string name = "cluster";
  std::string profile = "debian12-slurm-cpu";
  std::string user = "root";
  std::string key{};  ///< empty: the agent or the usual files
  std::vector<Node>
      nodes;  ///< name, address, roles, labels, fabric; user and port where they are set
};
/// Gives nodes that have none a name (head, cu01, cu02, …) and a role: the first node is the head unless one
/// has that role already, the others compute; a single one is both.
void complete_nodes(std::vector<Node>& nodes);

std::string render_cluster_file(const NewCluster& cluster);

/// `text` of an existing cluster.toml with nodes added whose address (and port) it does not have
/// yet. Everything that is there, comments included, stays byte for byte; new nodes are appended as
/// [[node]] tables, neighbours whose names and addresses count up together as one with ranges. A
/// name that another address has already is an error, and so is a text that is no valid
/// cluster.toml.
Result<std::string> add_nodes(std::string_view text, const std::string& file,
                              const std::vector<Node>& nodes);

}  // namespace podwright
