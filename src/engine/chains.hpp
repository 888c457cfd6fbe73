/// In which order a transfer goes from node to node.
#pragma once

#include <cstdint>
#include <vector>

#include "model/node.hpp"

namespace podwright {

/// A node takes from the one before it in its chain, the first from the head. Nodes of a leaf switch
/// (label "leaf") stand together, so that an uplink carries the stream once.
///
/// One chain uses every link fully, whatever its length; each of several has only its share of the
/// head's link, but is shorter: `count` 0 takes as many as make the whole fastest (see chains.cpp),
/// and no chain of more than 250 nodes.
std::vector<std::vector<NodeId>> chains(const Inventory& inventory, const std::vector<NodeId>& nodes, std::uint64_t bytes,
                                        std::size_t count = 0);

/// How many bytes are proven at once. Small chunks are handed on sooner, large ones need fewer
/// digests: both cost the same at the square root of the transfer's size times a digest's.
std::uint64_t chunk_size(std::uint64_t bytes);

}  // namespace podwright
