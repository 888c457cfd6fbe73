// The OSU micro-benchmarks: a head that names the test, then sizes with a latency or a bandwidth.
#include <fmt/format.h>

#include <cmath>

#include "base/json.hpp"
#include "base/text.hpp"
#include "catalog/parsers/tool_lines.hpp"
#include "catalog/registry.hpp"

namespace podwright::parsing {

namespace {

constexpr std::string_view tool = "osu";

Result<Json> parse(std::string_view text) {
  Json document;
  std::vector<std::string> columns;
  Json rows = Json::array();
  for (const auto& line : numbered_lines(text)) {
    if (line.text.starts_with("# OSU")) {
      document["test"] = trim(line.text.substr(1));
      continue;
    }
    if (line.text.starts_with("# Size")) {
      // Columns are parted by two blanks or more: "Avg Latency(us)" is one.
      columns.clear();
      auto rest = trim(line.text.substr(1));
      while (!rest.empty()) {
        const auto gap = std::min(rest.find("  "), rest.find('\t'));
        columns.emplace_back(trim(rest.substr(0, gap)));
        rest = gap == std::string_view::npos ? std::string_view{} : trim(rest.substr(gap));
      }
      continue;
    }
    const auto cells = words(line.text);
    if (columns.empty() || cells.empty() || !to_int(cells[0])) continue;
    if (cells.size() != columns.size()) {
      return unreadable(tool, line, fmt::format("the row has {} columns where the header has {}", cells.size(),
                                                columns.size()));
    }
    Json row = {{"bytes", *to_int(cells[0])}};
    for (std::size_t i = 1; i < cells.size(); ++i) {
      const auto value = to_double(cells[i]);
      if (!value || !std::isfinite(*value)) return unreadable(tool, line, fmt::format("\"{}\" is no number", cells[i]));
      row[columns[i]] = *value;
    }
    rows.push_back(std::move(row));
  }
  if (rows.empty()) return nothing_found(tool, columns.empty() ? "table" : "row in the table", text);
  document["rows"] = std::move(rows);
  return document;
}

const Registered osu{Parser{.kind = "osu", .summary = "the OSU micro-benchmarks of MPI", .command = "osu_allreduce", .parse = parse}};

}  // namespace

}  // namespace podwright::parsing
