/// Strict templates (mustache) and conditions. A name that the context does not have is an error with
/// its place, never an empty text.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

namespace podwright::render {

/// Renders a mustache template without HTML escaping; {{a.b}} walks objects; {{#list}}…{{/list}},
/// {{^list}}…{{/list}} as usual, with the outer context visible inside, {{.}} the item itself. A
/// missing name is an error naming it and `where` (also in sections).
Result<std::string> text(std::string_view source, const Json& context, std::string_view where);

/// The same with HTML escaping of {{x}} ({{{x}}} is raw): for reports.
Result<std::string> html(std::string_view source, const Json& context, std::string_view where);

/// A condition over the context: comparisons (== != < <= > >=), `in`, `and`, `or`, `not`, parentheses,
/// 'texts', numbers, true, false, names with dots. Texts compare with texts, numbers with numbers.
/// "gpu.vendor == 'nvidia' and cpu.sockets >= 2"
Result<bool> condition(std::string_view expression, const Json& context, std::string_view where);

/// Whether `expression` could be parsed, for checking a profile before there are facts.
Status check_condition(std::string_view expression, std::string_view where);
/// Whether the template is well-formed.
Status check_template(std::string_view source, std::string_view where);

}  // namespace podwright::render
