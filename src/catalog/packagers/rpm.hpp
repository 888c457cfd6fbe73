/// What the packagers have in common that keep their packages in the database of rpm.
#pragma once

#include <string>

namespace podwright {

/// sh that prints of a package what Packager::query must, but for `held`; ends there when it is not
/// installed. The shell variable n holds its name after it.
std::string rpm_query(const std::string& name);

}  // namespace podwright
