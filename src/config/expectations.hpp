/// The table of what hardware reaches: data/interconnect.toml.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/expectation.hpp"

namespace podwright {

/// Every row needs hardware, operation, a rate and a source; unknown keys are errors with their place.
/// What somebody measured is lowered to what may be expected of others.
Result<std::vector<ExpectedRate>> parse_expectations(std::string_view text, const std::string& name);

/// The table that is shipped, or the one in its place below $PODWRIGHT_DATA.
Result<std::vector<ExpectedRate>> load_expectations();

}  // namespace podwright
