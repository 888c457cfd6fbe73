#include "catalog/parsers/json_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright::parsing {

namespace {

/// Deeper than any tool nests, and shallow enough for any stack.
constexpr int deepest = 64;

bool is_too_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') ++i;
    else if (c == '"') quoted = !quoted;
    else if (!quoted && (c == '{' || c == '[')) {
      if (++depth > deepest) return true;
    } else if (!quoted && (c == '}' || c == ']')) {
      --depth;
    }
  }
  return false;
}

Line line_at(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const auto before = text.substr(0, offset);
  const auto newline = before.rfind('\n');
  const auto begin = newline == std::string_view::npos ? 0 : newline + 1;
  return {.number = static_cast<int>(std::ranges::count(before, '\n')) + 1, .text = text.substr(begin, text.find('\n', begin) - begin)};
}

}  // namespace

Result<Json> parse_json_text(std::string_view text, std::size_t begin) {
  const auto document = text.substr(std::min(begin, text.size()));
  if (trim(document).empty()) return fail(Fault::remote, "line 1: it is empty, and should be JSON");
  if (is_too_deep(document)) return malformed(line_at(text, begin), fmt::format("is nested deeper than {}", deepest));
  try {
    return Json::parse(document);
  } catch (const Json::parse_error& error) {
    return malformed(line_at(text, begin + (error.byte > 0 ? error.byte - 1 : 0)), "is not JSON");
  } catch (const Json::exception&) {  // a number out of range
    return malformed(line_at(text, begin), "holds a number that is out of range");
  }
}

std::size_t end_of_json(std::string_view text, std::size_t begin) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') ++i;
    else if (c == '"') quoted = !quoted;
    else if (!quoted && (c == '{' || c == '[')) ++depth;
    else if (!quoted && (c == '}' || c == ']') && --depth <= 0) return i + 1;
  }
  return text.size();
}

const Json* member(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(std::string(key));
  return found == object.end() ? nullptr : &*found;
}

std::string text_member(const Json& object, std::string_view key) {
  const auto* value = member(object, key);
  if (value == nullptr) return {};
  if (value->is_string()) return value->get<std::string>();
  return value->is_number() ? value->dump() : std::string{};
}

std::optional<double> number_member(const Json& object, std::string_view key) {
  const auto* value = member(object, key);
  if (value == nullptr) return {};
  if (value->is_number()) {
    const auto number = value->get<double>();
    return std::isfinite(number) ? std::optional(number) : std::nullopt;
  }
  return value->is_string() ? leading_number(value->get<std::string>()) : std::nullopt;
}

std::optional<std::int64_t> int_member(const Json& object, std::string_view key) {
  const auto number = number_member(object, key);
  if (!number || std::abs(*number) > 9e18) return {};
  return static_cast<std::int64_t>(*number);
}

std::optional<bool> flag_member(const Json& object, std::string_view key) {
  const auto* value = member(object, key);
  if (value == nullptr) return {};
  if (value->is_boolean()) return value->get<bool>();
  return value->is_string() ? truth(value->get<std::string>()) : std::nullopt;
}

}  // namespace podwright::parsing
