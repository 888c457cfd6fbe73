/// What every parser of a probe's output needs. Nodes are not trusted: each line is checked, and a
/// complaint names the line. A probe closes its output with a line "end", so that one which was cut
/// off is never taken for a short one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "catalog/registry.hpp"

namespace podwright::reading {

struct Line {
  int number = 0;  ///< from 1
  std::string_view text;
};

/// The lines before "end". Fails when the probe ran out of time, failed, or was cut off, and when a
/// line is longer than any honest one.
Result<std::vector<Line>> lines_of(const Observed& observed);

/// "line 3 '…': why", for the Status of a parser.
tl::unexpected<Error> malformed(const Line& line, std::string_view why);

/// A line "key=value".
struct KeyValue {
  std::string_view key;
  std::string_view value;
};
Result<KeyValue> key_value(const Line& line);

/// The fields of a line between tabs, of which there must be `count`. A lone "-" stands for nothing and
/// is returned empty.
Result<std::vector<std::string_view>> fields(const Line& line, std::size_t count);

/// `text` as a whole number of `line` between `least` and `most`; `what` names it in the complaint.
Result<std::int64_t> number(const Line& line, std::string_view text, std::string_view what,
                            std::int64_t least, std::int64_t most);
/// The same, or `otherwise` when `text` is empty.
Result<std::int64_t> number_or(const Line& line, std::string_view text, std::string_view what,
                               std::int64_t least, std::int64_t most, std::int64_t otherwise);

/// The whole of `text` as a number; nothing for "nan" and "inf", which no comparison catches.
std::optional<double> finite_number(std::string_view text);

/// KiB as bytes, for sizes up to 2^43 KiB.
constexpr std::int64_t most_kib = std::int64_t{1} << 43;

bool is_hex(std::string_view text, std::size_t digits);
/// "0000:3b:00.0", domains of four and more digits
bool is_pci_slot(std::string_view text);

/// /proc's octal escapes undone: "/mnt/my\040disk" -> "/mnt/my disk".
std::string unescape_octal(std::string_view text);

}  // namespace podwright::reading
