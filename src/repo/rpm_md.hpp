/// rpm-md's repomd.xml: what it names; and which packages belong to a module.
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

/// Whether a package of this version ("1:1.24.0-4.module+el9.5.0+22953+a0b1") was built as part of a module.
/// Source: the dist tag that the Module Build Service makes, "module+" or "module_" before the platform
/// (get_rpm_release in its builder/utils.py; default_dist_tag_prefix of its configurations). primary.xml tells
/// it by nothing else.
bool is_modular(std::string_view version);

}  // namespace podwright
