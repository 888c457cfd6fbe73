/// The tables of perftest: ib_write_bw, ib_read_bw, ib_send_bw, ib_write_lat and their like.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

struct PerftestRow {
  std::uint64_t bytes = 0;
  std::uint64_t iterations = 0;
  /// Of a bandwidth test, in Gbit/s. A test by duration does not tell a peak: it prints 0.00.
  std::optional<double> peak_gbps;
  std::optional<double> average_gbps;
  /// Of a latency test, in microseconds: "t_min", "t_avg", "99% percentile", as the header calls them.
  std::vector<std::pair<std::string, double>> latencies_us;

  [[nodiscard]] std::optional<double> latency_us(std::string_view name) const;
};

/// One run of a tool; an output in which client and server are merged has two.
struct PerftestTable {
  std::string test;  ///< "RDMA_Write BW Test", as it heads the run; empty: the head is missing
  std::vector<std::pair<std::string, std::string>> settings;  ///< "Device", "Mtu", "GID index", …
  std::vector<PerftestRow> rows;
};

/// Tables without a row are left out. A row or a unit that cannot be read is an error, and so is an
/// output without any table.
Result<std::vector<PerftestTable>> read_perftest(std::string_view text);

}  // namespace podwright::parsing
