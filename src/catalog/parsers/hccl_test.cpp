// hccl_test. Traps: it exits with 0 when a result was wrong (check_result tells) and where the communicator
// could not be made; some versions put bars and colons between the columns.
#include "catalog/parsers/hccl_test.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.hpp"
#include "base/text.hpp"
#include "catalog/parsers/tool_lines.hpp"
#include "catalog/registry.hpp"

namespace podwright::parsing {

namespace {

constexpr std::string_view tool = "hccl-test";

Result<Json> parse(std::string_view text) {
  const auto rows = read_hccl_test(text);
  if (!rows) return fail(rows.error());
  Json all = Json::array();
  for (const auto& row : *rows) {
    all.push_back({{"bytes", row.bytes},
                   {"time_us", row.time_us},
                   {"algbw_gbytes_per_s", row.algbw},
                   {"check_result", row.check}});
  }
  return Json{{"rows", std::move(all)},
              {"correct", std::ranges::all_of(*rows, [](const HcclRow& row) { return row.check == "success"; })}};
}

const Registered hccl_test{Parser{.kind = "hccl-test", .summary = "collectives between Ascend NPUs", .command = "all_reduce_test -p 8 -b 8K -e 64M -c 1", .parse = parse}};

}  // namespace

Result<std::vector<HcclRow>> read_hccl_test(std::string_view text) {
  std::vector<HcclRow> rows;
  bool table = false;
  for (const auto& line : numbered_lines(text)) {
    std::string plain(line.text);
    std::ranges::replace(plain, '|', ' ');
    if (plain.find("retcode:") != std::string::npos) return unreadable(tool, line, "HCCL failed");
    if (plain.starts_with("data_size")) {
      if (plain.find("alg_bandwidth(GB/s)") == std::string::npos ||
          plain.find("avg_time(us)") == std::string::npos) {
        return unreadable(tool, line, "a table with columns that are not known");
      }
      table = true;
      continue;
    }
    const auto cells = words(plain);
    if (!table || cells.empty() || !to_int(cells[0])) continue;
    if (cells.size() != 4) {
      return unreadable(tool, line, fmt::format("the row has {} columns and not 4", cells.size()));
    }
    const auto bytes = to_int(cells[0]);
    const auto time = to_double(cells[1]);
    const auto rate = to_double(cells[2]);
    if (*bytes < 0 || !time || !rate || !std::isfinite(*time) || !std::isfinite(*rate) || *rate < 0) {
      return unreadable(tool, line, "the row is not of numbers");
    }
    rows.push_back({.bytes = static_cast<std::uint64_t>(*bytes),
                    .time_us = *time,
                    .algbw = *rate,
                    .check = std::string(cells[3])});
  }
  if (rows.empty()) return nothing_found(tool, table ? "row in the table" : "table", text);
  return rows;
}

}  // namespace podwright::parsing
