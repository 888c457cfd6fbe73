/// Text in columns of a terminal: wrapping, padding and tables that fit a width.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace podwright::layout {

/// Columns that `text` (one line of UTF-8, no escape sequences) takes.
std::size_t width_of(std::string_view text);

/// `text` and blanks, `width` columns wide.
std::string padded(std::string_view text, std::size_t width);

/// At most `width` columns of `text`; what is cut off shows as "…".
std::string shortened(std::string_view text, std::size_t width);

/// Lines of at most `width` columns, broken at blanks, and within a word only where it is longer
/// than a line. At least one line.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

/// One cell: its text, and the ANSI attributes ("31;1") it is shown with; empty: none.
struct Cell {
  std::string text;
  std::string style{};
};

/// Rows in columns two blanks apart, `indent` blanks from the left, in all at most `width` wide.
/// Columns are as wide as they need; where the line is too short, the widest give way and their
/// cells wrap.
std::string table(const std::vector<std::vector<Cell>>& rows, std::size_t width, std::size_t indent,
                  bool color);

/// `text` with ANSI attributes where colour is wanted.
std::string styled(std::string_view text, std::string_view style, bool color);

}  // namespace podwright::layout
