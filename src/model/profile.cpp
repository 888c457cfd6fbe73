#include "model/profile.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace podwright {

namespace {

// Fields were checked by the loader and, after rendering, by the engine: what is wrong here is a
// bug.
[[noreturn]] void wrong_type(const Wanted& wanted, std::string_view field, std::string_view want) {
  throw std::logic_error(wanted.pos.str() + ": field '" + std::string(field) + "' of " +
                         wanted.id() + " is not " + std::string(want));
}

std::optional<std::int64_t> parse_integer(const std::string& text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

}  // namespace

std::string Wanted::text(std::string_view field, std::string_view otherwise) const {
  const auto* value = find_value(fields, field);
  if (value == nullptr) return std::string(otherwise);
  if (value->array() != nullptr || value->table() != nullptr) wrong_type(*this, field, "a text");
  return value->scalar_text();
}

bool Wanted::flag(std::string_view field, bool otherwise) const {
  const auto* value = find_value(fields, field);
  if (value == nullptr) return otherwise;
  if (const auto* yes = value->flag()) return *yes;
  const auto* words = value->text();  // a rendered template is a text
  if (words != nullptr && *words == "true") return true;
  if (words != nullptr && *words == "false") return false;
  wrong_type(*this, field, "true or false");
}

std::int64_t Wanted::integer(std::string_view field, std::int64_t otherwise) const {
  const auto* value = find_value(fields, field);
  if (value == nullptr) return otherwise;
  if (const auto* number = value->integer()) return *number;
  if (const auto* words = value->text()) {
    if (const auto number = parse_integer(*words)) return *number;
  }
  wrong_type(*this, field, "an integer");
}

std::vector<std::string> Wanted::list(std::string_view field) const {
  const auto* value = find_value(fields, field);
  if (value == nullptr) return {};
  const auto* items = value->array();
  if (items == nullptr) {
    if (value->table() != nullptr) wrong_type(*this, field, "a list");
    return {value->scalar_text()};
  }
  std::vector<std::string> texts;
  texts.reserve(items->size());
  for (const auto& item : *items) {
    if (item.array() != nullptr || item.table() != nullptr) {
      wrong_type(*this, field, "a list of texts");
    }
    texts.push_back(item.scalar_text());
  }
  return texts;
}

bool Wanted::has(std::string_view field) const { return find_value(fields, field) != nullptr; }

const Wanted* Profile::find(std::string_view id) const {
  const auto place = std::ranges::find_if(resources, [&](const Wanted& r) { return r.id() == id; });
  return place == resources.end() ? nullptr : &*place;
}

}  // namespace podwright
