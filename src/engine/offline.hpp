/// Nodes that install from a bundle, with no network but the one to the head: the repository of their
/// operating system lies on the node while steps run, and their packager is pointed at it by its
/// environment alone. What the node has configured itself is neither read nor changed.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "bundle/bundle.hpp"
#include "engine/distribute.hpp"
#include "engine/site.hpp"
#include "model/facts.hpp"

namespace podwright {

/// Where a node has its repository; steps read it as $PODWRIGHT_BUNDLE.
inline constexpr std::string_view bundle_folder = "/var/lib/podwright/bundle";

/// A bundle that was proven, and whose members lie on the head by their digests.
struct OfflineSource {
  OpenedBundle bundle;
  std::filesystem::path members;  ///< a file each, named by its SHA-256
};

/// Proves the bundle and unpacks it beside the artifacts of <state_dir>, where place_artifacts finds the
/// files of resources. `older` are those that it adds to, `public_key` whose it must be; may be empty.
/// Anything wrong with it is an error: nothing of it is used then.
Result<OfflineSource> open_source(const Inventory& inventory, const std::filesystem::path& bundle,
                                  const std::vector<std::filesystem::path>& older,
                                  const std::filesystem::path& public_key, const std::stop_token& stop);

/// Sends the nodes all that they may need of the bundle and lack: what a later apply from it finds there. What a
/// node has installed in that very version is not sent.
Distributed push_bundle(Site& site, const OfflineSource& source, const std::map<NodeId, Facts>& facts,
                        const std::vector<NodeId>& nodes, const TransferOptions& options);

/// Has the repository on each of the nodes; what a node has installed in that very version is not sent. The
/// answer holds the nodes that cannot have it, and why: an operating system that the bundle is not for.
std::map<NodeId, Error> place_bundle(Site& site, const OfflineSource& source, const std::map<NodeId, Facts>& facts,
                                     const std::vector<NodeId>& nodes);

/// sh that points the packagers of the scripts after it at the repository.
std::string bundle_environment();

/// Takes repository and packages away from nodes that are done with them.
void remove_bundle(Site& site, const std::vector<NodeId>& nodes);

}  // namespace podwright
