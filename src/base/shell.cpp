#include "base/shell.hpp"

#include <algorithm>

namespace podwright::sh {

std::string quote(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text.substr(0, text.find('\0'))) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string join(const std::vector<std::string>& words) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./:=@%+,").find(c) != std::string_view::npos;
  };
  std::string line;
  for (const auto& word : words) {
    if (!line.empty()) line += ' ';
    line += !word.empty() && std::ranges::all_of(word, plain) ? word : quote(word);
  }
  return line;
}

std::string print(std::string_view content) { return "printf %s " + quote(content); }

std::string assign(std::string_view name, std::string_view value) {
  return std::string(name) + "=" + quote(value) + "\n";
}

}  // namespace podwright::sh
