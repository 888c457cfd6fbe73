/// Measuring the interconnect: rounds from fabric/, the tool from the catalog, the verdict from
/// fabric/ again. Nothing here decides what is slow.
#pragma once

#include <functional>
#include <map>
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
  std::optional<bool> rails_together{};  ///< in place of the profile's
  std::map<double, double> floors{};     ///< Gbit/s that ports of a line rate must reach; else the fraction
};

/// What the schedule and the judge are asked for.
fabric::Options fabric_options(const Profile& profile, const ValidateOptions& options);

/// End points of the selected nodes that have the role compute (all, where none has it): declared
/// fabric ports; else, for transports over RDMA, the active HCAs that the facts show, in their order, those
/// of the highest rate only (switches show ports of their own); else the node's own address. The line rate
/// is the declared one, or that of the facts. `facts` may be empty.
std::vector<Endpoint> fabric_endpoints(const Inventory& inventory, const std::vector<NodeId>& nodes,
                                       const std::map<NodeId, Facts>& facts,
                                       const std::string& transport = "tcp");

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

/// The whole of it over SSH: leaf switches where no label names them, error counters of the ports before and
/// after, the rounds, and the profile's collectives over the nodes that are not at fault.
Result<FabricReport> measure_fabric(Site& site, const Profile& profile, const std::map<NodeId, Facts>& facts,
                                    std::vector<Endpoint> endpoints, ValidateOptions options);

}  // namespace podwright
