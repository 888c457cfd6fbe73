/// Strict reading of TOML tables: every key must be asked for, every wrong type is named, and all
/// complaints about a file come at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "model/value.hpp"

namespace podwright {

/// What is wrong with a file, collected.
class Complaints {
 public:
  void add(const SourcePos& pos, std::string_view text);
  /// An error whose text begins with its place already; `pos` says where it is told among the
  /// others.
  void add(const SourcePos& pos, const Error& error);
  [[nodiscard]] bool empty() const { return all_.empty(); }
  /// An error with one "FILE:LINE:COLUMN: text" a line, in the order of the file; ok without any.
  [[nodiscard]] Status status() const;

 private:
  std::vector<std::pair<SourcePos, std::string>> all_;  ///< with the whole line to be told
};

/// "must be an integer, not a string ("22")": for messages about a wrong type.
std::string wrong_type(std::string_view wanted, const Value& found);

/// One table of a file. A getter yields nothing when the key is absent, and complains and yields
/// nothing when it has another type; asking for a key makes it a known one.
class TableReader {
 public:
  /// `where` stands in messages: "[[node]]". A value that is not a table is complained about.
  TableReader(const Value& value, std::string where, Complaints& complaints);

  const Value* any(std::string_view key);
  std::optional<std::string> text(std::string_view key);
  std::optional<bool> flag(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key);
  std::optional<double> number(std::string_view key);
  /// An array of texts; a single text counts as an array of one.
  std::optional<std::vector<std::string>> texts(std::string_view key);
  const Value::Table* table(std::string_view key);
  /// The tables of [[key]] (or of an array of inline tables).
  std::vector<const Value*> tables(std::string_view key);

  /// A complaint about the value of `key`, or about the whole table when that is absent.
  void complain(std::string_view key, std::string_view text);
  /// Complains about the keys that nobody asked for.
  void refuse_the_rest();

  [[nodiscard]] const SourcePos& pos() const { return pos_; }
  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  void refuse_type(std::string_view key, std::string_view wanted, const Value& found);

  const Value::Table* table_ = nullptr;
  SourcePos pos_;
  std::string where_;
  Complaints& complaints_;
  std::vector<std::string> known_;
};

}  // namespace podwright
