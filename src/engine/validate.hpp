/// Measuring the interconnect: rounds from fabric/, the tool from the catalog, the verdict from
/// fabric/ again. Nothing here decides what is slow.
#pragma once

#include <optional>
#include <string>

#include "engine/site.hpp"
#include "model/fabric.hpp"
#include "model/facts.hpp"
#include "model/profile.hpp"

namespace podwright {

struct ValidateOptions {
  bool full = false;               ///< every pair, by the circle method
  std::string probe_command{};     ///< a site's own tool in place of the catalog's (see cli.md)
  std::uint64_t seed = 1;
  std::optional<double> seconds{}; ///< a measurement, in place of the profile's
  int base_port = 5201;
};

/// End points of the selected nodes: declared fabric ports, else the node's own address with the
/// fastest interface that the facts show.
std::vector<struct Endpoint> fabric_endpoints(const Site& site, const std::map<NodeId, Facts>& facts);

/// A measurement that cannot even start (tool unknown, fewer than two end points) is an error; a pair
/// that fails is part of the report.
Result<FabricReport> validate(Site& site, const Profile& profile, const std::map<NodeId, Facts>& facts,
                              const ValidateOptions& options);

}  // namespace podwright
