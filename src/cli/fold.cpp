#include "cli/fold.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cli/style.hpp"
#include "config/nodeset.hpp"
#include "events/terminal.hpp"

namespace podwright::cli {

namespace {

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/// Length of an IPv4 address at `at`, "[10.0.0.1]:22" included; 0 where there is none.
std::size_t address_length(std::string_view text, std::size_t at) {
  const bool bracket = text[at] == '[';
  std::size_t end = at + (bracket ? 1 : 0);
  int numbers = 0;
  while (numbers < 4) {
    const auto digits = text.substr(end).find_first_not_of("0123456789");
    const auto length = digits == std::string_view::npos ? text.size() - end : digits;
    if (length == 0 || length > 3) return 0;
    end += length;
    if (++numbers == 4) break;
    if (end >= text.size() || text[end] != '.') return 0;
    ++end;
  }
  if (!bracket) return end - at;
  if (end >= text.size() || text[end] != ']') return 0;
  ++end;
  if (end < text.size() && text[end] == ':') {
    const auto digits = text.find_first_not_of("0123456789", end + 1);
    end = digits == std::string_view::npos ? text.size() : digits;
  }
  return end - at;
}

std::string impersonal(const NodeId& node, std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const bool begins = at == 0 || !is_word(text[at - 1]);
    if (begins && !node.empty() && text.substr(at).starts_with(node) &&
        (at + node.size() == text.size() || !is_word(text[at + node.size()]))) {
      out += "NODE";
      at += node.size();
    } else if (const auto length = begins ? address_length(text, at) : 0; length > 0) {
      out += "ADDRESS";
      at += length;
    } else {
      out += text[at++];
    }
  }
  return out;
}

}  // namespace

std::vector<Folded> fold_alike(const std::map<NodeId, std::string>& texts) {
  std::map<NodeId, std::string> keys;
  for (const auto& [node, text] : texts) keys[node] = impersonal(node, text);
  auto groups = fold(keys);
  for (auto& group : groups) {
    const auto& first = texts.at(group.nodes.front());
    const bool same = std::ranges::all_of(group.nodes, [&](const NodeId& node) { return texts.at(node) == first; });
    if (same) group.text = first;
  }
  return groups;
}

std::vector<Folded> fold(const std::map<NodeId, std::string>& texts) {
  std::map<std::string_view, std::size_t> place;
  std::vector<Folded> groups;
  for (const auto& [node, text] : texts) {
    const auto [found, fresh] = place.try_emplace(text, groups.size());
    if (fresh) groups.push_back({.nodes = {}, .text = text});
    groups[found->second].nodes.push_back(node);
  }
  std::ranges::stable_sort(groups, std::ranges::greater{},
                           [](const Folded& group) { return group.nodes.size(); });
  return groups;
}

std::string who(const std::vector<NodeId>& nodes) {
  const auto names = fold_names(nodes);
  return nodes.size() == 1 ? names : fmt::format("{} ({})", names, nodes.size());
}

std::string folded_text(const std::map<NodeId, std::string>& texts, std::size_t width) {
  std::string all;
  for (const auto& group : fold(texts)) {
    const auto head = who(group.nodes);
    const auto body = trim(group.text);
    if (body.find('\n') == std::string_view::npos &&
        events::display_width(head) + events::display_width(body) + 2 <= width) {
      all += body.empty() ? head + ":\n" : fmt::format("{}: {}\n", head, body);
    } else {
      std::string_view lines = group.text;
      while (lines.ends_with('\n')) lines.remove_suffix(1);
      all += head + ":\n" + indented(lines, 2);
    }
  }
  return all;
}

std::string folded_errors(const std::map<NodeId, Error>& errors, std::size_t width) {
  std::map<NodeId, std::string> texts;
  for (const auto& [node, error] : errors) {
    texts[node] = (error.step.empty() ? "" : error.step + ": ") + clean_output(error.what) +
                  (error.hint.empty() ? "" : "\n" + clean_output(error.hint));
  }
  std::string all;
  for (const auto& group : fold_alike(texts)) {
    const auto parts = lines(group.text);
    bool first = true;
    for (const auto part : parts) {
      const auto line = first ? fmt::format("{}: {}", who(group.nodes), part) : std::string(part);
      all += paragraph(line, width, first ? 0 : 4);
      first = false;
    }
  }
  return all;
}

}  // namespace podwright::cli
