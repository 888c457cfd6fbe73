/// ClusterShell node-set syntax: cu[01-64,70], cu[1-100/2], cu*, @role:compute, @label:leaf=l1,
/// @all, a,b (union), a!b (difference), a&b (intersection), a^b (one of both), worked off from left
/// to right.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/node.hpp"

namespace podwright {

/// The nodes that `expression` names, in the order of the inventory. A name that is not in the
/// inventory is an error with the nearest known one; an empty result is an error too.
Result<std::vector<NodeId>> select_nodes(std::string_view expression, const Inventory& inventory);

/// Expands ranges without an inventory: "cu[01-03]" -> cu01, cu02, cu03; several ranges multiply,
/// the last one fastest. A pattern without ranges is itself.
Result<std::vector<std::string>> expand_range(std::string_view pattern);

/// Folds names back: {"cu01","cu02","cu04"} -> "cu[01-02,04]", sorted, each once.
std::string fold_names(const std::vector<std::string>& names);

}  // namespace podwright
