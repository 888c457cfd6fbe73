/// JSON that a tool printed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

namespace podwright::parsing {

/// The document that begins at this byte; a complaint names the line of the whole text.
Result<Json> parse_json_text(std::string_view text, std::size_t begin = 0);

/// Where the document that begins with the bracket or brace at `begin` ends: behind the one that closes it, or at the
/// end of the text.
std::size_t end_of_json(std::string_view text, std::size_t begin);

/// Members that may be missing or of another type than expected: then nothing.
const Json* member(const Json& object, std::string_view key);
std::string text_member(const Json& object, std::string_view key);  ///< numbers as they are written
std::optional<double> number_member(const Json& object, std::string_view key);  ///< texts that hold one, too
std::optional<std::int64_t> int_member(const Json& object, std::string_view key);
std::optional<bool> flag_member(const Json& object, std::string_view key);

}  // namespace podwright::parsing
