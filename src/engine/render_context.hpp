/// The names that templates and conditions of a profile may use. Reference for people who write
/// profiles: profiles/README.md.
#pragma once

#include <map>
#include <string>

#include "base/json_fwd.hpp"
#include "model/facts.hpp"
#include "model/node.hpp"
#include "model/profile.hpp"

namespace podwright {

/// What the context is made from, besides inventory and profile.
struct ContextInputs {
  const std::map<NodeId, Facts>& facts;              ///< of every node that is known, also from earlier runs
  const std::map<NodeId, std::string>& host_keys;    ///< "ssh-ed25519 AAAA…", pinned
  const std::map<std::string, std::string>& public_keys;  ///< secret name -> public half
};

/// The part that is the same for all nodes: vars at top level, cluster, head, nodes, compute, secrets.
Json shared_context(const Inventory& inventory, const Profile& profile, const ContextInputs& inputs);

/// A container shares its kernel with others: it loads no modules and sets what is its own only.
bool is_container(const Facts& facts);

/// `shared` with what is the node's own: node, os, cpu, gpu, memory_mb, arch, kernel, container, cgroup.
Json node_context(Json shared, const Node& node, const Facts& facts);

}  // namespace podwright
