/// rpm-md's repomd.xml: what it names.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace podwright {

struct RepomdPart {
  std::string href;
  std::string sha256;
};

/// type ("primary") -> part; parts without a SHA-256 are left out.
Result<std::map<std::string, RepomdPart, std::less<>>> read_repomd(std::string_view xml);

}  // namespace podwright
