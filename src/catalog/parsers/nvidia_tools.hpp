/// What NVIDIA's tools print besides `nvidia-smi -q`: the list, NVLink, the topology, DCGM.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

/// `nvidia-smi nvlink -s` (speeds) and `-e` (error counters).
struct NvlinkGpu {
  std::int64_t index = 0;
  std::string name;
  std::string uuid;
  struct Link {
    std::int64_t number = 0;
    std::optional<double> gbytes_per_s;  ///< nothing: inactive, or not told (-e)
    bool active = false;
    std::vector<std::pair<std::string, std::int64_t>> errors;  ///< of -e: "CRC FLIT Error" and so on
  };
  std::vector<Link> links;
  bool all_inactive = false;  ///< "Unable to retrieve Nvlink information as all links are inActive"
};
Result<std::vector<NvlinkGpu>> parse_nvlink(std::string_view text);

/// A diagnosis of DCGM: `dcgmi diag -r N -j`, of DCGM 2 to 4, or its table.
struct DcgmTest {
  std::string category;
  std::string name;
  std::string gpu;     ///< "0"; empty: of the whole node
  std::string status;  ///< "Pass", "Fail", "Warn", "Skip"
  std::string message;
};
Result<std::vector<DcgmTest>> parse_dcgm_diag(std::string_view text);

}  // namespace podwright::parsing
