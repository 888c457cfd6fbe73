/// From what a profile says to what exactly that is: the closure of its packages and the files that it
/// names, for each operating system. Contacts repositories, never a node.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/os_release.hpp"
#include "events/events.hpp"
#include "model/facts.hpp"
#include "model/lock.hpp"
#include "model/node.hpp"
#include "model/profile.hpp"
#include "repo/metadata.hpp"

namespace podwright {

struct LockTarget {
  OsRelease distribution;
  /// Of the nodes that run it; those of nodes that nobody has read yet are made up, see likely_facts.
  std::map<NodeId, Facts> facts;
  /// Take for granted what all these nodes have beyond the profile's own packages; else nothing is.
  bool base_of_nodes = false;
};

/// Facts of a node that is not there yet, as far as packages depend on them: no accelerators, no HCAs.
Facts likely_facts(const Node& node, const OsRelease& distribution);

/// One node of every combination of roles: all that a lock has to look at.
std::vector<Node> one_of_each_role(const Inventory& inventory);
/// A head and a compute node, and one node for every other role that the profile knows: for want of a
/// cluster.
Inventory likely_inventory(const Profile& profile);

/// `notes` receives what a reader should know: conditions that did not hold, systems that the profile does
/// not name.
Result<Lock> make_lock(const Inventory& inventory, const Profile& profile, const std::vector<LockTarget>& targets,
                       const MetadataOptions& options, events::Bus& events, std::vector<std::string>& notes);

}  // namespace podwright
