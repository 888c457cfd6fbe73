/// The name of the house's JSON type, for headers: base/json.hpp brings the type itself.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace podwright {
using Json = nlohmann::ordered_json;
}  // namespace podwright
