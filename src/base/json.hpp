/// The JSON type of the house: keys keep their order, so that documents read as they were written.
#pragma once

#include <nlohmann/json.hpp>

#include "base/json_fwd.hpp"
