#include "model/value.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace podwright {

std::string SourcePos::str() const {
  if (line == 0) return file;
  if (column == 0) return fmt::format("{}:{}", file, line);
  return fmt::format("{}:{}:{}", file, line, column);
}

std::optional<double> Value::number() const {
  if (const auto* whole = integer()) return static_cast<double>(*whole);
  if (const auto* fraction = std::get_if<double>(&data)) return *fraction;
  return std::nullopt;
}

const Value* Value::find(std::string_view key) const {
  const auto* entries = table();
  return entries == nullptr ? nullptr : find_value(*entries, key);
}

std::string_view Value::type_name() const {
  switch (data.index()) {
    case 1:
      return "a boolean";
    case 2:
      return "an integer";
    case 3:
      return "a number";
    case 4:
      return "a string";
    case 5:
      return "an array";
    case 6:
      return "a table";
    default:
      return "nothing";
  }
}

std::string Value::scalar_text() const {
  if (const auto* words = text()) return *words;
  if (const auto* whole = integer()) return std::to_string(*whole);
  if (const auto* yes = flag()) return *yes ? "true" : "false";
  if (const auto* fraction = std::get_if<double>(&data)) return fmt::format("{}", *fraction);
  return {};
}

void set_value(Value::Table& table, std::string_view key, Value value) {
  const auto place = std::ranges::find(table, key, &std::pair<std::string, Value>::first);
  if (place != table.end()) {
    place->second = std::move(value);
    return;
  }
  table.emplace_back(std::string(key), std::move(value));
}

const Value* find_value(const Value::Table& table, std::string_view key) {
  const auto place = std::ranges::find(table, key, &std::pair<std::string, Value>::first);
  return place == table.end() ? nullptr : &place->second;
}

}  // namespace podwright
