#include "events/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/text.hpp"

namespace podwright::events {

namespace {

/// The code point at `at`, which moves behind it. Invalid bytes count as one column each.
char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
  char32_t point = more == 3 ? lead & 0x07U : more == 2 ? lead & 0x0FU : more == 1 ? lead & 0x1FU : lead;
  for (int i = 0; i < more && at < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if ((byte & 0xC0U) != 0x80U) break;
    point = (point << 6U) | (byte & 0x3FU);
    ++at;
  }
  return point;
}

struct Range {
  char32_t first;
  char32_t last;
};

// The blocks that matter in practice; wcwidth() would depend on the locale of whoever runs us.
constexpr std::array kWide = {Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},   Range{0x3041, 0x33FF},
                              Range{0x3400, 0x4DBF},   Range{0x4E00, 0x9FFF},   Range{0xA000, 0xA4CF},
                              Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},
                              Range{0xFF00, 0xFF60},   Range{0xFFE0, 0xFFE6},   Range{0x1F300, 0x1F64F},
                              Range{0x1F900, 0x1F9FF}, Range{0x20000, 0x3FFFD}};
constexpr std::array kNone = {Range{0x0300, 0x036F}, Range{0x200B, 0x200F}, Range{0x20D0, 0x20FF},
                              Range{0xFE00, 0xFE0F}, Range{0xFE20, 0xFE2F}};

std::size_t columns(char32_t point) {
  const auto holds = [&](Range range) { return point >= range.first && point <= range.last; };
  if (point < 0x300) return 1;
  if (std::ranges::any_of(kNone, holds)) return 0;
  return std::ranges::any_of(kWide, holds) ? 2 : 1;
}

/// Bytes of `text` that take at most `width` columns.
std::size_t bytes_within(std::string_view text, std::size_t width) {
  std::size_t at = 0;
  std::size_t used = 0;
  while (at < text.size()) {
    std::size_t next = at;
    used += columns(next_code_point(text, next));
    if (used > width) break;
    at = next;
  }
  return at;
}

void wrap_line(std::string_view line, std::size_t width, std::size_t indent, bool first,
               std::vector<std::string>& into) {
  std::string current(first ? 0 : indent, ' ');
  const std::size_t room = std::max<std::size_t>(width, indent + 1);
  if (current.size() + display_width(line) <= room) {  // its own layout is kept
    into.push_back(line.empty() ? std::string{} : current + std::string(line));
    return;
  }
  bool fresh = true;
  // Blanks at the beginning of a line are somebody's layout.
  const auto layout = line.find_first_not_of(' ');
  if (layout != std::string_view::npos && layout < room / 2) current.append(layout, ' ');
  for (auto word : words(line)) {
    for (;;) {
      const std::size_t taken = display_width(current) + (fresh ? 0 : 1);
      if (taken + display_width(word) <= room) break;
      if (fresh) {
        const auto part = std::max<std::size_t>(1, bytes_within(word, room - std::min(room - 1, taken)));
        into.push_back(current + std::string(word.substr(0, part)));
        word.remove_prefix(part);
      } else {
        into.push_back(current);
      }
      current.assign(indent, ' ');
      fresh = true;
      if (word.empty()) break;
    }
    if (word.empty()) continue;
    if (!fresh) current += ' ';
    current += word;
    fresh = false;
  }
  if (!fresh) into.push_back(current);
}

}  // namespace

std::size_t terminal_width(int fd, std::size_t otherwise) {
  winsize size{};
  if (::isatty(fd) != 1 || ::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return otherwise;
  return size.ws_col;
}

std::size_t display_width(std::string_view text) {
  std::size_t at = 0;
  std::size_t width = 0;
  while (at < text.size()) width += columns(next_code_point(text, at));
  return width;
}

std::string fit(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width <= 3) return std::string(text.substr(0, bytes_within(text, width)));
  return std::string(text.substr(0, bytes_within(text, width - 3))) + "...";
}

std::string pad(std::string_view text, std::size_t width) {
  std::string padded(text);
  const auto used = display_width(text);
  if (used < width) padded.append(width - used, ' ');
  return padded;
}

std::vector<std::string> wrap(std::string_view text, std::size_t width, std::size_t indent) {
  std::vector<std::string> all;
  bool first = true;
  for (const auto line : lines(text)) {
    wrap_line(line, width, indent, first, all);
    first = false;
  }
  return all;
}

std::string one_line(std::string_view text) {
  auto clean = clean_output(text);
  while (!clean.empty() && clean.back() == '\n') clean.pop_back();
  std::ranges::replace(clean, '\n', ' ');
  std::ranges::replace(clean, '\t', ' ');
  return clean;
}

}  // namespace podwright::events
