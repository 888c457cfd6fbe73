#include "catalog/probes/reading.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.hpp"

namespace podwright::reading {

namespace {

/// No probe prints longer lines; a driver's longest model name has 255 characters.
constexpr std::size_t longest_line = 4096;

std::string shown(std::string_view text) {
  constexpr std::size_t most = 80;
  std::string clean = clean_output(text.substr(0, most));
  return text.size() > most ? clean + "…" : clean;
}

/// The first line of stderr, for a complaint; empty when it says nothing.
std::string first_words(const std::string& err) {
  for (const auto line : lines(err)) {
    if (const auto text = trim(line); !text.empty()) return shown(text);
  }
  return {};
}

}  // namespace

Result<std::vector<Line>> lines_of(const Observed& observed) {
  if (observed.timed_out) {
    return fail(Fault::timeout, "did not finish in time",
                "look for a dead file server or a hung device: podwright doctor");
  }
  if (observed.exit_status != 0) {
    const auto words = first_words(observed.err);
    return fail(Fault::remote, fmt::format("ended with exit status {}{}{}", observed.exit_status,
                                           words.empty() ? "" : ": ", words));
  }
  std::vector<Line> all;
  int count = 0;
  for (const auto text : lines(observed.out)) {
    ++count;
    if (text == "end") return all;
    if (text.empty()) continue;
    const Line line{.number = count, .text = text};
    if (text.size() > longest_line) {
      return malformed(line, fmt::format("{} characters are too many", text.size()));
    }
    all.push_back(line);
  }
  return fail(Fault::remote,
              fmt::format("the output is cut off after line {}: its closing 'end' is missing", count));
}

tl::unexpected<Error> malformed(const Line& line, std::string_view why) {
  return fail(Fault::remote, fmt::format("line {} '{}': {}", line.number, shown(line.text), why));
}

Result<KeyValue> key_value(const Line& line) {
  const auto at = line.text.find('=');
  if (at == std::string_view::npos || at == 0) return malformed(line, "is not key=value");
  return KeyValue{.key = line.text.substr(0, at), .value = trim(line.text.substr(at + 1))};
}

Result<std::vector<std::string_view>> fields(const Line& line, std::size_t count) {
  auto all = split(line.text, '\t');
  if (all.size() != count) {
    return malformed(line, fmt::format("has {} fields instead of {}", all.size(), count));
  }
  for (auto& field : all) {
    field = trim(field);
    if (field == "-") field = {};
  }
  return all;
}

Result<std::int64_t> number(const Line& line, std::string_view text, std::string_view what,
                            std::int64_t least, std::int64_t most) {
  const auto value = to_int(text);
  if (!value) return malformed(line, fmt::format("{} is not a whole number", what));
  if (*value < least || *value > most) {
    return malformed(line, fmt::format("{} is not between {} and {}", what, least, most));
  }
  return *value;
}

Result<std::int64_t> number_or(const Line& line, std::string_view text, std::string_view what,
                               std::int64_t least, std::int64_t most, std::int64_t otherwise) {
  if (text.empty()) return otherwise;
  return number(line, text, what, least, most);
}

std::optional<double> finite_number(std::string_view text) {
  const auto value = to_double(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

bool is_pci_slot(std::string_view text) {
  const auto parts = split(text, ':');
  if (parts.size() != 3 || parts[0].size() < 4 || !is_hex(parts[0], parts[0].size())) return false;
  const auto dot = parts[2].find('.');
  return is_hex(parts[1], 2) && dot == 2 && is_hex(parts[2].substr(0, 2), 2) &&
         is_hex(parts[2].substr(3), 1);
}

std::string unescape_octal(std::string_view text) {
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) &&
        octal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

}  // namespace podwright::reading
