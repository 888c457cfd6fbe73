/// The table of nccl-tests, and of rccl-tests, which is the same program.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

struct NcclTime {
  double time_us = 0;
  double algbw = 0;  ///< GB/s, 10^9 bytes
  double busbw = 0;  ///< GB/s
  /// Numbers that were wrong; in old versions the largest error. Empty: not verified (N/A).
  std::optional<double> wrong;
};
struct NcclRow {
  std::uint64_t bytes = 0;
  std::uint64_t count = 0;
  std::string type;
  std::string redop;  ///< "sum"; empty: the operation has none
  std::optional<int> root;
  NcclTime out_of_place;
  NcclTime in_place;
};
struct NcclTests {
  std::vector<NcclRow> rows;
  std::vector<std::string> devices;  ///< "Rank  0 … device  0 [0x00] NVIDIA H100", one a rank
  std::optional<double> average_busbw;
  std::optional<std::int64_t> out_of_bounds;
  /// The third column of a table is #wrong (a count); else it is the error of old versions.
  bool counts_wrong = false;
};

/// A row that cannot be read is an error, and so is an output without any row.
Result<NcclTests> read_nccl_tests(std::string_view text, std::string_view tool);

}  // namespace podwright::parsing
