/// AMD GPUs: `rocm-smi --json` and `amd-smi … --json`, whose names change with every release.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

struct AmdGpu {
  std::int64_t index = 0;
  std::string slot;  ///< "0000:07:00.0"
  std::string name;
  std::string serial;
  std::string vbios;
  std::string driver;
  std::optional<std::int64_t> ecc_corrected, ecc_uncorrected;
  std::optional<std::int64_t> bad_pages;          ///< retired
  std::optional<std::int64_t> bad_pages_pending;
  std::optional<std::int64_t> pcie_width, pcie_width_max;
  std::optional<double> pcie_gts, pcie_gts_max;
  std::optional<std::int64_t> pcie_replays;
  std::optional<std::int64_t> xgmi_errors;
  std::optional<double> temperature_c;  ///< the hottest of edge, hotspot (junction) and memory
  std::optional<double> power_w;
  std::optional<std::uint64_t> memory_bytes, memory_used_bytes;
};

/// Documents of both tools, by what is in them. Several documents one after the other are merged by GPU.
Result<std::vector<AmdGpu>> parse_amd(std::string_view text);

}  // namespace podwright::parsing
