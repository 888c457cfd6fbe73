/// What parsers of tools share. A tool's output is not trusted: what cannot be read is refused with the
/// line at fault, never guessed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright::parsing {

using reading::Line;
using reading::malformed;

/// All lines with their numbers; blank ones are left out.
std::vector<Line> numbered(std::string_view text);

/// Nothing of what was expected is there. `what` completes "… in it": "no line 'GPU …'"; the first line
/// is named as the one at fault.
tl::unexpected<Error> nothing_known(std::string_view text, std::string_view what);

/// Columns of blanks at the beginning; a tab goes on to the next multiple of eight.
std::size_t indent_of(std::string_view line);

/// "key : value" and "key: value", both trimmed. Without a colon: nothing.
std::optional<std::pair<std::string_view, std::string_view>> key_value(std::string_view line);

/// Whether a tool has left a value out: "", "-", "N/A", "[N/A]", "NA", "n/a", "[Not Supported]", "Not
/// Supported", "None", "unknown", "Requested functionality has been deprecated".
bool is_absent(std::string_view value);

/// The number at the beginning: "77.67 W", "16x", "143771 MiB", "12%"; nothing without one.
std::optional<double> leading_number(std::string_view value);
std::optional<std::int64_t> leading_int(std::string_view value);
/// "Yes", "Enabled", "on", "true", "OK" / "No", "Disabled", "off", "false"; else nothing.
std::optional<bool> truth(std::string_view value);

/// "00000000:83:00.0", "0000:83:00.0", "83:00.0" -> "0000:83:00.0", the way that the kernel writes it;
/// what is no PCI address stays as it is.
std::string pci_slot(std::string_view text);

/// "512 MiB", "3 KB" as bytes.
std::optional<std::uint64_t> bytes_of(std::string_view value);

std::string lower(std::string_view text);

/// At most so many bytes of its beginning; no character of UTF-8 is cut through.
std::string beginning(std::string_view text, std::size_t most);

}  // namespace podwright::parsing
