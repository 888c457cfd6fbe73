/// JSON of what may be absent: null.
#pragma once

#include <optional>

#include "base/json.hpp"

namespace podwright::parsing {

template <class T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace podwright::parsing
