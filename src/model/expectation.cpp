#include "model/expectation.hpp"

#include <algorithm>
#include <cmath>

namespace podwright {

const ExpectedRate* expected_rate(const std::vector<ExpectedRate>& table, const RateQuery& query) {
  std::string hardware(query.hardware);
  std::ranges::transform(hardware, hardware.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  std::size_t longest = 0;
  for (const auto& row : table) {
    if (hardware.find(row.hardware) != std::string::npos) longest = std::max(longest, row.hardware.size());
  }
  for (const auto& row : table) {
    if (row.hardware.size() != longest || hardware.find(row.hardware) == std::string::npos) continue;
    if (row.operation != query.operation) continue;
    if (!row.algorithm.empty() && row.algorithm != query.algorithm) continue;
    if (query.nodes < row.least_nodes || query.nodes > row.most_nodes) continue;
    if (row.line_rate_gbps > 0 && std::abs(row.line_rate_gbps - query.line_rate_gbps) > 0.5) continue;
    return &row;
  }
  return nullptr;
}

}  // namespace podwright
