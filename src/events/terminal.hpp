/// Text on a terminal: how wide it is, how wide a text is, and texts made to fit.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace podwright::events {

/// Columns of the terminal behind `fd`; `otherwise` when it is none, or does not say.
std::size_t terminal_width(int fd, std::size_t otherwise = 80);

/// Columns that a UTF-8 text takes: combining marks none, wide East Asian characters and emoji two.
std::size_t display_width(std::string_view text);

/// At most `width` columns of `text`; what was cut shows as "...".
std::string fit(std::string_view text, std::size_t width);

/// `text` and blanks up to `width` columns; a longer one stays as it is.
std::string pad(std::string_view text, std::size_t width);

/// Lines of at most `width` columns, broken at blanks (inside a word only where the word alone is
/// wider). Lines after the first are indented by `indent`. Line ends of `text` are kept.
std::vector<std::string> wrap(std::string_view text, std::size_t width, std::size_t indent = 0);

/// Cleaned of escapes and control characters, line ends and tabs as blanks: safe inside a line.
std::string one_line(std::string_view text);

}  // namespace podwright::events
