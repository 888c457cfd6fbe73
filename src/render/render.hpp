/// Strict templates (mustache) and conditions. A name that the context does not have is an error
/// with its place, never an empty text.
#pragma once

#include <string>
#include <string_view>

#include "base/json_fwd.hpp"
#include "base/result.hpp"

namespace podwright::render {

/// Renders a mustache template without HTML escaping.
/// - {{a.b}} walks objects, and lists by number; {{.}} is the item itself.
/// - {{#x}}…{{/x}} is left out for false, 0, null and empty texts and lists, and repeated for a list,
///   with the outer context visible inside; {{^x}} is its opposite.
/// - Inside a list {{#@first}}, {{#@last}} and {{@index}} tell where in it.
/// - Sections and comments {{! }} that stand alone take their line with them.
/// - {{=<% %>=}} sets other marks, for text that holds {{ itself. There are no partials.
/// A missing name is an error naming it and `where`, also in sections.
Result<std::string> text(std::string_view source, const Json& context, std::string_view where);

/// The same with HTML escaping of {{x}} ({{{x}}} is raw): for reports.
Result<std::string> html(std::string_view source, const Json& context, std::string_view where);

/// A condition over the context: comparisons (== != < <= > >=), `in` and `not in` (a list, a text,
/// the keys of a table), `and`, `or`, `not`, parentheses, 'texts', numbers, ['lists'], true, false,
/// names with dots. Texts compare with texts, numbers with numbers; texts are ordered like
/// versions, 9 before 22.04. `and` and `or` evaluate no more than they need, but the first part of
/// every name must exist. "gpu.vendor == 'nvidia' and cpu.sockets >= 2"
Result<bool> condition(std::string_view expression, const Json& context, std::string_view where);

/// Whether `expression` could be parsed, for checking a profile before there are facts.
Status check_condition(std::string_view expression, std::string_view where);
/// Whether the template is well-formed.
Status check_template(std::string_view source, std::string_view where);

}  // namespace podwright::render
