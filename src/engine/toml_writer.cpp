#include "engine/toml_writer.hpp"

#include <fmt/format.h>

#include "base/json.hpp"

namespace podwright {

std::string TomlWriter::quoted(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string TomlWriter::inline_value(const Value& value) {
  if (const auto* text = value.text()) return quoted(*text);
  if (const auto* number = std::get_if<double>(&value.data)) {
    const auto text = fmt::format("{}", *number);
    return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
  }
  std::string items;
  if (const auto* array = value.array()) {
    for (const auto& item : *array) items += (items.empty() ? "" : ", ") + inline_value(item);
    return "[" + items + "]";
  }
  if (const auto* table = value.table()) {
    for (const auto& [name, item] : *table) {
      items += fmt::format("{}{} = {}", items.empty() ? "" : ", ", quoted(name), inline_value(item));
    }
    return "{" + items + "}";
  }
  return value.scalar_text();
}

void TomlWriter::table(std::string_view kind) { text_ += fmt::format("\n[[{}]]\n", kind); }
void TomlWriter::field(std::string_view name, std::string_view value) { raw(name, quoted(value)); }
void TomlWriter::raw(std::string_view name, std::string_view value) { text_ += fmt::format("{} = {}\n", name, value); }
void TomlWriter::comment(std::string_view text) { text_ += fmt::format("\n# --- {}\n", text); }

void TomlWriter::list(std::string_view name, const std::vector<std::string>& values) {
  std::string items;
  for (const auto& value : values) items += (items.empty() ? "" : ", ") + quoted(value);
  raw(name, "[" + items + "]");
}

}  // namespace podwright
