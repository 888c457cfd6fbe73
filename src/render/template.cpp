// Mustache by its specification. kainjow's implementation was tried and has no place here: it
// prints nothing for true and false, leaves an empty line behind every section that is off and
// every comment, and drops lines that a section rendered to blanks: configuration files would
// differ from what their template says.
#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"
#include "render/lookup.hpp"
#include "render/render.hpp"

namespace podwright::render {

namespace {

/// Deeper nesting of sections is a mistake, and would use up the stack.
constexpr std::size_t most_nesting = 64;

struct Place {
  std::size_t line = 1;
  std::size_t column = 1;
};

struct Node {
  enum class Kind { text, variable, raw, section, inverted };
  Kind kind = Kind::text;
  std::string_view text;  ///< literal text, or the name
  Place place{};
  std::vector<Node> children{};
};

/// Thrown inside this file only.
struct Problem {
  Place place;
  std::string what;
  std::string hint{};
};

bool is_blank(char c) { return c == ' ' || c == '\t'; }

class Parser {
 public:
  explicit Parser(std::string_view source) : source_(source) {}

  std::vector<Node> parse() {
    std::size_t text_begin = 0;
    for (;;) {
      const auto begin = source_.find(open_, text_begin);
      if (begin == std::string_view::npos) break;
      const auto tag = read_tag(begin);
      auto text_end = begin;
      auto next = tag.end;
      if (tag.may_stand_alone) stretch_over_line(text_end, next);
      // A tag before this one may have swallowed the blanks already.
      add_text(text_begin, std::max(text_begin, text_end));
      apply(tag);
      text_begin = next;
    }
    add_text(text_begin, source_.size());
    if (!open_sections_.empty()) {
      const auto& section = open_sections_.back();
      throw Problem{section.place, fmt::format("section \"{}\" is never closed", section.text)};
    }
    return std::move(root_);
  }

 private:
  struct Tag {
    char sigil = ' ';  ///< # ^ / ! = & { or blank for a plain variable
    std::string_view content;
    std::size_t begin = 0;
    std::size_t end = 0;
    bool may_stand_alone = false;
  };

  Place place_of(std::size_t offset) const {
    const auto before = source_.substr(0, offset);
    const auto newline = before.rfind('\n');
    return {.line = 1 + static_cast<std::size_t>(std::ranges::count(before, '\n')),
            .column = newline == std::string_view::npos ? offset + 1 : offset - newline};
  }

  Tag read_tag(std::size_t begin) const {
    auto inside = begin + open_.size();
    Tag tag{.sigil = ' ', .content = {}, .begin = begin};
    if (inside < source_.size() &&
        std::string_view("#^/!=&{>").find(source_[inside]) != std::string_view::npos) {
      tag.sigil = source_[inside++];
    }
    std::string closing = tag.sigil == '{'   ? "}" + close_
                          : tag.sigil == '=' ? "=" + close_
                                             : close_;
    const auto close = source_.find(closing, inside);
    if (close == std::string_view::npos) {
      throw Problem{place_of(begin), fmt::format("\"{}\" without \"{}\"", open_, closing)};
    }
    tag.content = trim(source_.substr(inside, close - inside));
    tag.end = close + closing.size();
    tag.may_stand_alone = std::string_view("#^/!=").find(tag.sigil) != std::string_view::npos;
    return tag;
  }

  /// A tag with only blanks beside it takes its whole line with it.
  void stretch_over_line(std::size_t& begin, std::size_t& end) const {
    auto left = begin;
    while (left > 0 && is_blank(source_[left - 1])) --left;
    if (left > 0 && source_[left - 1] != '\n') return;
    auto right = end;
    while (right < source_.size() && is_blank(source_[right])) ++right;
    if (right < source_.size()) {
      if (source_[right] == '\r' && right + 1 < source_.size()) ++right;
      if (source_[right] != '\n') return;
      ++right;
    }
    begin = left;
    end = right;
  }

  std::vector<Node>& current() {
    return open_sections_.empty() ? root_ : open_sections_.back().children;
  }

  void add_text(std::size_t begin, std::size_t end) {
    if (begin == end) return;
    current().push_back({.kind = Node::Kind::text, .text = source_.substr(begin, end - begin)});
  }

  void apply(const Tag& tag) {
    const auto place = place_of(tag.begin);
    switch (tag.sigil) {
      case '!':
        return;
      case '=':
        return set_delimiters(tag, place);
      case '/':
        return close_section(tag, place);
      case '>':
        throw Problem{place, "{{>…}} is not supported: a template stands for itself"};
      default:
        break;
    }
    const bool special = tag.content == "." || tag.content == "@first" || tag.content == "@last" ||
                         tag.content == "@index";
    if (!special && !is_name(tag.content)) {
      throw Problem{place, fmt::format("\"{}\" is not a name", tag.content),
                    "text that holds {{ itself needs other marks: {{=<% %>=}} at its beginning"};
    }
    Node node{.kind = Node::Kind::variable, .text = tag.content, .place = place};
    if (tag.sigil == '&' || tag.sigil == '{') node.kind = Node::Kind::raw;
    if (tag.sigil == '#') node.kind = Node::Kind::section;
    if (tag.sigil == '^') node.kind = Node::Kind::inverted;
    if (tag.sigil != '#' && tag.sigil != '^') {
      current().push_back(std::move(node));
      return;
    }
    if (open_sections_.size() == most_nesting)
      throw Problem{place, "sections are nested too deeply"};
    open_sections_.push_back(std::move(node));
  }

