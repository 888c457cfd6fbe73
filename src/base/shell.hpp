/// The only door through which text enters a shell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace podwright::sh {

/// `text` as one word of POSIX sh, whatever it holds: 'it'\''s'. A NUL byte cannot be passed to a
/// shell and ends the text.
std::string quote(std::string_view text);

/// The words, each quoted where it needs to be, joined by blanks: a command line for a log or a shell.
std::string join(const std::vector<std::string>& words);

/// A sh fragment that writes `content` to stdout whatever bytes it holds ('printf %s' of a quoted word).
std::string print(std::string_view content);

/// A line that gives a shell variable this value: name='value'. Scripts are read best when what varies
/// stands in such lines at their top, above a text that never changes.
std::string assign(std::string_view name, std::string_view value);

}  // namespace podwright::sh
