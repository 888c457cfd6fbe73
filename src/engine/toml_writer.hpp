/// TOML that podwright writes itself: captured profiles, and what a node is expected to be.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/value.hpp"

namespace podwright {

class TomlWriter {
 public:
  /// A basic string of TOML, which is one of JSON.
  static std::string quoted(std::string_view text);
  /// A value on one line, tables inline.
  static std::string inline_value(const Value& value);

  void table(std::string_view kind);  ///< [[kind]]
  void field(std::string_view name, std::string_view value);
  void raw(std::string_view name, std::string_view value);
  void list(std::string_view name, const std::vector<std::string>& values);
  void comment(std::string_view text);
  void plain(std::string_view text) { text_ += text; }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace podwright
