#include "config/nodeset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"

namespace podwright {

namespace {

/// More names than the largest cluster has: a range beyond it is a slip of the keyboard.
constexpr std::size_t most_names = 200'000;
/// Digits that fit into an int64; longer runs are plain text.
constexpr std::size_t most_digits = 18;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool all_digits(std::string_view text) {
  return !text.empty() && text.size() <= most_digits && std::ranges::all_of(text, is_digit);
}

/// "007" is padded to 3 digits, "7" and "0" to none.
std::size_t padding_of(std::string_view digits) {
  return digits.size() > 1 && digits.front() == '0' ? digits.size() : 0;
}

std::string padded(std::int64_t number, std::size_t width) {
  return fmt::format("{:0{}}", number, width);
}

tl::unexpected<Error> bad(std::string_view pattern, std::string_view why) {
  return fail(Fault::usage, fmt::format("node set \"{}\": {}", pattern, why),
              "ranges are written like cu[01-64,70] or cu[1-100/2]");
}

/// "1-9/2", "01-64", "70" into the numbers as texts, appended to `out`.
Status expand_part(std::string_view pattern, std::string_view part, std::vector<std::string>& out) {
  const auto slash = part.find('/');
  std::int64_t step = 1;
  if (slash != std::string_view::npos) {
    const auto text = part.substr(slash + 1);
    step = all_digits(text) ? to_int(text).value_or(0) : 0;
    if (step < 1) return bad(pattern, fmt::format("the step of \"{}\" must be 1 or more", part));
  }
  const auto range = part.substr(0, slash);
  const auto dash = range.find('-');
  const auto first = range.substr(0, dash);
  const auto last = dash == std::string_view::npos ? first : range.substr(dash + 1);
  if (part.empty()) return bad(pattern, "an empty range");
  if (!all_digits(first) || !all_digits(last)) {
    return bad(pattern, fmt::format("\"{}\" is not a number or a range of numbers", part));
  }
  if (dash == std::string_view::npos && slash != std::string_view::npos) {
    return bad(pattern, fmt::format("\"{}\" has a step but no range", part));
  }
  const std::size_t width = padding_of(first);
  if (padding_of(last) != 0 && last.size() != first.size()) {
    return bad(pattern, fmt::format("\"{}\" is padded to different widths", part));
  }
  const auto begin = to_int(first).value_or(0);
  const auto end = to_int(last).value_or(0);
  if (end < begin) return bad(pattern, fmt::format("\"{}\" runs backwards", part));
  if (static_cast<std::size_t>((end - begin) / step) + out.size() >= most_names) {
    return bad(pattern, fmt::format("more than {} names", most_names));
  }
  for (std::int64_t n = begin; n <= end; n += step) out.push_back(padded(n, width));
  return {};
}

std::vector<std::string> known_roles(const Inventory& inventory) {
  std::set<std::string> roles;
  for (const auto& node : inventory.nodes) roles.insert(node.roles.begin(), node.roles.end());
  return {roles.begin(), roles.end()};
}

using Names = std::set<NodeId, std::less<>>;

Result<Names> nodes_of_label(std::string_view label, const Inventory& inventory) {
  const auto equals = label.find('=');
  const auto key = label.substr(0, equals);
  Names found;
  std::set<std::string> keys;
  std::set<std::string> values;
  for (const auto& node : inventory.nodes) {
    for (const auto& [k, v] : node.labels) {
      keys.insert(k);
      if (k != key) continue;
      values.insert(v);
      if (equals == std::string_view::npos || v == label.substr(equals + 1))
        found.insert(node.name);
    }
  }
  if (!found.empty()) return found;
  if (values.empty()) {
    return fail(Fault::usage, fmt::format("no node has a label \"{}\"{}", key,
                                          did_you_mean(key, {keys.begin(), keys.end()})));
  }
  const auto value = label.substr(equals + 1);
  return fail(Fault::usage, fmt::format("no node has the label {}={}{}", key, value,
                                        did_you_mean(value, {values.begin(), values.end()})));
}

/// What follows "@".
Result<Names> nodes_of_group(std::string_view group, const Inventory& inventory) {
  if (group == "all" || group == "*") {
    const auto names = inventory.names();
    return Names(names.begin(), names.end());
  }
  if (group.starts_with("label:")) return nodes_of_label(group.substr(6), inventory);
  if (!group.starts_with("role:")) {
    return fail(Fault::usage, fmt::format("unknown group \"@{}\"", group),
                "groups are @all, @role:ROLE and @label:KEY=VALUE");
  }
  const auto role = group.substr(5);
  Names found;
  for (const auto* node : inventory.with_role(role)) found.insert(node->name);
  if (found.empty()) {
    return fail(Fault::usage, fmt::format("no node has the role \"{}\"{}", role,
                                          did_you_mean(role, known_roles(inventory))));
  }
  return found;
}

/// `*` and `?` as in file names.
bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*') {
    const auto rest = pattern.substr(1);
    for (std::size_t at = 0; at <= name.size(); ++at) {
      if (matches(rest, name.substr(at))) return true;
    }
    return false;
  }
  if (name.empty() || (pattern.front() != '?' && pattern.front() != name.front())) return false;
  return matches(pattern.substr(1), name.substr(1));
}

