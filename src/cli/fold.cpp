#include "cli/fold.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cli/style.hpp"
#include "config/nodeset.hpp"
#include "events/terminal.hpp"

namespace podwright::cli {

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
  for (const auto& group : fold(texts)) {
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
