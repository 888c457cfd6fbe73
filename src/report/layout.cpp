#include "report/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/text.hpp"

namespace podwright::layout {

namespace {

constexpr std::size_t gap = 2;
/// A column is not squeezed below this, whatever the terminal.
constexpr std::size_t least_column = 8;

/// The code point at `at`, which moves behind it. Bytes that are no UTF-8 count one each.
std::uint32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  const std::size_t length = byte < 0x80    ? 1
                             : byte >= 0xF0 ? 4
                             : byte >= 0xE0 ? 3
                             : byte >= 0xC0 ? 2
                                            : 1;
  std::uint32_t point = length == 1 ? byte : byte & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length && at + i < text.size(); ++i) {
    point = (point << 6U) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  }
  at = std::min(text.size(), at + length);
  return point;
}

/// Columns of a code point: none for combining marks, two for what East Asian fonts draw wide.
std::size_t columns_of(std::uint32_t point) {
  using Range = std::pair<std::uint32_t, std::uint32_t>;
  constexpr std::array<Range, 4> none = {
      {{0x300, 0x36F}, {0x200B, 0x200F}, {0xFE00, 0xFE0F}, {0x20D0, 0x20FF}}};
  constexpr std::array<Range, 9> two = {{{0x1100, 0x115F},
                                         {0x2E80, 0x303E},
                                         {0x3041, 0xA4CF},
                                         {0xAC00, 0xD7A3},
                                         {0xF900, 0xFAFF},
                                         {0xFE30, 0xFE6F},
                                         {0xFF00, 0xFF60},
                                         {0x1F300, 0x1FAFF},
                                         {0x20000, 0x3FFFD}}};
  const auto in = [&](const Range& range) { return point >= range.first && point <= range.second; };
  if (std::ranges::any_of(none, in)) return 0;
  return std::ranges::any_of(two, in) ? 2 : 1;
}

/// How many bytes of `text` fit into `width` columns; at least one code point.
std::size_t fitting_bytes(std::string_view text, std::size_t width) {
  std::size_t used = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t next = at;
    used += columns_of(next_code_point(text, next));
    if (used > width && at > 0) break;
    at = next;
  }
  return at;
}

/// Widths that fit: the widest columns give way first, down to what they all could share.
std::vector<std::size_t> column_widths(const std::vector<std::vector<Cell>>& rows,
                                       std::size_t room) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    if (row.size() > widths.size()) widths.resize(row.size(), 0);
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row[i].text));
  }
  const std::size_t gaps = widths.empty() ? 0 : gap * (widths.size() - 1);
  room = room > gaps ? room - gaps : 0;
  for (;;) {
    std::size_t sum = 0;
    for (const auto width : widths) sum += width;
    if (sum <= room) return widths;
    const auto widest = std::ranges::max_element(widths);
    if (*widest <= least_column) return widths;
    // Down to the next widest, or as far as needed.
    std::size_t next = least_column;
    for (auto it = widths.begin(); it != widths.end(); ++it) {
      if (it != widest && *it < *widest) next = std::max(next, *it);
    }
    *widest -= std::min(sum - room, std::max<std::size_t>(1, *widest - std::min(*widest, next)));
    *widest = std::max(*widest, least_column);
  }
}

}  // namespace

std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) width += columns_of(next_code_point(text, at));
  return width;
}

std::string padded(std::string_view text, std::size_t width) {
  const auto used = width_of(text);
  return std::string(text) + std::string(width > used ? width - used : 0, ' ');
}

std::string shortened(std::string_view text, std::size_t width) {
  if (width_of(text) <= width) return std::string(text);
  if (width == 0) return {};
  if (width == 1) return "…";
  return std::string(text.substr(0, fitting_bytes(text, width - 1))) + "…";
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  width = std::max<std::size_t>(width, 1);
  std::vector<std::string> result;
  std::string line;
  for (auto word : words(text)) {
    const auto used = width_of(line);
    if (!line.empty() && used + 1 + width_of(word) > width) {
      result.push_back(std::exchange(line, {}));
    }
    while (width_of(word) > width) {
      const auto bytes = fitting_bytes(word, width);
      result.emplace_back(word.substr(0, bytes));
      word.remove_prefix(bytes);
    }
    if (!line.empty()) line += ' ';
    line += word;
  }
  if (!line.empty() || result.empty()) result.push_back(std::move(line));
  return result;
}

std::string styled(std::string_view text, std::string_view style, bool color) {
  if (!color || style.empty() || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", style, text);
}

std::string table(const std::vector<std::vector<Cell>>& rows, std::size_t width, std::size_t indent,
                  bool color) {
  const auto widths = column_widths(rows, width > indent ? width - indent : 0);
  std::string text;
  for (const auto& row : rows) {
    std::vector<std::vector<std::string>> cells;
    std::size_t height = 1;
    for (std::size_t i = 0; i < row.size(); ++i) {
      cells.push_back(wrapped(row[i].text, widths[i]));
      height = std::max(height, cells.back().size());
    }
    for (std::size_t line = 0; line < height; ++line) {
      std::string out(indent, ' ');
      std::string pending;
      for (std::size_t i = 0; i < cells.size(); ++i) {
        const std::string piece = line < cells[i].size() ? cells[i][line] : std::string{};
        if (!piece.empty()) {
          out += pending + styled(piece, row[i].style, color);
          pending.clear();
        }
        pending += std::string(widths[i] - std::min(widths[i], width_of(piece)) + gap, ' ');
      }
      text += out.substr(0, out.find_last_not_of(' ') + 1) + '\n';
    }
  }
  return text;
}

}  // namespace podwright::layout
