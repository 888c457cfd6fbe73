/// Reboots of nodes, in batches, each seen to have happened.
#pragma once

#include <chrono>
#include <map>
#include <string_view>
#include <vector>

#include "engine/site.hpp"
#include "model/facts.hpp"

namespace podwright {

/// How many nodes may be away at once: "4", "10%" (rounded up), by default all.
struct Batch {
  std::size_t count = 0;  ///< 0: by percent
  double percent = 100;
  [[nodiscard]] std::size_t of(std::size_t nodes) const;
};
Result<Batch> parse_batch(std::string_view text);

/// A node that is to reboot, and how long it may be away.
struct RebootOrder {
  NodeId node;
  std::chrono::seconds deadline{1200};
};

/// Reboots the nodes and waits for their return: a boot is another one by the kernel's boot_id and the
/// birth of PID 1, and it is over when systemd says so. Errors are of nodes that did not come back.
std::map<NodeId, Status> reboot_nodes(Site& site, const std::vector<RebootOrder>& orders);

/// Whether these are the facts of the machine that podwright runs on.
bool is_this_machine(const Facts& facts);

}  // namespace podwright
