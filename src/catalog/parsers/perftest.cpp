// perftest as text. Its own JSON is invalid in some versions. Traps: the unit stands in the header of the
// table only, and MB/sec are 2^20 bytes; with a duration the peak column is 0.00; warnings about the
// processor's frequency stand within the table; client and server of one terminal are mixed.
#include "catalog/parsers/perftest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.hpp"
#include "base/text.hpp"
#include "catalog/parsers/tool_lines.hpp"
#include "catalog/registry.hpp"

namespace podwright::parsing {

namespace {

constexpr std::string_view tool = "perftest";

/// The names of the columns: "BW peak[Gb/sec]" and "99% percentile[usec]" are of two words.
std::vector<std::string> columns_of(std::string_view header) {
  std::vector<std::string> columns;
  std::string open;
  for (const auto word : words(header)) {
    if (columns.size() < 2) {  // #bytes, #iterations
      columns.emplace_back(word);
      continue;
    }
    open += (open.empty() ? "" : " ") + std::string(word);
    if (!open.ends_with(']') && open != "tps average") continue;
    columns.push_back(std::move(open));
    open.clear();
  }
  if (!open.empty()) columns.push_back(std::move(open));
  return columns;
}

/// Gbit/s of one unit of a bandwidth column; nothing for an unknown one.
std::optional<double> gbits_of(std::string_view column) {
  constexpr double mebibyte = 8.0 * (1 << 20) / 1e9;
  if (column.ends_with("[Gb/sec]")) return 1.0;
  if (column.ends_with("[MB/sec]") || column.ends_with("[MiB/sec]")) return mebibyte;
  return std::nullopt;
}

std::string without_unit(std::string_view column) {
  return std::string(column.substr(0, column.find('[')));
}

class Reader {
 public:
  Result<std::vector<PerftestTable>> read(std::string_view text) {
    for (const auto& line : numbered_lines(text)) {
      if (auto done = take(line); !done) return fail(done.error());
    }
    close();
    if (tables_.empty()) {
      return nothing_found(tool, headed_ ? "row in the table" : "result", text);
    }
    return std::move(tables_);
  }

 private:
  Status take(const Line& line) {
    if (line.text.starts_with("#bytes")) return open_table(line);
    if (line.text.ends_with(" Test") && line.text.find(':') == std::string_view::npos) {
      close();
      now_.test = line.text;
      return {};
    }
    const auto cells = words(line.text);
    if (!columns_.empty() && !cells.empty() && to_int(cells.front())) return take_row(line, cells);
    if (columns_.empty()) take_settings(line.text);
    return {};
  }

  Status open_table(const Line& line) {
    if (!now_.rows.empty()) close();
    headed_ = true;
    columns_ = columns_of(line.text);
    if (columns_.size() < 2) return unreadable(tool, line, "a table without iterations");
    for (const auto& column : columns_) {
      if (column.starts_with("BW ") && !gbits_of(column)) {
        return unreadable(tool, line, "a table in an unknown unit");
      }
    }
    return {};
  }

  Status take_row(const Line& line, const std::vector<std::string_view>& cells) {
    if (cells.size() != columns_.size()) {
      return unreadable(tool, line, fmt::format("the row has {} columns where the header has {}",
                                                cells.size(), columns_.size()));
    }
    PerftestRow row;
    const auto bytes = to_int(cells[0]);
    const auto iterations = to_int(cells[1]);
    if (!bytes || *bytes < 0 || !iterations || *iterations < 0) {
      return unreadable(tool, line, "the row does not begin with bytes and iterations");
    }
    row.bytes = static_cast<std::uint64_t>(*bytes);
    row.iterations = static_cast<std::uint64_t>(*iterations);
    for (std::size_t i = 2; i < cells.size(); ++i) {
      const auto& column = columns_[i];
      const auto value = to_double(cells[i]);
      if (!value || !std::isfinite(*value) || *value < 0) {
        return unreadable(tool, line, fmt::format("\"{}\" is no {}", cells[i], column));
      }
      if (column.starts_with("BW peak")) {
        if (*value > 0) row.peak_gbps = *value * *gbits_of(column);
      } else if (column.starts_with("BW average")) {
        if (*value <= 0) return unreadable(tool, line, "nothing was transferred");
        row.average_gbps = *value * *gbits_of(column);
      } else if (column.ends_with("[usec]")) {
        row.latencies_us.emplace_back(without_unit(column), *value);
      }
    }
    if (!row.average_gbps && row.latencies_us.empty()) {
      return unreadable(tool, line, "the table has neither bandwidth nor latency");
    }
    now_.rows.push_back(std::move(row));
    return {};
  }

  /// "Dual-port       : OFF		Device         : mlx5_1": one or two on a line.
  void take_settings(std::string_view line) {
    for (auto rest = line; !rest.empty();) {
      const auto colon = rest.find(" : ");
      const auto tight = rest.find(": ");
      const auto at = std::min(colon, tight);
      if (at == std::string_view::npos) return;
      const auto key = trim(rest.substr(0, at));
      auto value = trim(rest.substr(rest.find(':', at) + 1));
      const auto gap = std::min(value.find("\t"), value.find("   "));
      rest = gap == std::string_view::npos ? std::string_view{} : trim(value.substr(gap));
      value = trim(value.substr(0, gap));
      if (!key.empty() && key.size() < 24 && key.find('*') == std::string_view::npos) {
        now_.settings.emplace_back(key, value);
      }
    }
  }

  void close() {
    if (!now_.rows.empty()) tables_.push_back(std::move(now_));
    now_ = {};
    columns_.clear();
  }

  std::vector<PerftestTable> tables_;
  PerftestTable now_;
  std::vector<std::string> columns_;
  bool headed_ = false;
};

Result<Json> parse(std::string_view text) {
  const auto tables = read_perftest(text);
  if (!tables) return fail(tables.error());
  Json all = Json::array();
  for (const auto& table : *tables) {
    Json one;
    one["test"] = table.test;
    one["settings"] = Json::object();
    for (const auto& [key, value] : table.settings) one["settings"][key] = value;
    one["rows"] = Json::array();
    for (const auto& row : table.rows) {
      Json cells = {{"bytes", row.bytes}, {"iterations", row.iterations}};
      if (row.average_gbps) {
        cells["average_gbps"] = *row.average_gbps;
        cells["peak_gbps"] = row.peak_gbps ? Json(*row.peak_gbps) : Json(nullptr);
      }
      for (const auto& [name, value] : row.latencies_us) cells["latency_us"][name] = value;
      one["rows"].push_back(std::move(cells));
    }
    all.push_back(std::move(one));
  }
  return Json{{"tables", std::move(all)}};
}

const Registered perftest{Parser{.kind = "perftest", .summary = "RDMA bandwidth or latency: ib_write_bw, ib_read_bw, ib_write_lat, …", .command = "ib_write_bw -F --report_gbits", .parse = parse}};

}  // namespace

std::optional<double> PerftestRow::latency_us(std::string_view name) const {
  const auto found = std::ranges::find_if(latencies_us, [&](const auto& one) { return one.first == name; });
  return found == latencies_us.end() ? std::nullopt : std::optional(found->second);
}

Result<std::vector<PerftestTable>> read_perftest(std::string_view text) { return Reader().read(text); }

}  // namespace podwright::parsing
