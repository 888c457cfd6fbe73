#include "repo/deb822.hpp"

#include <algorithm>
#include <cctype>

#include "base/text.hpp"

namespace podwright {

namespace {

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
         });
}

}  // namespace

std::string_view next_stanza(std::string_view text, std::size_t& at) {
  while (at < text.size() && (text[at] == '\n' || text[at] == '\r')) ++at;
  const auto begin = at;
  const auto end = text.find("\n\n", begin);
  at = end == std::string_view::npos ? text.size() : end + 2;
  return text.substr(begin, end == std::string_view::npos ? std::string_view::npos : end + 1 - begin);
}

std::vector<std::pair<std::string_view, std::string_view>> fields_of(std::string_view stanza) {
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  std::size_t at = 0;
  while (at < stanza.size()) {
    auto end = stanza.find('\n', at);
    while (end != std::string_view::npos && end + 1 < stanza.size() && (stanza[end + 1] == ' ' || stanza[end + 1] == '\t')) {
      end = stanza.find('\n', end + 1);
    }
    const auto line = stanza.substr(at, end == std::string_view::npos ? std::string_view::npos : end - at);
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && line.front() != '#') fields.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
    if (end == std::string_view::npos) break;
    at = end + 1;
  }
  return fields;
}

std::string_view field_of(std::string_view stanza, std::string_view name) {
  for (const auto& [key, value] : fields_of(stanza)) {
    if (same_name(key, name)) return value;
  }
  return {};
}

std::map<std::string, ReleaseFile, std::less<>> release_files(std::string_view release) {
  std::map<std::string, ReleaseFile, std::less<>> files;
  for (const auto line : lines(field_of(release, "SHA256"))) {
    const auto parts = words(line);
    if (parts.size() != 3 || parts[0].size() != 64) continue;
    const auto size = to_int(parts[1]);
    if (!size || *size < 0) continue;
    files[std::string(parts[2])] = {.sha256 = std::string(parts[0]), .size = static_cast<std::uint64_t>(*size)};
  }
  return files;
}

}  // namespace podwright
