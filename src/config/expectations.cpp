#include "config/expectations.hpp"

#include <fmt/format.h>

#include "base/assets.hpp"
#include "base/text.hpp"
#include "config/config.hpp"
#include "config/reader.hpp"

namespace podwright {

namespace {

/// Of what somebody measured on a sound machine: the margin of [fabric] floor_fraction.
constexpr double share_of_measured = 0.92;

ExpectedRate read_row(const Value& value, Complaints& complaints) {
  TableReader table(value, "[[expectation]]", complaints);
  ExpectedRate row;
  const auto required = [&](std::string_view key) {
    const auto text = table.text(key);
    if (!text || text->empty()) table.complain(key, fmt::format("[[expectation]] needs {}", key));
    return text.value_or("");
  };
  row.hardware = required("hardware");
  row.operation = required("operation");
  row.source = required("source");
  row.algorithm = table.text("algorithm").value_or("");
  if (const auto* nodes = table.any("nodes")) {
    const auto* both = nodes->array();
    const bool good = both != nullptr && both->size() == 2 && both->front().integer() != nullptr &&
                      both->back().integer() != nullptr && *both->front().integer() >= 1 &&
                      *both->back().integer() >= *both->front().integer();
    if (good) {
      row.least_nodes = static_cast<int>(*both->front().integer());
      row.most_nodes = static_cast<int>(*both->back().integer());
    } else {
      table.complain("nodes", "nodes in [[expectation]] must be [least, most]");
    }
  }
  row.line_rate_gbps = table.number("line_rate_gbps").value_or(0);
  const auto bytes = table.number("gbytes_per_s");
  const auto bits = table.number("gbits_per_s");
  row.rate = bytes.value_or(0) + bits.value_or(0);
  if (bytes.has_value() == bits.has_value() || !(row.rate > 0)) {
    table.complain("gbytes_per_s", "[[expectation]] needs either gbytes_per_s or gbits_per_s, more than 0");
  }
  if (table.flag("measured").value_or(false)) row.rate *= share_of_measured;
  table.refuse_the_rest();
  return row;
}

}  // namespace

Result<std::vector<ExpectedRate>> parse_expectations(std::string_view text, const std::string& name) {
  const auto document = parse_toml(text, name);
  if (!document) return fail(document.error());
  Complaints complaints;
  TableReader top(*document, "this file", complaints);
  std::vector<ExpectedRate> rows;
  for (const auto* value : top.tables("expectation")) rows.push_back(read_row(*value, complaints));
  top.refuse_the_rest();
  if (const auto status = complaints.status(); !status) return fail(status.error());
  return rows;
}

Result<std::vector<ExpectedRate>> load_expectations() {
  const auto asset = load_asset("data/interconnect.toml");
  if (!asset) return fail(asset.error());
  return parse_expectations(asset->content, asset->where);
}

}  // namespace podwright
