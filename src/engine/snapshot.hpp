/// Everything that probes and checks read, as it was printed: a support bundle, and enough to judge it again
/// on any machine.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "engine/check.hpp"
#include "engine/site.hpp"

namespace podwright {

struct Snapshot {
  /// nodes/<name>/<probe>.out, .err, .exit, and snapshot.json: what was expected of the nodes.
  std::map<std::string, std::string> files;
  std::map<NodeId, Error> failed;
};

/// One execution a node. A probe that did not end has no .exit and is named in its .err. What looks like a
/// secret is replaced (engine/redact.hpp).
Snapshot take_snapshot(Site& site);

/// Adds to a snapshot what a judge needs besides: the nodes' roles and fabric, [[check]], and of the resources of
/// each node the few fields that checks look at. Contents, commands and variables stay away. `unfit` are the
/// nodes that the profile is not for.
void add_expectations(Snapshot& snapshot, const Inventory& inventory, const Profile& profile,
                      const std::map<NodeId, NodeWanted>& wanted, const std::map<NodeId, Error>& unfit);

/// A snapshot as it is judged. Without snapshot.json every node computes, and nothing is declared.
struct ReadSnapshot {
  Inventory inventory;
  Profile profile;
  std::map<NodeId, NodeWanted> wanted;
  std::map<NodeId, Facts> facts;
  std::map<NodeId, Error> failed;
  CheckReadings readings;
};

/// The files of an archive that `snapshot` wrote, or of the folder that it was unpacked to.
Result<std::map<std::string, std::string>> read_snapshot_files(const std::filesystem::path& path);
Result<ReadSnapshot> read_snapshot(const std::map<std::string, std::string>& files);

}  // namespace podwright
