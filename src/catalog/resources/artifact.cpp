#include "catalog/resources/artifact.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/reading.hpp"

namespace podwright {

namespace {

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

}  // namespace

Result<Artifact> wanted_artifact(const Wanted& wanted) {
  return wanted_artifact(wanted, "url", "source", "sha256");
}

Result<Artifact> wanted_artifact(const Wanted& wanted, std::string_view url_field,
                                 std::string_view source_field, std::string_view digest_field) {
  const auto url = url_field.empty() ? std::string{} : wanted.text(url_field);
  Artifact artifact{.source = wanted.text(source_field),
                    .sha256 = lower(std::string(trim(wanted.text(digest_field))))};
  if (artifact.source.empty()) {
    if (url.empty()) {
      return refuse(wanted, source_field, "it is not said where the file comes from",
                    url_field.empty()
                        ? fmt::format("give {}, a URL or a path on the head", source_field)
                        : fmt::format("give {}, or {}, a path on the head", url_field, source_field));
    }
    if (!starts_with_any(url, {"http://", "https://"})) {
      return refuse(wanted, url_field, fmt::format("'{}' is not an http or https URL", url),
                    fmt::format("a file on the head is named by {}", source_field));
    }
    artifact.source = url;
  }
  if (!is_sha256(artifact.sha256)) {
    return refuse(wanted, digest_field,
                  artifact.sha256.empty()
                      ? fmt::format("{} is not given: what runs as root must be known", digest_field)
                      : fmt::format("'{}' is not a SHA-256: 64 hex digits", artifact.sha256),
                  fmt::format("the vendor publishes it; or: sha256sum {}", file_name(artifact)));
  }
  return artifact;
}

std::string file_name(const Artifact& artifact) {
  auto path = std::string_view(artifact.source);
  path = path.substr(0, path.find_first_of("?#"));
  const auto slash = path.rfind('/');
  const auto name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return std::string(name.empty() || name.starts_with('.') ? "file" : name);
}

std::string artifact_script(std::string_view variable, const Artifact& artifact) {
  return fmt::format("{0}=$PODWRIGHT_ARTIFACTS/{1}\n"
                     "[ -f \"${0}\" ] || {{ echo {2} >&2; exit 1; }}\n",
                     variable, artifact.sha256,
                     sh::quote(fmt::format("{} did not arrive on this node", file_name(artifact))));
}

}  // namespace podwright