Result<Names> nodes_of_term(std::string_view term, const Inventory& inventory) {
  if (term.starts_with('@')) return nodes_of_group(term.substr(1), inventory);
  const auto patterns = expand_range(term);
  if (!patterns) return tl::unexpected(patterns.error());
  const auto known = inventory.names();
  const Names have(known.begin(), known.end());
  Names found;
  std::vector<std::string> unknown;
  for (const auto& pattern : *patterns) {
    if (have.contains(pattern)) {
      found.insert(pattern);
      continue;
    }
    const auto before = found.size();
    if (pattern.find_first_of("*?") != std::string::npos) {
      std::ranges::copy_if(known, std::inserter(found, found.end()),
                           [&](const auto& name) { return matches(pattern, name); });
    }
    if (found.size() == before) unknown.push_back(pattern);
  }
  if (unknown.empty()) return found;
  const auto near = unknown.size() == 1 ? did_you_mean(unknown.front(), known) : std::string();
  return fail(Fault::usage,
              fmt::format("no node is called {} in {}{}", human_list(unknown),
                          inventory.file.empty() ? "cluster.toml" : inventory.file, near),
              known.empty() ? "it has no nodes yet; `podwright discover` finds them"
                            : "its nodes are " + fold_names(known));
}

/// A term and the operator before it.
struct Operand {
  char operation;
  std::string_view term;
};

Result<std::vector<Operand>> split_operands(std::string_view expression) {
  std::vector<Operand> operands;
  char operation = ',';
  bool pending = false;  // an operator was read whose right side is still to come
  std::size_t at = 0;
  while (at < expression.size()) {
    const char c = expression[at];
    if (is_blank(c)) {
      ++at;
      continue;
    }
    if (c == ',' || c == '!' || c == '&' || c == '^') {
      if (pending || operands.empty()) {
        return bad(expression, fmt::format("nothing stands before '{}'", c));
      }
      operation = c;
      pending = true;
      ++at;
      continue;
    }
    const std::size_t begin = at;
    bool inside = false;
    for (; at < expression.size(); ++at) {
      const char d = expression[at];
      if (d == '[') inside = true;
      if (d == ']') inside = false;
      if (!inside && (is_blank(d) || d == ',' || d == '!' || d == '&' || d == '^')) break;
    }
    operands.push_back(
        {.operation = pending ? operation : ',', .term = expression.substr(begin, at - begin)});
    pending = false;
  }
  if (pending) return bad(expression, fmt::format("nothing stands after '{}'", operation));
  if (operands.empty()) return bad(expression, "it is empty");
  return operands;
}

Names combine(const Names& left, const Names& right, char operation) {
  Names out;
  const auto into = std::inserter(out, out.end());
  switch (operation) {
    case '!':
      std::ranges::set_difference(left, right, into);
      break;
    case '&':
      std::ranges::set_intersection(left, right, into);
      break;
    case '^':
      std::ranges::set_symmetric_difference(left, right, into);
      break;
    default:
      std::ranges::set_union(left, right, into);
  }
  return out;
}

// --- folding -------------------------------------------------------------------------------------

/// Names of one shape: texts between the numbers, and per number the values it takes.
using Shape = std::vector<std::string>;
using Axis = std::set<std::string>;
using Box = std::vector<Axis>;  ///< stands for every combination of its axes' values

std::pair<Shape, std::vector<std::string>> take_apart(const std::string& name) {
  Shape shape{""};
  std::vector<std::string> numbers;
  for (std::size_t at = 0; at < name.size();) {
    std::size_t end = at;
    while (end < name.size() && is_digit(name[end])) ++end;
    if (end == at || end - at > most_digits) {
      end = std::max(end, at + 1);
      shape.back() += name.substr(at, end - at);
    } else {
      numbers.push_back(name.substr(at, end - at));
      shape.emplace_back();
    }
    at = end;
  }
  return {shape, numbers};
}

