/// What the packagers have in common that keep their packages in the database of rpm.
#pragma once

#include <string>
#include <string_view>

namespace podwright {

/// sh that prints of a package what Packager::query must, but for `held`; ends there when it is not
/// installed. The shell variable n holds its name after it.
std::string rpm_query(const std::string& name);
/// The line `held`, for behind it; `names` is sh that prints the names of the packages on hold.
std::string held_query(std::string_view names);

/// Packager::keys.
constexpr std::string_view rpm_keys = "rpm -qa 'gpg-pubkey*' | sort";
/// sh that defines `pw_trust FOLDER`: takes the key of a repository on trial (key.asc, where there is
/// one) into rpm's database, whose keys are those of all repositories; and `pw_distrust`: takes out
/// again what came since.
std::string rpm_trust();

}  // namespace podwright
