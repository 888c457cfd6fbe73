#include "engine/redact.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.hpp"

namespace podwright {

namespace {

constexpr std::string_view mark = "[redacted]";

/// Names whose value is a secret, lower case; before "=" or ":".
constexpr std::array<std::string_view, 14> names = {"password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "api-key",
                                                    "access_key", "private_key", "credential", "auth_key", "munge_key", "psk"};
/// Only as a whole word: "pass=" of mount options, "compass=" it is not.
constexpr std::array<std::string_view, 2> words_only = {"pass", "pw"};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-'; }

/// Where the value that begins at `at` ends: a quoted one behind its quote, else before a blank, a comma or a
/// closing bracket or quote.
std::size_t end_of_value(std::string_view line, std::size_t at) {
  if (at < line.size() && (line[at] == '"' || line[at] == '\'')) {
    const auto close = line.find(line[at], at + 1);
    return close == std::string_view::npos ? line.size() : close + 1;
  }
  const auto end = line.find_first_of(" \t,;&)]}\"'", at);
  return end == std::string_view::npos ? line.size() : end;
}

/// Whether a secret's name ends right before `at`, the place of "=" or ":".
bool names_a_secret(std::string_view line, std::size_t at) {
  auto end = at;
  while (end > 0 && (line[end - 1] == ' ' || line[end - 1] == '"' || line[end - 1] == '\'')) --end;
  auto begin = end;
  while (begin > 0 && is_word(line[begin - 1])) --begin;
  std::string word(line.substr(begin, end - begin));
  std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (std::ranges::find(words_only, word) != words_only.end()) return true;
  return std::ranges::any_of(names, [&](auto name) { return word.ends_with(name) || word.ends_with(std::string(name) + "s"); });
}

void redact_named(std::string& line) {
  for (std::size_t at = 0; (at = line.find_first_of("=:", at)) != std::string::npos; ++at) {
    if (!names_a_secret(line, at)) continue;
    auto begin = at + 1;
    while (begin < line.size() && (line[begin] == ' ' || line[begin] == '\t')) ++begin;
    const auto end = end_of_value(line, begin);
    if (end == begin || line.compare(begin, mark.size(), mark) == 0) continue;
    line.replace(begin, end - begin, mark);
    at = begin;
  }
}

/// scheme://user:password@host
void redact_logins(std::string& line) {
  for (std::size_t at = 0; (at = line.find("://", at)) != std::string::npos; at += 3) {
    const auto begin = at + 3;
    const auto end = line.find_first_of(" \t/\"'", begin);
    const auto host = std::string_view(line).substr(begin, end == std::string::npos ? end : end - begin);
    const auto sign = host.rfind('@');
    const auto colon = host.find(':');
    if (sign == std::string_view::npos || colon == std::string_view::npos || colon > sign) continue;
    line.replace(begin + colon + 1, sign - colon - 1, mark);
  }
}

/// Texts that are secrets by the look of them.
void redact_known(std::string& line) {
  struct Look {
    std::string_view prefix;
    std::size_t least;  ///< characters behind it
  };
  for (const auto& [prefix, least] : {Look{"AKIA", 16}, {"ASIA", 16}, {"ghp_", 20}, {"github_pat_", 20}, {"glpat-", 16}, {"xoxb-", 10}, {"Bearer ", 8}, {"Basic ", 8}, {"hf_", 20}, {"nvapi-", 16}}) {
    for (std::size_t at = 0; (at = line.find(prefix, at)) != std::string::npos;) {
      auto end = at + prefix.size();
      while (end < line.size() && (is_word(line[end]) || line[end] == '.' || line[end] == '+' || line[end] == '/' || line[end] == '=')) ++end;
      const bool begins = at == 0 || !is_word(line[at - 1]);
      if (!begins || end - at - prefix.size() < least) {
        at += prefix.size();
        continue;
      }
      line.replace(at, end - at, mark);
      at += mark.size();
    }
  }
}

}  // namespace

std::string redact(std::string_view text) {
  std::string result;
  bool in_key = false;
  for (const auto whole : lines(text)) {
    if (in_key) {
      in_key = whole.find("-----END ") == std::string_view::npos;
      continue;
    }
    const auto key = whole.find("-----BEGIN ");
    if (key != std::string_view::npos && whole.find("PRIVATE KEY", key) != std::string_view::npos) {
      in_key = whole.find("-----END ", key + 1) == std::string_view::npos;
      (result += whole.substr(0, key)) += mark;
      result += '\n';
      continue;
    }
    std::string line(whole);
    redact_logins(line);
    redact_known(line);
    redact_named(line);
    result += line;
    result += '\n';
  }
  if (!text.ends_with('\n') && result.ends_with('\n')) result.pop_back();
  return result;
}

}  // namespace podwright
