/// A .deb's own description.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace podwright {

/// The control file in it, as an entry of Packages begins.
Result<std::string> control_of_deb(const std::filesystem::path& file);

}  // namespace podwright
