#include "transport/host_patterns.hpp"

#include <cstddef>

namespace podwright {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  // Greedy with one point to return to: linear in practice, quadratic at worst, never exponential.
  std::size_t p = 0;
  std::size_t t = 0;
  auto star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || lower(pattern[p]) == lower(text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool patterns_match(const std::vector<std::string_view>& patterns, std::string_view text) {
  bool matched = false;
  for (const auto pattern : patterns) {
    const bool negated = pattern.starts_with('!');
    if (!glob_matches(negated ? pattern.substr(1) : pattern, text)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

}  // namespace podwright
