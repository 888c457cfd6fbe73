#include <fmt/format.h>

#include <algorithm>
#include <compare>

#include "base/json.hpp"
#include "base/text.hpp"
#include "render/lookup.hpp"
#include "render/render.hpp"

namespace podwright::render {

namespace {

/// Deeper nesting is a mistake, and would use up the stack.
constexpr std::size_t most_nesting = 64;

/// Thrown inside this file only.
struct Problem {
  std::size_t column;  ///< from 0
  std::string what;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_char(char c) { return is_name_start(c) || is_digit(c) || c == '.' || c == '-'; }

/// Order of texts as people order versions: runs of digits by their number, so that 9 < 22.04.
std::weak_ordering compare_texts(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const auto take = [](std::string_view& text) {
        while (text.size() > 1 && text.front() == '0' && is_digit(text[1])) text.remove_prefix(1);
        const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
        const auto digits = text.substr(0, end);
        text.remove_prefix(end);
        return digits;
      };
      const auto left = take(a);
      const auto right = take(b);
      if (left.size() != right.size()) return left.size() <=> right.size();
      if (left != right) return left <=> right;
      continue;
    }
    if (a.front() != b.front()) return a.front() <=> b.front();
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  return a.size() <=> b.size();
}

/// Parses and evaluates in one pass. A side that `and` or `or` has decided already is parsed but
/// not evaluated; of its names only the first part is looked up, so that a slip is found on every
/// node.
class Evaluator {
 public:
  Evaluator(std::string_view text, const Json* context) : text_(text), context_(context) {}

  bool run() {
    const auto value = read_or(context_ != nullptr);
    skip_blanks();
    if (at_ < text_.size()) {
      throw Problem{at_, fmt::format("\"{}\" was not expected here", text_.substr(at_, 12))};
    }
    return value.is_boolean() && value.get<bool>();
  }

 private:
  Json read_or(bool live) {
    if (++depth_ > most_nesting) throw Problem{at_, "parentheses are nested too deeply"};
    auto begin = start();
    auto left = read_and(live);
    while (take_word("or")) {
      const bool decided = live && truth(left, begin);
      begin = start();
      auto right = read_and(live && !decided);
      if (live) left = decided || truth(right, begin);
      else demand_truth(left);
    }
    if (depth_ == 1 && live) truth(left, begin);
    --depth_;
    return left;
  }

  Json read_and(bool live) {
    auto begin = start();
    auto left = read_not(live);
    while (take_word("and")) {
      const bool decided = live && !truth(left, begin);
      begin = start();
      auto right = read_not(live && !decided);
      if (live) left = !decided && truth(right, begin);
      else demand_truth(left);
    }
    return left;
  }

  Json read_not(bool live) {
    bool negate = false;
    bool any = false;
    while (take_word("not")) {
      negate = !negate;
      any = true;
    }
    const auto begin = start();
    auto value = read_comparison(live);
    if (!any || !live) return value;
    return truth(value, begin) != negate;
  }

  Json read_comparison(bool live) {
    const auto begin = start();
    auto left = read_operand(live);
    const auto at = start();
    const auto operation = take_operator();
    if (operation.empty()) return left;
    const auto right = read_operand(live);
    if (!live) return false;
    if (operation == "in" || operation == "not in") {
      return contains(left, right, at) == (operation == "in");
    }
    return compare(left, operation, right, begin);
  }

  std::string_view take_operator() {
    for (const std::string_view symbol : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (text_.substr(at_).starts_with(symbol)) {
        at_ += symbol.size();
        return symbol;
      }
    }
    if (text_.substr(at_).starts_with('=')) throw Problem{at_, "equality is written =="};
    if (text_.substr(at_).starts_with("&&")) throw Problem{at_, "write \"and\" instead of &&"};
    if (text_.substr(at_).starts_with("||")) throw Problem{at_, "write \"or\" instead of ||"};
    if (take_word("in")) return "in";
    const auto before = at_;
    if (take_word("not")) {
      if (take_word("in")) return "not in";
      at_ = before;
    }
    return {};
  }

  Json read_operand(bool live) {
    skip_blanks();
    if (at_ == text_.size()) throw Problem{at_, "a name or a value is missing here"};
    const char c = text_[at_];
    if (c == '(') {
      ++at_;
      auto value = read_or(live);
      expect(')');
      return value;
    }
    if (c == '[') return read_list(live);
    if (c == '\'' || c == '"') return read_text();
    if (is_digit(c) || c == '-') return read_number();
    if (c == '!') throw Problem{at_, "write \"not\" instead of !"};
    if (!is_name_start(c)) throw Problem{at_, fmt::format("'{}' was not expected here", c)};
    return read_name(live);
  }

  Json read_list(bool live) {
    ++at_;
    Json list = Json::array();
    skip_blanks();
    while (at_ < text_.size() && text_[at_] != ']') {
      if (++depth_ > most_nesting) throw Problem{at_, "lists are nested too deeply"};
      list.push_back(read_operand(live));
      --depth_;
      skip_blanks();
      if (at_ < text_.size() && text_[at_] == ',') {
        ++at_;
        skip_blanks();
      } else {
        break;
      }
    }
    expect(']');
    return list;
  }

