/// A profile made from a golden node: what was installed, configured, enabled and created on it beyond its
/// distribution. It plans to nothing on that node, and makes an empty one like it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "catalog/registry.hpp"
#include "engine/site.hpp"
#include "model/facts.hpp"

namespace podwright {

struct CapturedProfile {
  std::string toml;
  /// What it brings with `source`, by path below the folder of the profile: "gold.files/etc/motd".
  std::map<std::string, std::string> files;
  /// What it could not or must not take along, and why: secrets, binary files, what is the node's own.
  std::vector<std::string> left_out;
};

/// Reads the node (nothing is changed) and writes the profile `name`.
Result<CapturedProfile> capture_profile(Site& site, const NodeId& node, const std::string& name);

/// The scripts that read a node, by part: "packages", "files", …
std::map<std::string, std::string> capture_scripts();
/// Pure: from the outputs of those scripts.
Result<CapturedProfile> captured_profile(const Facts& facts, const std::map<std::string, Observed>& parts,
                                         const std::string& name);

}  // namespace podwright
