/// Which podwright this is.
#pragma once

#include <string>

namespace podwright::cli {

std::string version_text();  ///< "0.1.0"

}  // namespace podwright::cli
