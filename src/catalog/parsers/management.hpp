/// What management controllers and schedulers say: ipmitool, Slurm, Intel Gaudi's hl-smi.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

/// A line of `ipmitool sel list` or `sel elist`.
struct SelEvent {
  std::string id;
  std::string date;   ///< "01/18/2023"; "Pre-Init" before the controller knew the time
  std::string time;
  std::string sensor; ///< "Critical Interrupt #0x90"
  std::string event;  ///< "Bus Fatal Error"
  std::string direction;  ///< "Asserted", "Deasserted"
};
Result<std::vector<SelEvent>> parse_ipmi_sel(std::string_view text);

/// `scontrol show node`, with or without --oneliner: the fields of each node, in its order.
using SlurmFields = std::vector<std::pair<std::string, std::string>>;
Result<std::vector<SlurmFields>> parse_scontrol_nodes(std::string_view text);

/// `hl-smi -Q index,bus_id,… -f csv`: a row for each accelerator, its cells by name.
Result<std::vector<std::map<std::string, std::string>>> parse_hl_smi(std::string_view text);

}  // namespace podwright::parsing
