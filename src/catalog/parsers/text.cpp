#include "catalog/parsers/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.hpp"

namespace podwright::parsing {

namespace {

constexpr std::string_view absent[] = {"",   "-",    "n/a",           "[n/a]",   "na", "not supported", "[not supported]", "none",
                                       "unknown", "not applicable", "[unknown error]", "requested functionality has been deprecated",
                                       "[requested functionality has been deprecated]"};

std::string_view number_part(std::string_view value) {
  value = trim(value);
  const auto end = value.find_first_not_of("+-.0123456789eE");
  auto part = value.substr(0, end);
  while (!part.empty() && (part.back() == 'e' || part.back() == 'E' || part.back() == '-' || part.back() == '+')) part.remove_suffix(1);
  if (part.starts_with('+')) part.remove_prefix(1);
  return part;
}

}  // namespace

std::vector<Line> numbered(std::string_view text) {
  std::vector<Line> all;
  int number = 0;
  for (const auto line : lines(text)) {
    ++number;
    if (!trim(line).empty()) all.push_back({.number = number, .text = line});
  }
  return all;
}

tl::unexpected<Error> nothing_known(std::string_view text, std::string_view what) {
  const auto all = numbered(text);
  if (all.empty()) return fail(Fault::remote, fmt::format("line 1: there is {} in it: it is empty", what));
  return malformed(all.front(), fmt::format("there is {} in what begins so", what));
}

std::size_t indent_of(std::string_view line) {
  std::size_t column = 0;
  for (const char c : line) {
    if (c == ' ') ++column;
    else if (c == '\t') column = column / 8 * 8 + 8;
    else break;
  }
  return column;
}

std::optional<std::pair<std::string_view, std::string_view>> key_value(std::string_view line) {
  line = trim(line);
  auto at = line.find(" : ");
  if (at == std::string_view::npos && line.ends_with(" :")) at = line.size() - 2;
  if (at != std::string_view::npos) {
    const auto rest = line.substr(std::min(line.size(), at + 3));
    return std::pair{trim(line.substr(0, at)), trim(rest)};
  }
  at = line.find(':');
  if (at == std::string_view::npos || at == 0) return {};
  return std::pair{trim(line.substr(0, at)), trim(line.substr(at + 1))};
}

std::string beginning(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80; };
  while (most > 0 && continues(most)) --most;
  return std::string(text.substr(0, most));
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

bool is_absent(std::string_view value) { return std::ranges::find(absent, lower(trim(value))) != std::end(absent); }

std::optional<double> leading_number(std::string_view value) { return reading::finite_number(number_part(value)); }

std::optional<std::int64_t> leading_int(std::string_view value) {
  value = trim(value);
  if (value.starts_with('+')) value.remove_prefix(1);
  const auto end = value.find_first_not_of("0123456789", value.starts_with('-') ? 1 : 0);
  return to_int(value.substr(0, end));
}

std::optional<bool> truth(std::string_view value) {
  const auto word = lower(trim(value));
  for (const auto* yes : {"yes", "enabled", "on", "true", "ok", "active", "1"}) {
    if (word == yes) return true;
  }
  for (const auto* no : {"no", "disabled", "off", "false", "not active", "inactive", "0"}) {
    if (word == no) return false;
  }
  return {};
}

std::string pci_slot(std::string_view text) {
  auto slot = lower(trim(text));
  const auto colons = std::ranges::count(slot, ':');
  if (colons == 1) slot = "0000:" + slot;
  const auto domain = slot.find(':');
  if (domain == std::string::npos) return std::string(trim(text));
  // Eight digits from NVIDIA, of which the kernel shows the last four, and more where they count.
  while (slot.find(':') > 4 && slot.starts_with('0')) slot.erase(0, 1);
  return reading::is_pci_slot(slot) ? slot : std::string(trim(text));
}

std::optional<std::uint64_t> bytes_of(std::string_view value) {
  const auto amount = leading_number(value);
  if (!amount || *amount < 0 || *amount > 1e18) return {};
  const auto parts = words(value);
  const auto unit = parts.size() > 1 ? parts.back() : std::string_view{};
  const std::pair<std::string_view, double> units[] = {{"", 1},          {"B", 1},          {"bytes", 1},          {"KiB", 1024},         {"kB", 1024},
                                                       {"KB", 1024},     {"MiB", 1048576},  {"MB", 1048576},       {"GiB", 1073741824.0}, {"GB", 1073741824.0},
                                                       {"TiB", 1099511627776.0}, {"TB", 1099511627776.0}};
  for (const auto& [name, factor] : units) {
    if (unit == name && *amount * factor < 1.8e19) return static_cast<std::uint64_t>(*amount * factor);
  }
  return {};
}

}  // namespace podwright::parsing
