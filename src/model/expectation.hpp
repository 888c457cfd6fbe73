/// What hardware reaches when nothing is wrong: the rows of data/interconnect.toml.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace podwright {

struct ExpectedRate {
  std::string hardware;   ///< in lower case, part of the accelerator's model: "h100"
  std::string operation;  ///< "all_reduce", "host_to_device_memcpy_ce", "ib_write_bw"
  std::string algorithm;  ///< "nvls"; empty: any
  int least_nodes = 1;
  int most_nodes = 1;
  double line_rate_gbps = 0;  ///< of the port; 0: any
  double rate = 0;        ///< what is expected: GB/s of bus bandwidth, Gbit/s of one port
  std::string source;
};

/// What is asked for.
struct RateQuery {
  std::string_view hardware;  ///< as the driver calls it, or a row's own name
  std::string_view operation;
  std::string_view algorithm{};
  int nodes = 1;
  double line_rate_gbps = 0;
};

/// The first row that fits; null: nobody has told a figure. A row of an algorithm fits only when that
/// algorithm is asked for; of two names that fit ("b200" is in "GB200") the longer one counts.
const ExpectedRate* expected_rate(const std::vector<ExpectedRate>& table, const RateQuery& query);

}  // namespace podwright
