/// Facts that were read earlier, somewhere: planning and reviewing without any node.
#pragma once

#include <filesystem>

#include "engine/gather.hpp"

namespace podwright {

/// From the document of `facts --output json` or of a run's facts.json, or from the folder of a snapshot
/// (nodes/<name>/<probe>.out). A node whose facts cannot be read is an error that names it.
Result<Gathered> recorded_facts(const std::filesystem::path& path);

/// The cluster that recorded facts show, for want of a cluster.toml: the node called head is the head,
/// else the first, and it computes, too, where it is the only one. Addresses are those of the first
/// interface that has any.
Inventory inventory_of(const Gathered& recorded);

}  // namespace podwright
