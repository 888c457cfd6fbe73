/// What dnf and zypper share: the database of rpm.
#pragma once

#include <string>
#include <string_view>

namespace podwright {

/// Packager::list and Packager::take_back; arguments as those of take_back_packages.
std::string list_rpms();
std::string take_back_rpms(std::string_view install, std::string_view separator);

}  // namespace podwright
