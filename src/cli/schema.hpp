/// What the catalog offers, in the form that the profile loader checks against.
#pragma once

#include "config/config.hpp"

namespace podwright::cli {

Schema catalog_schema();

}  // namespace podwright::cli
