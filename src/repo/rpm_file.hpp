/// An .rpm's own description, and the metadata of a yum repository made of such files.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/result.hpp"
#include "model/lock.hpp"

namespace podwright {

/// repodata/ of a repository with the rpms of `system`: path below the bundle's root -> text. The files
/// lie in `packages` under their SHA-256, and at `paths` (SHA-256 -> path) in the bundle; `folder` is the
/// repository's root there. Equal rpms give equal texts.
Result<std::map<std::string, std::string>> rpm_metadata(const LockedSystem& system, const std::map<std::string, std::string>& paths,
                                                        const std::string& folder, const std::filesystem::path& packages);

/// The <package> of primary.xml for one rpm; `href` is its path below the repository's root.
Result<std::string> primary_of_rpm(const std::filesystem::path& file, const std::string& sha256, const std::string& href);

}  // namespace podwright
