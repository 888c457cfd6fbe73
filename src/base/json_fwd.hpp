/// The name of the JSON type, for headers that only mention it: json.hpp itself is slow to compile.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace podwright {
using Json = nlohmann::ordered_json;
}  // namespace podwright
