#include "repo/rpm_md.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace podwright {

namespace {

/// The value of an attribute of a start tag, which is given without its brackets.
std::string_view attribute(std::string_view tag, std::string_view name) {
  for (auto at = tag.find(name); at != std::string_view::npos; at = tag.find(name, at + 1)) {
    const auto before = at == 0 ? ' ' : tag[at - 1];
    const auto rest = tag.substr(at + name.size());
    if ((before != ' ' && before != '\t' && before != '\n') || rest.size() < 2 || rest[0] != '=') continue;
    const auto quote = rest[1];
    if (quote != '"' && quote != '\'') continue;
    return rest.substr(2, rest.find(quote, 2) - 2);
  }
  return {};
}

/// The start tag `name` in `xml` from `at`, which moves behind it; empty: none.
std::string_view start_tag(std::string_view xml, std::string_view name, std::size_t& at) {
  const auto open = "<" + std::string(name);
  for (auto from = xml.find(open, at); from != std::string_view::npos; from = xml.find(open, from + 1)) {
    const auto next = from + open.size() < xml.size() ? xml[from + open.size()] : '\0';
    if (next != ' ' && next != '>' && next != '/' && next != '\n' && next != '\t') continue;
    const auto end = xml.find('>', from);
    if (end == std::string_view::npos) break;
    at = end + 1;
    return xml.substr(from + 1, end - from - 1);
  }
  at = xml.size();
  return {};
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

Result<std::map<std::string, RepomdPart, std::less<>>> read_repomd(std::string_view xml) {
  std::map<std::string, RepomdPart, std::less<>> parts;
  std::size_t at = 0;
  while (at < xml.size()) {
    const auto tag = start_tag(xml, "data", at);
    if (tag.empty()) break;
    const auto end = xml.find("</data>", at);
    if (end == std::string_view::npos) return fail(Fault::validation, "it ends in the middle", "fetch it again");
    const auto body = xml.substr(at, end - at);
    at = end;
    std::size_t in = 0;
    const auto checksum = start_tag(body, "checksum", in);
    const auto digest = trim(body.substr(in, body.find('<', in) - in));
    in = 0;
    const auto href = attribute(start_tag(body, "location", in), "href");
    if (attribute(checksum, "type") != "sha256" || !is_digest(digest) || href.empty()) continue;
    if (href.front() == '/' || href.find("..") != std::string_view::npos || href.find("://") != std::string_view::npos) {
      return fail(Fault::validation, "a file that it names lies outside of the repository: " + clean_output(href));
    }
    parts[std::string(attribute(tag, "type"))] = {.href = std::string(href), .sha256 = std::string(digest)};
  }
  if (parts.empty()) return fail(Fault::validation, "it names no file with a SHA-256", "createrepo_c makes such metadata");
  return parts;
}

bool is_modular(std::string_view version) {
  const auto release = version.substr(version.rfind('-') + 1);
  return release.find(".module+") != std::string_view::npos || release.find(".module_") != std::string_view::npos;
}

}  // namespace podwright
