#include "catalog/handoffs/proof_script.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace podwright::handoffs {

namespace {

constexpr std::string_view begin_mark = "== begin ";
constexpr std::string_view end_mark = "== end ";
/// Reasons that fit into a summary; a thousand dead nodes are told by the first ones and a number.
constexpr std::size_t most_reasons = 8;

}  // namespace

std::string_view section_functions() {
  return "begin() { echo \"== begin $1\"; }\n"
         "end() { echo \"== end $?\"; }\n";
}

std::vector<Section> sections_of(std::string_view output) {
  std::vector<Section> sections;
  bool open = false;
  for (const auto line : lines(output)) {
    if (line.starts_with(begin_mark)) {
      sections.push_back({.name = std::string(line.substr(begin_mark.size())), .lines = {}});
      open = true;
    } else if (open && line.starts_with(end_mark)) {
      const auto status = to_int(trim(line.substr(end_mark.size())));
      if (status) sections.back().exit_status = static_cast<int>(*status);
      open = false;
    } else if (open) {
      sections.back().lines.emplace_back(line);
    }
  }
  return sections;
}

const Section* find_section(const std::vector<Section>& sections, std::string_view name) {
  const auto found = std::ranges::find(sections, name, &Section::name);
  return found == sections.end() ? nullptr : &*found;
}

std::string last_words(const Section& section, std::size_t most) {
  std::vector<std::string> said;
  std::size_t length = 0;
  for (auto line = section.lines.rbegin(); line != section.lines.rend(); ++line) {
    const auto text = trim(*line);
    // Boxes that Open MPI draws around its messages
    if (text.empty() || text.find_first_not_of('-') == std::string_view::npos) continue;
    length += text.size() + 3;
    if (!said.empty() && (length > most || said.size() == 4)) break;
    said.emplace_back(text.substr(0, most));
  }
  std::ranges::reverse(said);
  return said.empty() ? "it printed nothing" : join(said, " | ");
}

std::vector<const Node*> compute_nodes(const HandoffContext& context) {
  auto nodes = context.inventory.with_role("compute");
  std::erase_if(nodes, [&](const Node* node) { return !context.facts.contains(node->name); });
  return nodes;
}

std::string host_name_of(const Node& node, const HandoffContext& context) {
  const auto facts = context.facts.find(node.name);
  if (facts == context.facts.end() || facts->second.hostname.empty()) return node.name;
  return facts->second.hostname.substr(0, facts->second.hostname.find('.'));
}

std::string training_user(const HandoffContext& context) {
  const auto* value = find_value(context.profile.vars, "training_user");
  return value == nullptr ? std::string() : value->scalar_text();
}

std::string comma_list(const std::vector<const Node*>& nodes) {
  std::vector<std::string> names;
  for (const auto* node : nodes) names.push_back(node->name);
  return join(names, ",");
}

ProofResult conclude(std::string name, std::string command, const Observed& observed,
                     const std::vector<std::string>& reasons, std::string summary_when_passed) {
  ProofResult result{.name = std::move(name),
                     .pass = reasons.empty(),
                     .summary = std::move(summary_when_passed),
                     .command = std::move(command),
                     .output = observed.err.empty() ? observed.out : observed.out + observed.err};
  if (result.pass) return result;
  std::vector<std::string> shown(
      reasons.begin(),
      reasons.begin() + static_cast<std::ptrdiff_t>(std::min(most_reasons, reasons.size())));
  if (reasons.size() > shown.size()) {
    shown.push_back(fmt::format("and {} more", reasons.size() - shown.size()));
  }
  result.summary = join(shown, "; ");
  return result;
}

}  // namespace podwright::handoffs
