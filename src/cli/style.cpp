#include "cli/style.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.hpp"
#include "events/terminal.hpp"

namespace podwright::cli {

using events::display_width;
using events::pad;
using events::wrap;

std::string Style::paint(std::string_view code, std::string_view text) const {
  return color ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

bool wants_color(std::string_view option, int fd) {
  if (option == "always") return true;
  if (option == "never") return false;
  const char* none = std::getenv("NO_COLOR");
  if (none != nullptr && *none != '\0') return false;
  const char* term = std::getenv("TERM");
  if (term == nullptr || std::string_view(term) == "dumb") return false;
  return ::isatty(fd) == 1;
}

std::string Table::text(std::size_t width, std::size_t indent, const Style& style) const {
  if (headings_.empty()) return {};
  const auto heading = [&](std::size_t i) {
    std::string_view name = headings_[i];
    if (name.starts_with('>')) name.remove_prefix(1);
    return name;
  };
  const std::size_t last = headings_.size() - 1;
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i <= last; ++i) {
    std::size_t most = display_width(heading(i));
    for (const auto& row : rows_) most = std::max(most, i < row.size() ? display_width(row[i]) : 0);
    widths.push_back(most);
  }
  std::size_t before = indent;
  for (std::size_t i = 0; i < last; ++i) before += widths[i] + 2;
  // A last column squeezed into a few columns cannot be read; better a line that is too long.
  const std::size_t room = std::max<std::size_t>(width > before ? width - before : 0, 24);

  const auto line = [&](const auto& cell) {
    std::string head(indent, ' ');
    for (std::size_t i = 0; i < last; ++i) {
      const std::string text(cell(i));
      const std::string blanks(widths[i] - std::min(widths[i], display_width(text)), ' ');
      head += headings_[i].starts_with('>') ? blanks + text + "  " : text + blanks + "  ";
    }
    std::string whole;
    const std::string tail(cell(last));
    auto parts = headings_[last].starts_with('>')
                     ? std::vector<std::string>{std::string(widths[last] - std::min(widths[last], display_width(tail)), ' ') + tail}
                     : wrap(tail, room);
    if (parts.empty()) parts.emplace_back();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      std::string text = (i == 0 ? head : std::string(before, ' ')) + parts[i];
      while (text.ends_with(' ')) text.pop_back();
      whole += text + "\n";
    }
    return whole;
  };

  std::string all;
  if (std::ranges::any_of(headings_, [](const auto& name) { return !name.empty() && name != ">"; })) {
    auto titles = line([&](std::size_t i) { return heading(i); });
    titles.pop_back();
    all += style.dim(titles) + "\n";
  }
  for (const auto& row : rows_) {
    all += line([&](std::size_t i) { return i < row.size() ? std::string_view(row[i]) : std::string_view{}; });
  }
  return all;
}

std::string indented(std::string_view text, std::size_t blanks) {
  std::string all;
  for (const auto line : lines(text)) {
    if (!line.empty()) all += std::string(blanks, ' ');
    all += line;
    all += '\n';
  }
  return all;
}

std::string paragraph(std::string_view text, std::size_t width, std::size_t indent) {
  std::string all;
  for (const auto& line : wrap(text, width - std::min(width - 1, indent))) {
    if (!line.empty()) all += std::string(indent, ' ') + line;
    all += '\n';
  }
  return all;
}

}  // namespace podwright::cli
