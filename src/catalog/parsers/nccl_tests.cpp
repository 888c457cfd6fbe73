// nccl-tests as text. Traps: a launcher's rank prefix before every line; other programs' lines within the
// table; older versions have no `root`, some operations no `redop`, and the third column is `error` instead
// of `#wrong`; `#` may be missing where logs were passed on; sizes of no bytes.
#include "catalog/parsers/nccl_tests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.hpp"
#include "base/text.hpp"
#include "catalog/parsers/tool_lines.hpp"
#include "catalog/registry.hpp"

namespace podwright::parsing {

namespace {

std::string_view uncommented(std::string_view line) {
  return line.starts_with('#') ? trim(line.substr(1)) : line;
}

class Reader {
 public:
  explicit Reader(std::string_view tool) : tool_(tool) {}

  Result<NcclTests> read(std::string_view text) {
    for (const auto& line : numbered_lines(text)) {
      if (auto done = take(line); !done) return fail(done.error());
    }
    if (found_.rows.empty()) return nothing_found(tool_, columns_.empty() ? "table" : "row in the table", text);
    return std::move(found_);
  }

 private:
  Status take(const Line& line) {
    const auto text = uncommented(line.text);
    const auto cells = words(text);
    if (cells.size() >= 10 && cells[0] == "size" && cells[1] == "count") {
      columns_.assign(cells.begin(), cells.end());
      found_.counts_wrong = std::ranges::find(columns_, "#wrong") != columns_.end();
      return check_header(line);
    }
    constexpr std::string_view average = "Avg bus bandwidth";
    if (text.starts_with(average)) {
      const auto value = to_double(trim(text.substr(text.find(':') + 1)));
      if (!value) return unreadable(tool_, line, "the average is no number");
      found_.average_busbw = *value;
      return {};
    }
    constexpr std::string_view bounds = "Out of bounds values";
    if (text.starts_with(bounds)) {
      const auto rest = words(text.substr(text.find(':') + 1));
      const auto value = rest.empty() ? std::nullopt : to_int(rest.front());
      if (!value) return unreadable(tool_, line, "the number of values out of bounds is none");
      found_.out_of_bounds = *value;
      return {};
    }
    if (cells.size() > 4 && cells[0] == "Rank" && to_int(cells[1])) {
      found_.devices.emplace_back(text);
      return {};
    }
    if (columns_.empty() || cells.empty() || line.text.starts_with('#') || !to_int(cells[0])) return {};
    return take_row(line, cells);
  }

  Status check_header(const Line& line) {
    // Behind the common columns come four for out-of-place and four for in-place.
    if (columns_.size() < 11 || std::ranges::count(columns_, "busbw") != 2) {
      return unreadable(tool_, line, "a table with columns that are not known");
    }
    return {};
  }

  Status take_row(const Line& line, const std::vector<std::string_view>& cells) {
    if (cells.size() != columns_.size()) {
      return unreadable(tool_, line, fmt::format("the row has {} columns where the header has {}",
                                                 cells.size(), columns_.size()));
    }
    NcclRow row;
    NcclTime* half = &row.out_of_place;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto& column = columns_[i];
      if (column == "type") row.type = cells[i];
      if (column == "redop") row.redop = cells[i];
      if (column == "type" || column == "redop") continue;
      const bool verdict = column == "#wrong" || column == "error";
      if (verdict && cells[i] == "N/A") {
        half = &row.in_place;
        continue;
      }
      const auto value = to_double(cells[i]);
      if (!value || !std::isfinite(*value) || (*value < 0 && column != "root")) {
        return unreadable(tool_, line, fmt::format("\"{}\" is no {}", cells[i], column));
      }
      if (column == "size") row.bytes = static_cast<std::uint64_t>(*value);
      if (column == "count") row.count = static_cast<std::uint64_t>(*value);
      if (column == "root") row.root = static_cast<int>(*value);
      if (column == "time") half->time_us = *value;
      if (column == "algbw") half->algbw = *value;
      if (column == "busbw") half->busbw = *value;
      if (verdict) {
        half->wrong = *value;
        half = &row.in_place;
      }
    }
    found_.rows.push_back(std::move(row));
    return {};
  }

  std::string_view tool_;
  NcclTests found_;
  std::vector<std::string> columns_;
};

Json half_of(const NcclTime& half) {
  return {{"time_us", half.time_us},
          {"algbw_gbytes_per_s", half.algbw},
          {"busbw_gbytes_per_s", half.busbw},
          {"wrong", half.wrong ? Json(*half.wrong) : Json(nullptr)}};
}

Result<Json> parse(std::string_view text) {
  const auto found = read_nccl_tests(text, "nccl-tests");
  if (!found) return fail(found.error());
  Json rows = Json::array();
  for (const auto& row : found->rows) {
    Json one = {{"bytes", row.bytes}, {"count", row.count}, {"type", row.type}};
    if (!row.redop.empty()) one["redop"] = row.redop;
    if (row.root) one["root"] = *row.root;
    one["out_of_place"] = half_of(row.out_of_place);
    one["in_place"] = half_of(row.in_place);
    rows.push_back(std::move(one));
  }
  Json document = {{"rows", std::move(rows)}};
  document["ranks"] = found->devices.empty() ? Json(nullptr) : Json(found->devices.size());
  document["avg_busbw_gbytes_per_s"] = found->average_busbw ? Json(*found->average_busbw) : Json(nullptr);
  document["out_of_bounds"] = found->out_of_bounds ? Json(*found->out_of_bounds) : Json(nullptr);
  return document;
}

const Registered nccl_tests{Parser{.kind = "nccl-tests", .summary = "collectives between NVIDIA GPUs", .command = "all_reduce_perf -b 16G -e 16G -g 1", .parse = parse}};
const Registered rccl_tests{Parser{.kind = "rccl-tests", .summary = "collectives between AMD GPUs", .command = "all_reduce_perf -b 16G -e 16G -g 1", .parse = parse}};

}  // namespace

Result<NcclTests> read_nccl_tests(std::string_view text, std::string_view tool) {
  return Reader(tool).read(text);
}

}  // namespace podwright::parsing
