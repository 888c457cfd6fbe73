/// What packagers share when they read a [[repo]].
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "catalog/registry.hpp"
#include "catalog/resources/reading.hpp"

namespace podwright {

/// Whether the profile brings the key itself: `key` or `key_source`.
bool has_key(const Wanted& wanted);
/// A field without which this packager has no repository; `remedy` says what to give.
tl::unexpected<Error> repo_needs(const Wanted& wanted, std::string_view field,
                                 std::string_view packager, std::string_view remedy);
/// Those of `options` that are written for this format: "Languages: none" with ": ", "timeout=10"
/// with "=".
std::vector<std::string> repo_options(const Wanted& wanted, std::string_view separator);
/// A .repo file as dnf, yum and zypper read it; `own` are further lines.
Result<RepoFiles> yum_repo(const Wanted& wanted, const std::string& folder, const std::string& own);

}  // namespace podwright
