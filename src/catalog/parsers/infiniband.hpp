/// InfiniBand and RoCE: what the tools of rdma-core, infiniband-diags and NVIDIA's MFT print.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

/// `mlxlink -d DEVICE -c --json`.
struct Mlxlink {
  std::string state;           ///< "Active"
  std::string physical_state;  ///< "LinkUp"
  std::string speed;           ///< "100G"
  std::string width;           ///< "4x"
  std::string recommendation;  ///< "No issue was observed"
  std::optional<double> raw_ber, effective_ber;
  std::optional<std::int64_t> effective_errors;
};
Result<Mlxlink> parse_mlxlink(std::string_view text);

/// `show_gids`: one entry of a port's GID table.
struct Gid {
  std::string device;
  std::int64_t port = 0;
  std::int64_t index = 0;
  std::string gid;
  std::string ipv4;     ///< may be empty
  std::string version;  ///< "v1", "v2"; may be empty
  std::string netdev;
};
Result<std::vector<Gid>> parse_show_gids(std::string_view text);

/// `perfquery -x`: the counters of each port.
struct PortCounters {
  std::int64_t lid = 0;
  std::int64_t port = 0;
  std::map<std::string, std::int64_t> counters;
};
Result<std::vector<PortCounters>> parse_perfquery(std::string_view text);

}  // namespace podwright::parsing
