#include "config/reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace podwright {

namespace {

/// Beyond this, more complaints only scroll the first ones away.
constexpr std::size_t most_complaints = 25;

}  // namespace

void Complaints::add(const SourcePos& pos, std::string_view text) {
  all_.emplace_back(pos, fmt::format("{}: {}", pos.str(), text));
}

void Complaints::add(const SourcePos& pos, const Error& error) {
  all_.emplace_back(
      pos, error.hint.empty() ? error.what : fmt::format("{} ({})", error.what, error.hint));
}

Status Complaints::status() const {
  if (all_.empty()) return {};
  auto sorted = all_;
  std::ranges::stable_sort(sorted, {}, [](const auto& complaint) {
    const auto& pos = complaint.first;
    return std::tuple(pos.file, pos.line, pos.column);
  });
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::vector<std::string> told;
  for (const auto& [pos, text] : sorted) {
    if (told.size() == most_complaints) {
      told.push_back(fmt::format("and {} more", sorted.size() - told.size()));
      break;
    }
    told.push_back(text);
  }
  return fail(Fault::usage, join(told, "\n"));
}

std::string wrong_type(std::string_view wanted, const Value& found) {
  const auto shown = found.scalar_text();
  if (found.text() != nullptr) {
    return fmt::format("must be {}, not {} (\"{}\")", wanted, found.type_name(), shown);
  }
  return shown.empty() ? fmt::format("must be {}, not {}", wanted, found.type_name())
                       : fmt::format("must be {}, not {} ({})", wanted, found.type_name(), shown);
}

TableReader::TableReader(const Value& value, std::string where, Complaints& complaints)
    : table_(value.table()), pos_(value.pos), where_(std::move(where)), complaints_(complaints) {
  if (table_ == nullptr) complaints_.add(pos_, where_ + " " + wrong_type("a table", value));
}

const Value* TableReader::any(std::string_view key) {
  if (std::ranges::find(known_, key) == known_.end()) known_.emplace_back(key);
  return table_ == nullptr ? nullptr : find_value(*table_, key);
}

void TableReader::refuse_type(std::string_view key, std::string_view wanted, const Value& found) {
  complaints_.add(found.pos, fmt::format("{} in {} {}", key, where_, wrong_type(wanted, found)));
}

std::optional<std::string> TableReader::text(std::string_view key) {
  const auto* value = any(key);
  if (value == nullptr) return {};
  if (const auto* text = value->text()) return *text;
  refuse_type(key, "a string", *value);
  return {};
}

std::optional<bool> TableReader::flag(std::string_view key) {
  const auto* value = any(key);
  if (value == nullptr) return {};
  if (const auto* flag = value->flag()) return *flag;
  refuse_type(key, "true or false", *value);
  return {};
}

std::optional<std::int64_t> TableReader::integer(std::string_view key) {
  const auto* value = any(key);
  if (value == nullptr) return {};
  if (const auto* number = value->integer()) return *number;
  refuse_type(key, "an integer", *value);
  return {};
}

std::optional<double> TableReader::number(std::string_view key) {
  const auto* value = any(key);
  if (value == nullptr) return {};
  if (const auto number = value->number()) return number;
  refuse_type(key, "a number", *value);
  return {};
}

std::optional<std::vector<std::string>> TableReader::texts(std::string_view key) {
  const auto* value = any(key);
  if (value == nullptr) return {};
  if (const auto* text = value->text()) return std::vector{*text};
  const auto* items = value->array();
  if (items == nullptr) {
    refuse_type(key, "an array of strings", *value);
    return {};
  }
  std::vector<std::string> all;
  for (const auto& item : *items) {
    if (item.text() == nullptr) {
      refuse_type(fmt::format("an item of {}", key), "a string", item);
      return {};
    }
    all.push_back(*item.text());
  }
  return all;
}

const Value::Table* TableReader::table(std::string_view key) {
  const auto* value = any(key);
  if (value == nullptr) return nullptr;
  if (value->table() == nullptr) refuse_type(key, "a table", *value);
  return value->table();
}

std::vector<const Value*> TableReader::tables(std::string_view key) {
  const auto* value = any(key);
  if (value == nullptr) return {};
  const auto* items = value->array();
  if (items == nullptr) {
    complaints_.add(
        value->pos,
        fmt::format("{} must be an array of tables: write [[{}]]{}", key, key,
                    value->table() != nullptr ? fmt::format(" instead of [{}]", key) : ""));
    return {};
  }
  std::vector<const Value*> all;
  for (const auto& item : *items) {
    if (item.table() != nullptr) all.push_back(&item);
    else refuse_type(fmt::format("an item of {}", key), "a table", item);
  }
  return all;
}

void TableReader::complain(std::string_view key, std::string_view text) {
  const auto* value = table_ == nullptr ? nullptr : find_value(*table_, key);
  complaints_.add(value == nullptr ? pos_ : value->pos, text);
}

void TableReader::refuse_the_rest() {
  if (table_ == nullptr) return;
  for (const auto& [key, value] : *table_) {
    if (std::ranges::find(known_, key) != known_.end()) continue;
    complaints_.add(value.pos, fmt::format("unknown key \"{}\" in {}{}", key, where_,
                                           did_you_mean(key, known_)));
  }
}

}  // namespace podwright
