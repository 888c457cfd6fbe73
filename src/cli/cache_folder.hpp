/// Where podwright keeps what it fetched and can fetch again.
#pragma once

#include <cstdlib>
#include <filesystem>

#include "base/files.hpp"

namespace podwright::cli {

/// $XDG_CACHE_HOME/podwright, else ~/.cache/podwright.
inline std::filesystem::path cache_folder() {
  const char* base = std::getenv("XDG_CACHE_HOME");
  if (base != nullptr && *base == '/') return std::filesystem::path(base) / "podwright";
  return expand_home("~/.cache") / "podwright";
}

}  // namespace podwright::cli
