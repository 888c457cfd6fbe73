#include <fmt/format.h>

#include <dtl/dtl.hpp>
#include <sstream>

#include "base/text.hpp"

namespace podwright {

namespace {

/// Beyond this a diff serves nobody, and its cost grows with the number of differences.
constexpr std::size_t most_lines = 20000;

/// Lines with the missing newline at the end made visible, as diff(1) does.
std::vector<std::string> marked_lines(std::string_view text) {
  std::vector<std::string> all;
  for (const auto line : split(text, '\n')) all.emplace_back(line);
  if (all.back().empty()) {
    all.pop_back();
  } else {
    all.back() += "\n\\ No newline at end of file";
  }
  return all;
}

}  // namespace

std::string unified_diff(std::string_view before, std::string_view after, std::string_view name) {
  if (before == after) return {};
  const auto old_lines = marked_lines(before);
  const auto new_lines = marked_lines(after);
  if (old_lines.size() + new_lines.size() > most_lines) {
    return fmt::format("--- {0}\n+++ {0}\n(too long to show: {1} lines become {2})\n", name,
                       old_lines.size(), new_lines.size());
  }
  dtl::Diff<std::string> diff(old_lines, new_lines);
  diff.onHuge();
  diff.compose();
  diff.composeUnifiedHunks();
  std::ostringstream text;
  text << "--- " << name << "\n+++ " << name << "\n";
  diff.printUnifiedFormat(text);
  return text.str();
}

}  // namespace podwright
