/// What nvbandwidth measures within a node: one matrix a test.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

struct NvbandwidthTest {
  std::string name;  ///< "host_to_device_memcpy_ce"
  std::string unit;  ///< "GB/s", "ns"
  /// Rows and columns as printed; empty where it says N/A.
  std::vector<std::vector<std::optional<double>>> rows;
  double sum = 0;

  /// The smallest and the largest value; nothing where all are N/A.
  [[nodiscard]] std::optional<double> least() const;
  [[nodiscard]] std::optional<double> most() const;
};

/// Tests that were waived, for this machine can't do them, are left out. A test without its matrix or its
/// sum is an error, and so is an output without any test.
Result<std::vector<NvbandwidthTest>> read_nvbandwidth(std::string_view text);

}  // namespace podwright::parsing
