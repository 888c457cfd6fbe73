/// Finding a dotted name in a context, and saying well what is there instead.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace podwright::render {

struct Found {
  const Json* value = nullptr;  ///< null: `problem` says why
  std::string problem{};        ///< `there is no "gpu.vndor"; did you mean "gpu.vendor"?`
};

/// The innermost scope that has the first part of `name` decides; the rest is walked from there.
/// `scopes` runs from the outermost to the innermost; those that are not objects are skipped.
Found find_name(std::string_view name, const std::vector<const Json*>& scopes);

/// Whether `text` can be a name: parts of letters, digits, _ and - between dots.
bool is_name(std::string_view text);

/// "a text", "a list", …: for messages.
std::string_view kind_of(const Json& value);

}  // namespace podwright::render