  Json read_text() {
    const char quote = text_[at_];
    const auto end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) throw Problem{at_, fmt::format("{} without its end", quote)};
    const auto text = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return std::string(text);
  }

  Json read_number() {
    const auto begin = at_;
    ++at_;
    while (at_ < text_.size() && (is_name_char(text_[at_]) || text_[at_] == '+')) ++at_;
    const auto text = text_.substr(begin, at_ - begin);
    if (const auto whole = to_int(text)) return *whole;
    if (const auto fraction = to_double(text)) return *fraction;
    throw Problem{begin, fmt::format("\"{}\" is not a number; texts stand in quotes", text)};
  }

  Json read_name(bool live) {
    const auto begin = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    const auto name = text_.substr(begin, at_ - begin);
    if (name == "true") return true;
    if (name == "false") return false;
    if (name == "and" || name == "or" || name == "not" || name == "in") {
      throw Problem{begin, fmt::format("a name or a value is missing before \"{}\"", name)};
    }
    if (!is_name(name)) throw Problem{begin, fmt::format("\"{}\" is not a name", name)};
    if (context_ == nullptr) return false;
    const auto looked_up = live ? name : name.substr(0, name.find('.'));
    const auto found = find_name(looked_up, {context_});
    if (found.value == nullptr) throw Problem{begin, found.problem + remedy_for(name)};
    return live ? *found.value : Json(false);
  }

  /// A forgotten pair of quotes is the usual reason of an unknown name on the right of ==.
  static std::string remedy_for(std::string_view name) {
    return name.find('.') == std::string_view::npos ? " (texts stand in quotes)" : "";
  }

  bool truth(const Json& value, std::size_t column) const {
    if (value.is_boolean()) return value.get<bool>();
    throw Problem{column, fmt::format("\"{}\" is {}, not true or false: compare it with something",
                                      trim(text_.substr(column, at_ - column)), kind_of(value))};
  }

  /// Without evaluation there are no values to judge.
  static void demand_truth(Json& value) { value = false; }

  static bool same_kind(const Json& a, const Json& b) {
    return (a.is_number() && b.is_number()) || (a.is_string() && b.is_string()) ||
           (a.is_boolean() && b.is_boolean());
  }

  static bool compare(const Json& left, std::string_view operation, const Json& right,
                      std::size_t column) {
    if (!same_kind(left, right)) {
      throw Problem{column,
                    fmt::format("{} cannot be compared with {}", kind_of(left), kind_of(right))};
    }
    if (operation == "==") return left == right;
    if (operation == "!=") return left != right;
    if (left.is_boolean()) throw Problem{column, "true and false have no order"};
    const auto order =
        left.is_string() ? std::partial_ordering(compare_texts(left.get_ref<const std::string&>(),
                                                               right.get_ref<const std::string&>()))
                         : left.get<double>() <=> right.get<double>();
    if (operation == "<") return std::is_lt(order);
    if (operation == "<=") return std::is_lteq(order);
    if (operation == ">") return std::is_gt(order);
    return std::is_gteq(order);
  }

  static bool contains(const Json& item, const Json& container, std::size_t column) {
    if (container.is_string() && item.is_string()) {
      return container.get_ref<const std::string&>().find(item.get_ref<const std::string&>()) !=
             std::string::npos;
    }
    if (container.is_object() && item.is_string()) {
      return container.contains(item.get_ref<const std::string&>());
    }
    if (container.is_array()) {
      return std::ranges::any_of(
          container, [&](const Json& other) { return compare(item, "==", other, column); });
    }
    throw Problem{column,
                  fmt::format("\"in\" looks for {} in {}; it wants a list, a text or a table",
                              kind_of(item), kind_of(container))};
  }

  bool take_word(std::string_view word) {
    skip_blanks();
    const auto rest = text_.substr(at_);
    if (!rest.starts_with(word)) return false;
    if (rest.size() > word.size() && is_name_char(rest[word.size()])) return false;
    at_ += word.size();
    return true;
  }

  void expect(char c) {
    skip_blanks();
    if (at_ == text_.size()) throw Problem{at_, fmt::format("'{}' is missing at the end", c)};
    if (text_[at_] != c)
      throw Problem{at_, fmt::format("'{}' is missing before \"{}\"", c, text_.substr(at_, 12))};
    ++at_;
  }

  void skip_blanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }

  std::size_t start() {
    skip_blanks();
    return at_;
  }

  std::string_view text_;
  const Json* context_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
};

Result<bool> evaluate(std::string_view expression, const Json* context, std::string_view where) {
  try {
    return Evaluator(expression, context).run();
  } catch (const Problem& problem) {
    return fail(Fault::usage, fmt::format("{}: in \"{}\", column {}: {}", where, expression,
                                          problem.column + 1, problem.what));
  }
}

}  // namespace

Result<bool> condition(std::string_view expression, const Json& context, std::string_view where) {
  return evaluate(expression, &context, where);
}

Status check_condition(std::string_view expression, std::string_view where) {
  const auto parsed = evaluate(expression, nullptr, where);
  if (!parsed) return fail(parsed.error());
  return {};
}

}  // namespace podwright::render
