/// Archives of small files: what podwright writes for people to carry away.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/result.hpp"

namespace podwright {

/// Writes a tar compressed with zstd: path inside the archive -> content. Entries are sorted, owned by
/// root, mode 0644 and dated 1970, so that equal contents give equal bytes. Written beside `file` and
/// renamed over it, readable by its owner only.
Status write_archive(const std::filesystem::path& file,
                     const std::map<std::string, std::string>& entries);

/// The regular files of a tar, plain or compressed with gzip, bzip2, xz or zstd. A path that leaves the
/// archive's folder, a link or a device is refused, and so is more than `most_bytes` of content.
Result<std::map<std::string, std::string>> read_archive(const std::filesystem::path& file,
                                                        std::size_t most_bytes = std::size_t{1} << 30U);

}  // namespace podwright
