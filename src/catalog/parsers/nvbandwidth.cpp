#include "catalog/parsers/nvbandwidth.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.hpp"
#include "base/text.hpp"
#include "catalog/parsers/tool_lines.hpp"
#include "catalog/registry.hpp"

namespace podwright::parsing {

namespace {

constexpr std::string_view tool = "nvbandwidth";

class Reader {
 public:
  Result<std::vector<NvbandwidthTest>> read(std::string_view text) {
    Line last;
    for (const auto& line : numbered_lines(text)) {
      if (auto done = take(line); !done) return fail(done.error());
      if (!line.text.empty()) last = line;
    }
    if (now_) return unreadable(tool, last, fmt::format("{} has no sum", now_->name));
    if (tests_.empty()) return nothing_found(tool, "test", text);
    return std::move(tests_);
  }

 private:
  Status take(const Line& line) {
    const auto& text = line.text;
    constexpr std::string_view running = "Running ";
    if (text.starts_with("[") && text.find("ERROR") != std::string_view::npos) {
      return unreadable(tool, line, "it failed");
    }
    if (text.starts_with("ERROR") || text.starts_with("CUDA_ERROR")) return unreadable(tool, line, "it failed");
    if (text.starts_with("Waived")) {
      now_.reset();
      return {};
    }
    if (text.starts_with(running) && text.ends_with('.')) {
      if (now_) return unreadable(tool, line, fmt::format("{} before it has no sum", now_->name));
      now_.emplace();
      now_->name = text.substr(running.size(), text.size() - running.size() - 1);
      columns_ = 0;
      return {};
    }
    if (!now_) return {};
    if (text.starts_with("SUM ")) return take_sum(line);
    if (text.ends_with(')') && text.rfind('(') != std::string_view::npos) {
      now_->unit = text.substr(text.rfind('(') + 1, text.size() - text.rfind('(') - 2);
      return {};
    }
    const auto cells = words(text);
    if (cells.empty() || !to_int(cells[0])) return {};
    if (columns_ == 0) {
      columns_ = cells.size();
      return {};
    }
    return take_row(line, cells);
  }

  Status take_row(const Line& line, const std::vector<std::string_view>& cells) {
    if (cells.size() != columns_ + 1) {
      return unreadable(tool, line, fmt::format("the row has {} values for {} columns", cells.size() - 1, columns_));
    }
    auto& row = now_->rows.emplace_back();
    for (std::size_t i = 1; i < cells.size(); ++i) {
      if (cells[i] == "N/A") {
        row.emplace_back();
        continue;
      }
      const auto value = to_double(cells[i]);
      if (!value || !std::isfinite(*value) || *value < 0) {
        return unreadable(tool, line, fmt::format("\"{}\" is no number", cells[i]));
      }
      row.emplace_back(*value);
    }
    return {};
  }

  Status take_sum(const Line& line) {
    const auto cells = words(line.text);
    const auto value = cells.size() == 3 ? to_double(cells[2]) : std::nullopt;
    if (!value || cells[1] != now_->name) return unreadable(tool, line, "no sum of " + now_->name);
    if (now_->rows.empty()) return unreadable(tool, line, now_->name + " has no matrix");
    now_->sum = *value;
    tests_.push_back(std::move(*now_));
    now_.reset();
    return {};
  }

  std::vector<NvbandwidthTest> tests_;
  std::optional<NvbandwidthTest> now_;
  std::size_t columns_ = 0;
};

Result<Json> parse(std::string_view text) {
  const auto tests = read_nvbandwidth(text);
  if (!tests) return fail(tests.error());
  Json all = Json::array();
  for (const auto& test : *tests) {
    Json rows = Json::array();
    for (const auto& row : test.rows) {
      Json cells = Json::array();
      for (const auto& value : row) cells.push_back(value ? Json(*value) : Json(nullptr));
      rows.push_back(std::move(cells));
    }
    all.push_back({{"name", test.name}, {"unit", test.unit}, {"rows", std::move(rows)}, {"sum", test.sum}});
  }
  return Json{{"tests", std::move(all)}};
}

const Registered nvbandwidth{Parser{.kind = "nvbandwidth", .summary = "bandwidth between host and GPUs, and between GPUs", .command = "nvbandwidth", .parse = parse}};

template <class Better>
std::optional<double> extreme(const NvbandwidthTest& test, Better better) {
  std::optional<double> found;
  for (const auto& row : test.rows) {
    for (const auto& value : row) {
      if (value && (!found || better(*value, *found))) found = value;
    }
  }
  return found;
}

}  // namespace

std::optional<double> NvbandwidthTest::least() const { return extreme(*this, std::less<>()); }
std::optional<double> NvbandwidthTest::most() const { return extreme(*this, std::greater<>()); }

Result<std::vector<NvbandwidthTest>> read_nvbandwidth(std::string_view text) { return Reader().read(text); }

}  // namespace podwright::parsing
