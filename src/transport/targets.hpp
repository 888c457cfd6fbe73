/// What an operator names when machines are to be found: addresses, ranges of them, networks.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright {

/// A /16. More is hardly one management network, and hardly meant.
constexpr std::size_t most_targets = 65536;

/// "10.0.0.0/24" (without network and broadcast address), "10.0.0.1-20", "10.0.0.1-10.0.1.20",
/// "10.0.0.[1-20]", "fd00::/120", a host name, or an address: the addresses, in order.
/// More than `limit` of them is an error.
Result<std::vector<std::string>> expand_targets(std::string_view text,
                                                std::size_t limit = most_targets);

}  // namespace podwright