/// Boxes that differ in one axis only become one, axis by axis: an exact cover at every moment.
std::vector<Box> merge_boxes(std::vector<Box> boxes) {
  const std::size_t axes = boxes.front().size();
  for (std::size_t axis = axes; axis-- > 0;) {
    std::map<Box, Axis> by_others;
    for (auto& box : boxes) {
      Axis values;
      values.swap(box[axis]);
      by_others[box].merge(values);
    }
    boxes.clear();
    for (auto& [others, values] : by_others) {
      Box box = others;
      box[axis] = values;
      boxes.push_back(std::move(box));
    }
  }
  std::ranges::sort(boxes);
  return boxes;
}

/// {"01","02","04"} -> "[01-02,04]", {"4"} -> "4"
std::string fold_axis(const Axis& axis) {
  if (axis.size() == 1) return *axis.begin();
  struct ByNumber {
    bool operator()(const std::string& a, const std::string& b) const {
      return std::pair(to_int(a), a) < std::pair(to_int(b), b);
    }
  };
  std::set<std::string, ByNumber> left(axis.begin(), axis.end());
  std::vector<std::string> parts;
  while (!left.empty()) {
    const std::string first = *left.begin();
    const std::size_t width = padding_of(first);
    std::string last = first;
    left.erase(left.begin());
    for (auto n = to_int(first).value_or(0) + 1;; ++n) {
      const auto next = left.find(padded(n, width));
      if (next == left.end()) break;
      last = *next;
      left.erase(next);
    }
    parts.push_back(first == last ? first : first + "-" + last);
  }
  return "[" + join(parts, ",") + "]";
}

}  // namespace

Result<std::vector<std::string>> expand_range(std::string_view pattern) {
  std::vector<std::string> names{""};
  std::size_t at = 0;
  while (at < pattern.size()) {
    const auto open = pattern.find_first_of("[]", at);
    const auto literal = pattern.substr(at, open == std::string_view::npos ? open : open - at);
    for (auto& name : names) name += literal;
    if (open == std::string_view::npos) break;
    if (pattern[open] == ']') return bad(pattern, "']' without '['");
    const auto close = pattern.find_first_of("[]", open + 1);
    if (close == std::string_view::npos || pattern[close] == '[') {
      return bad(pattern, "'[' without ']'");
    }
    std::vector<std::string> numbers;
    for (const auto part : split(pattern.substr(open + 1, close - open - 1), ',')) {
      if (const auto done = expand_part(pattern, trim(part), numbers); !done) {
        return tl::unexpected(done.error());
      }
    }
    if (names.size() * numbers.size() > most_names) {
      return bad(pattern, fmt::format("more than {} names", most_names));
    }
    std::vector<std::string> longer;
    longer.reserve(names.size() * numbers.size());
    for (const auto& name : names) {
      for (const auto& number : numbers) longer.push_back(name + number);
    }
    names = std::move(longer);
    at = close + 1;
  }
  if (pattern.empty()) return bad(pattern, "it is empty");
  return names;
}

Result<std::vector<NodeId>> select_nodes(std::string_view expression, const Inventory& inventory) {
  const auto operands = split_operands(expression);
  if (!operands) return tl::unexpected(operands.error());
  Names chosen;
  for (const auto& [operation, term] : *operands) {
    const auto names = nodes_of_term(term, inventory);
    if (!names) return tl::unexpected(names.error());
    chosen = combine(chosen, *names, operation);
  }
  if (chosen.empty()) {
    return fail(Fault::usage, fmt::format("node set \"{}\" names no node", expression));
  }
  std::vector<NodeId> ordered;
  for (const auto& node : inventory.nodes) {
    if (chosen.contains(node.name)) ordered.push_back(node.name);
  }
  return ordered;
}

std::string fold_names(const std::vector<std::string>& names) {
  std::map<Shape, std::set<Box>> shapes;
  for (const auto& name : names) {
    auto [shape, numbers] = take_apart(name);
    Box box;
    for (auto& number : numbers) box.push_back({std::move(number)});
    shapes[std::move(shape)].insert(std::move(box));
  }
  std::vector<std::string> folded;
  for (const auto& [shape, boxes] : shapes) {
    for (const auto& box : merge_boxes({boxes.begin(), boxes.end()})) {
      std::string text = shape.front();
      for (std::size_t i = 0; i < box.size(); ++i) text += fold_axis(box[i]) + shape[i + 1];
      folded.push_back(std::move(text));
    }
  }
  return join(folded, ",");
}

}  // namespace podwright
