/// A configuration value that remembers where it was written, so that every complaint about it can
/// name file, line and column.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace podwright {

struct SourcePos {
  std::string file;  ///< as the operator named it, or "(built in) profiles/…", or "--set"
  int line = 0;
  int column = 0;

  /// "cluster.toml:12:3"
  [[nodiscard]] std::string str() const;
  bool operator==(const SourcePos&) const = default;
};

class Value {
 public:
  using Array = std::vector<Value>;
  /// In the order of the file.
  using Table = std::vector<std::pair<std::string, Value>>;
  using Data = std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Table>;

  Value() = default;
  Value(Data data_in, SourcePos pos_in = {}) : data(std::move(data_in)), pos(std::move(pos_in)) {}

  [[nodiscard]] const std::string* text() const { return std::get_if<std::string>(&data); }
  [[nodiscard]] const std::int64_t* integer() const { return std::get_if<std::int64_t>(&data); }
  [[nodiscard]] const bool* flag() const { return std::get_if<bool>(&data); }
  [[nodiscard]] const Array* array() const { return std::get_if<Array>(&data); }
  [[nodiscard]] const Table* table() const { return std::get_if<Table>(&data); }
  [[nodiscard]] Table* table() { return std::get_if<Table>(&data); }
  /// An integer or a float as a float.
  [[nodiscard]] std::optional<double> number() const;
  /// The value under `key` of a table; null when absent or not a table.
  [[nodiscard]] const Value* find(std::string_view key) const;
  /// "a string", "an integer", "a table": for messages.
  [[nodiscard]] std::string_view type_name() const;
  /// A scalar as the text that a template prints: 3, true, name. Empty for arrays and tables.
  [[nodiscard]] std::string scalar_text() const;

  Data data;
  SourcePos pos;  ///< of the key; of the value itself for an item of an array, of its head for [table]
};

/// Sets `key` of `table`, replacing or appending.
void set_value(Value::Table& table, std::string_view key, Value value);
const Value* find_value(const Value::Table& table, std::string_view key);

}  // namespace podwright
