#include "engine/preflight.hpp"

#include <fmt/format.h>

#include <map>

#include "base/text.hpp"

namespace podwright {

std::string preflight_script() {
  std::string text;
  for (const auto& rule : catalog<Preflight>()) {
    if (!rule.probe.empty()) text += fmt::format("echo '[{}]'\n(\n{}\n) 2>/dev/null\n", rule.id, rule.probe);
  }
  return text + "exit 0\n";
}

std::vector<PreflightFinding> judge_preflight(const std::string& printed, const PreflightContext& context) {
  std::map<std::string, std::string, std::less<>> sections;
  std::string* section = nullptr;
  for (const auto line : lines(printed)) {
    if (line.starts_with('[') && line.ends_with(']')) {
      section = &sections[std::string(line.substr(1, line.size() - 2))];
    } else if (section != nullptr) {
      (*section += line) += '\n';
    }
  }
  std::vector<PreflightFinding> findings;
  for (const auto& rule : catalog<Preflight>()) {
    const auto found = sections.find(rule.id);
    if (!rule.probe.empty() && found == sections.end()) {
      findings.push_back({.what = fmt::format("the preflight's rule {} had no answer", rule.id),
                          .hint = "log in and see what hangs, then plan again"});
      continue;
    }
    if (auto finding = rule.judge(found == sections.end() ? "" : found->second, context)) {
      findings.push_back(std::move(*finding));
    }
  }
  return findings;
}

}  // namespace podwright
