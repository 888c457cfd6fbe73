#include "catalog/handoffs/proof_script.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace podwright::handoffs {

namespace {

constexpr std::string_view begin_mark = "== begin ";
constexpr std::string_view end_mark = "== end ";
/// Reasons that fit into a summary; a thousand dead nodes are told by the first ones and a number.
constexpr std::size_t most_reasons = 8;
/// Words of lines that tell a failure or its place, as srun, mpirun, scp and MPI write them.
constexpr std::array<std::string_view, 11> complaining = {
    "rror:",  " failed",  "annot ", "enied",       "efused", "nable to",
    "nvalid", "imed out", "o such", "Local host:", "Node:"};

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

std::string complaint(const std::vector<std::string>& lines) {
  constexpr std::size_t most_lines = 3;
  constexpr std::size_t most_bytes = 200;  // of a line
  std::vector<std::string> complaints;
  std::vector<std::string> all;
  for (const auto& line : lines) {
    const auto text = std::string(trim(line).substr(0, most_bytes));
    if (text.empty()) continue;
    all.push_back(text);
    const auto says = [&](std::string_view word) { return text.find(word) != std::string::npos; };
    if (complaints.size() < most_lines && std::ranges::any_of(complaining, says) &&
        std::ranges::find(complaints, text) == complaints.end()) {
      complaints.push_back(text);
    }
  }
  if (!complaints.empty()) return join(complaints, " | ");
  if (all.size() > most_lines) all.erase(all.begin(), all.end() - most_lines);
  return all.empty() ? "it said nothing" : join(all, " | ");
}

std::string describe_exit(int status, int seconds) {
  // timeout(1) exits with 124, or is killed itself when the command had to be killed.
  if (status == 124 || status == 137) return fmt::format("was stopped after {} s", seconds);
  return fmt::format("failed with {}", status);
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
