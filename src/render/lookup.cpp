#include "render/lookup.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"

namespace podwright::render {

namespace {

const Json* member(const Json& value, std::string_view key) {
  if (value.is_array()) {
    const auto index = to_int(key);
    if (!index || *index < 0 || static_cast<std::size_t>(*index) >= value.size()) return nullptr;
    return &value[static_cast<std::size_t>(*index)];
  }
  if (!value.is_object()) return nullptr;
  // find() of ordered_json would copy the key into a std::string: this is the hot path of templates
  // that print every node of a large cluster.
  for (const auto& [name, item] : value.get_ref<const Json::object_t&>()) {
    if (name == key) return &item;
  }
  return nullptr;
}

std::vector<std::string> keys_of(const Json& value) {
  std::vector<std::string> keys;
  if (!value.is_object()) return keys;
  for (const auto& [key, item] : value.items()) keys.push_back(key);
  return keys;
}

}  // namespace

Found find_name(std::string_view name, const std::vector<const Json*>& scopes) {
  const auto first_end = std::min(name.find('.'), name.size());
  const auto first = name.substr(0, first_end);
  const Json* value = nullptr;
  for (auto scope = scopes.rbegin(); scope != scopes.rend() && value == nullptr; ++scope) {
    if ((*scope)->is_object()) value = member(**scope, first);
  }
  if (value == nullptr) {
    std::vector<std::string> known;
    for (const auto* scope : scopes) std::ranges::move(keys_of(*scope), std::back_inserter(known));
    return {.problem = fmt::format("there is no \"{}\"{}", first, did_you_mean(first, known))};
  }
  for (std::size_t at = first_end; at < name.size();) {
    const auto end = std::min(name.find('.', at + 1), name.size());
    const auto part = name.substr(at + 1, end - at - 1);
    const auto* next = member(*value, part);
    if (next == nullptr) {
      const auto parent = name.substr(0, at);
      auto near = nearest(part, keys_of(*value));
      return {.problem =
                  fmt::format("there is no \"{}\"{}", name.substr(0, end),
                              near ? fmt::format("; did you mean \"{}.{}\"?", parent, *near)
                                   : fmt::format(" (\"{}\" is {})", parent, kind_of(*value)))};
    }
    value = next;
    at = end;
  }
  return {.value = value};
}

bool is_name(std::string_view text) {
  if (text.empty()) return false;
  return std::ranges::all_of(split(text, '.'), [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '-';
    });
  });
}

std::string_view kind_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "empty";
    case Json::value_t::boolean:
      return "true or false";
    case Json::value_t::string:
      return "a text";
    case Json::value_t::array:
      return "a list";
    case Json::value_t::object:
      return "a table";
    default:
      return "a number";
  }
}

}  // namespace podwright::render