  void close_section(const Tag& tag, const Place& place) {
    if (open_sections_.empty()) {
      throw Problem{place, fmt::format("\"{}\" is closed but was never opened", tag.content)};
    }
    if (open_sections_.back().text != tag.content) {
      throw Problem{place,
                    fmt::format("\"{}\" is closed where \"{}\" (line {}) is open", tag.content,
                                open_sections_.back().text, open_sections_.back().place.line)};
    }
    auto section = std::move(open_sections_.back());
    open_sections_.pop_back();
    current().push_back(std::move(section));
  }

  void set_delimiters(const Tag& tag, const Place& place) {
    const auto marks = words(tag.content);
    if (marks.size() != 2 || tag.content.find('=') != std::string_view::npos) {
      throw Problem{place, "new marks are set like {{=<% %>=}}"};
    }
    open_ = marks[0];
    close_ = marks[1];
  }

  std::string_view source_;
  std::string open_ = "{{";
  std::string close_ = "}}";
  std::vector<Node> root_;
  std::vector<Node> open_sections_;
};

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

class Renderer {
 public:
  Renderer(const Json& context, bool escape) : scopes_{&context}, escape_(escape) {}

  std::string render(const std::vector<Node>& nodes) {
    walk(nodes);
    return std::move(out_);
  }

 private:
  struct Position {
    std::size_t index = 0;
    std::size_t count = 1;
  };

  void walk(const std::vector<Node>& nodes) {
    for (const auto& node : nodes) {
      switch (node.kind) {
        case Node::Kind::text:
          out_ += node.text;
          break;
        case Node::Kind::variable:
          print(node, escape_);
          break;
        case Node::Kind::raw:
          print(node, false);
          break;
        case Node::Kind::section:
          enter(node);
          break;
        case Node::Kind::inverted:
          if (!is_on(node)) walk(node.children);
          break;
      }
    }
  }

  const Json& look_up(const Node& node) const {
    if (node.text == ".") return *scopes_.back();
    const auto found = find_name(node.text, scopes_);
    if (found.value == nullptr) throw Problem{node.place, found.problem};
    return *found.value;
  }

  const Position& position(const Node& node) const {
    if (positions_.empty()) {
      throw Problem{node.place, fmt::format("\"{}\" has a meaning only inside a list", node.text)};
    }
    return positions_.back();
  }

  bool is_on(const Node& node) const {
    if (node.text == "@first") return position(node).index == 0;
    if (node.text == "@last") return position(node).index + 1 == position(node).count;
    if (node.text == "@index") return position(node).index != 0;
    const auto& value = look_up(node);
    if (value.is_boolean()) return value.get<bool>();
    if (value.is_number()) return value.get<double>() != 0;
    if (value.is_string()) return !value.get_ref<const std::string&>().empty();
    if (value.is_array()) return !value.empty();
    return !value.is_null();
  }

  void enter(const Node& node) {
    if (!is_on(node)) return;
    if (node.text.starts_with('@')) return walk(node.children);
    const auto& value = look_up(node);
    if (!value.is_array()) {
      scopes_.push_back(&value);
      walk(node.children);
      scopes_.pop_back();
      return;
    }
    positions_.push_back({.index = 0, .count = value.size()});
    for (const auto& item : value) {
      scopes_.push_back(&item);
      walk(node.children);
      scopes_.pop_back();
      ++positions_.back().index;
    }
    positions_.pop_back();
  }

  void print(const Node& node, bool escape) {
    if (node.text == "@index") {
      out_ += std::to_string(position(node).index);
      return;
    }
    if (node.text.starts_with('@')) {
      throw Problem{node.place,
                    fmt::format("\"{}\" opens a section, it prints nothing", node.text)};
    }
    const auto& value = look_up(node);
    if (value.is_string()) {
      const auto& text = value.get_ref<const std::string&>();
      if (escape) out_ += escape_html(text);
      else out_ += text;
    } else if (value.is_boolean()) {
      out_ += value.get<bool>() ? "true" : "false";
    } else if (value.is_number_float()) {
      out_ += fmt::format("{}", value.get<double>());
    } else if (value.is_number()) {
      out_ += value.dump();
    } else {
      throw Problem{node.place,
                    fmt::format("\"{}\" is {} and cannot be printed", node.text, kind_of(value)),
                    value.is_array() ? "print its items with {{#…}}{{.}}{{/…}}" : ""};
    }
  }

  std::vector<const Json*> scopes_;
  std::vector<Position> positions_;
  bool escape_;
  std::string out_;
};

tl::unexpected<Error> complaint(const Problem& problem, std::string_view source,
                                std::string_view where) {
  const bool one_line = source.find('\n') == std::string_view::npos;
  const auto at = one_line
                      ? fmt::format("in \"{}\", column {}", source, problem.place.column)
                      : fmt::format("line {}, column {}", problem.place.line, problem.place.column);
  return fail(Fault::usage, fmt::format("{}: {}: {}", where, at, problem.what), problem.hint);
}

Result<std::string> render(std::string_view source, const Json& context, std::string_view where,
                           bool escape) {
  try {
    return Renderer(context, escape).render(Parser(source).parse());
  } catch (const Problem& problem) {
    return complaint(problem, source, where);
  }
}

}  // namespace

Result<std::string> text(std::string_view source, const Json& context, std::string_view where) {
  return render(source, context, where, false);
}

Result<std::string> html(std::string_view source, const Json& context, std::string_view where) {
  return render(source, context, where, true);
}

Status check_template(std::string_view source, std::string_view where) {
  try {
    Parser(source).parse();
    return {};
  } catch (const Problem& problem) {
    return complaint(problem, source, where);
  }
}

}  // namespace podwright::render
