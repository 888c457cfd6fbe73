/// Error counters of a node's ports: what rose while the fabric was measured tells of a cable or a switch
/// port that still carries traffic, at a price.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/fabric.hpp"

namespace podwright {

/// port ("mlx5_0/1", "eth1") -> counter -> value
using PortCounters = std::map<std::string, std::map<std::string, std::uint64_t>>;

/// Read-only sh that prints the counters of all RDMA ports, and of the interfaces that are wired.
std::string_view port_counters_script();
Result<PortCounters> read_port_counters(std::string_view printed);

/// Counters that rose between two readings of a node, those of `ports` only (an interface or HCA by its
/// name; none: of all). Those of errors are fatal, those of drops and retransmissions are not.
std::vector<CounterDelta> counters_that_rose(const NodeId& node, const PortCounters& before,
                                             const PortCounters& after,
                                             const std::vector<std::string>& ports);

}  // namespace podwright
