/// The table of hccl_test, Ascend's collective benchmark.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

struct HcclRow {
  std::uint64_t bytes = 0;
  double time_us = 0;
  double algbw = 0;   ///< GB/s; the tool does not know of bus bandwidth
  std::string check;  ///< "success", "failed", "NULL" (not verified)
};

/// A row that cannot be read is an error, and so is an output without any row. Wrong results are not:
/// `check` tells them, as the tool's exit status does not.
Result<std::vector<HcclRow>> read_hccl_test(std::string_view text);

}  // namespace podwright::parsing
