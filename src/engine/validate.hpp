/// Measuring the interconnect: rounds from fabric/, the tool from the catalog, the verdict from
/// fabric/ again. Nothing here decides what is slow.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/site.hpp"
#include "fabric/schedule.hpp"
#include "model/fabric.hpp"
#include "model/facts.hpp"
#include "model/profile.hpp"

namespace podwright {

struct ValidateOptions {
  bool full = false;               ///< every pair, by the circle method
  std::uint64_t seed = 1;
  std::optional<double> seconds{}; ///< of a measurement, in place of the profile's
};

/// End points of the selected nodes that have the role compute (all, where none has it): declared
/// fabric ports, else the node's own address with the line rate that the facts show for it. `facts`
/// may be empty.
std::vector<Endpoint> fabric_endpoints(const Inventory& inventory, const std::vector<NodeId>& nodes,
                                       const std::map<NodeId, Facts>& facts);

/// Measures one round. A pair that could not be measured is a result with its error; only what spoils
/// the whole round (the site's tool is missing) is an error.
using MeasureRound = std::function<Result<std::vector<PairResult>>(const Round& round, int number)>;

/// Measures with the tool that the profile names, over SSH: a server on one end, a client on the other.
Result<MeasureRound> measure_with_catalog(Site& site, const Profile& profile,
                                          std::vector<Endpoint> endpoints,
                                          const ValidateOptions& options);

/// Measures with a site's own command (see cli.md): no node is contacted. `events` as for the others.
MeasureRound measure_with_command(std::string command, Millis deadline, std::stop_token stop);

/// Rounds, more rounds where they can change the verdict, and the verdict. Fewer than two end points
/// is an error.
Result<FabricReport> validate(events::Bus& events, std::stop_token stop, const Profile& profile,
                              std::span<const Endpoint> endpoints, const MeasureRound& measure,
                              const ValidateOptions& options);

}  // namespace podwright
