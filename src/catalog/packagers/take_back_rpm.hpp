/// What dnf and zypper share: the database of rpm.
#pragma once

#include <string>
#include <string_view>

#include "catalog/packagers/take_back.hpp"

namespace podwright {

/// Packager::list; `held` is sh that prints the names of the packages on hold.
std::string list_rpms(std::string_view held);
/// Packager::take_back.
std::string take_back_rpms(const Moves& moves);

}  // namespace podwright
