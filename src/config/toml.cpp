// The only file that sees toml++: including it costs seconds of compile time.
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>

#include "config/config.hpp"

namespace podwright {

namespace {

SourcePos place(const toml::source_position& at, const std::string& name) {
  return {.file = name, .line = static_cast<int>(at.line), .column = static_cast<int>(at.column)};
}

/// Throws Error for what configuration has no use for.
Value convert(const toml::node& node, const SourcePos& pos, const std::string& name);

Value convert_table(const toml::table& table, const SourcePos& pos, const std::string& name) {
  using Entry = std::pair<const toml::key*, const toml::node*>;
  std::vector<Entry> entries;
  for (const auto& [key, node] : table) entries.emplace_back(&key, &node);
  // toml++ sorts by name; people and profiles mean the order of the file.
  std::ranges::sort(entries, {}, [](const Entry& entry) {
    const auto& at = entry.first->source().begin;
    return std::pair(at.line, at.column);
  });
  Value::Table out;
  out.reserve(entries.size());
  for (const auto& [key, node] : entries) {
    const bool has_head =
        (node->is_table() && !node->as_table()->is_inline()) || node->is_array_of_tables();
    const auto& at = has_head ? node->source().begin : key->source().begin;
    out.emplace_back(std::string(key->str()), convert(*node, place(at, name), name));
  }
  return {std::move(out), pos};
}

Value convert(const toml::node& node, const SourcePos& pos, const std::string& name) {
  if (const auto* table = node.as_table()) return convert_table(*table, pos, name);
  if (const auto* array = node.as_array()) {
    Value::Array items;
    for (const auto& item : *array) {
      items.push_back(convert(item, place(item.source().begin, name), name));
    }
    return {std::move(items), pos};
  }
  if (const auto* text = node.as_string()) return {text->get(), pos};
  if (const auto* whole = node.as_integer()) return {whole->get(), pos};
  if (const auto* fraction = node.as_floating_point()) return {fraction->get(), pos};
  if (const auto* flag = node.as_boolean()) return {flag->get(), pos};
  throw Error{.fault = Fault::usage,
              .what = fmt::format("{}: dates and times have no use here", pos.str()),
              .hint = "write it as a text in quotes"};
}

}  // namespace

Result<Value> parse_toml(std::string_view text, const std::string& name) {
  try {
    const toml::table document = toml::parse(text, std::string_view(name));
    return convert_table(document, {.file = name, .line = 1, .column = 1}, name);
  } catch (const toml::parse_error& problem) {
    const std::string_view why = problem.description();
    return fail(Fault::usage, fmt::format("{}: {}", place(problem.source().begin, name).str(), why),
                why.find("could not determine value type") == std::string_view::npos
                    ? ""
                    : "texts are written in quotes");
  } catch (const Error& problem) {
    return fail(problem);
  }
}

}  // namespace podwright
