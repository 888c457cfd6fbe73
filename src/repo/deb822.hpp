/// Debian's control format: Release and Packages.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace podwright {

/// The next stanza of `text` from `at`, which moves behind it; empty at the end.
std::string_view next_stanza(std::string_view text, std::size_t& at);

/// A field's value; continuation lines as they are, trimmed at both ends. Empty when absent. Names are
/// compared without case.
std::string_view field_of(std::string_view stanza, std::string_view name);

/// Every field of a stanza, in order, with its whole value.
std::vector<std::pair<std::string_view, std::string_view>> fields_of(std::string_view stanza);

/// What Release says of a file below it.
struct ReleaseFile {
  std::string sha256;
  std::uint64_t size = 0;
};
/// Path -> file, of the SHA256 section.
std::map<std::string, ReleaseFile, std::less<>> release_files(std::string_view release);

}  // namespace podwright
