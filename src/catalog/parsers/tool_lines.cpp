#include "catalog/parsers/tool_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace podwright::parsing {

namespace {

constexpr std::size_t most_quoted = 160;

std::string quoted(std::string_view line) {
  auto text = std::string(line.substr(0, most_quoted));
  if (line.size() > most_quoted) text = valid_utf8(text) + "…";
  return text;
}

bool digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string_view without_rank(std::string_view line) {
  const auto text = trim(line);
  if (text.starts_with('[')) {
    for (const std::string_view end : {"<stdout>:", "<stderr>:"}) {
      const auto at = text.find(end);
      if (at != std::string_view::npos && at < 24) return trim(text.substr(at + end.size()));
    }
  }
  const auto colon = text.find(": ");
  if (colon != std::string_view::npos && colon < 6 && digits(text.substr(0, colon))) {
    return trim(text.substr(colon + 2));
  }
  return text;
}

}  // namespace

std::vector<Line> numbered_lines(std::string_view text) {
  std::vector<Line> all;
  for (const auto line : lines(text)) all.push_back({static_cast<int>(all.size()) + 1, without_rank(line)});
  return all;
}

tl::unexpected<Error> unreadable(std::string_view tool, const Line& line, std::string_view why) {
  return fail(Fault::remote,
              fmt::format("{}, line {}: {}: {}", tool, line.number, why, quoted(line.text)));
}

tl::unexpected<Error> nothing_found(std::string_view tool, std::string_view what,
                                    std::string_view text) {
  constexpr std::array<std::string_view, 14> signs = {
      "rror",  "Couldn't", "Unable",  "ailed",      "FAILED",      "return err", "not found",
      "abort", "not installed", "refused", "denied", "No such", "WARN", "unrecognized"};
  const Line* said = nullptr;
  const auto all = numbered_lines(text);
  for (const auto& line : all) {
    if (line.text.empty()) continue;
    const bool complains = std::ranges::any_of(signs, [&](std::string_view sign) {
      return line.text.find(sign) != std::string_view::npos;
    });
    if (said == nullptr || complains) said = &line;
    if (complains) break;
  }
  if (said == nullptr) return fail(Fault::remote, fmt::format("{}, line 1: no {}: the output is empty", tool, what));
  return fail(Fault::remote, fmt::format("{}: no {}; line {} says: {}", tool, what, said->number,
                                         quoted(said->text)));
}

}  // namespace podwright::parsing
