/// Host patterns of OpenSSH: `*` and `?`, `!` for exceptions, as in known_hosts and ssh_config.
#pragma once

#include <string_view>
#include <vector>

namespace podwright {

/// Letters compare without case, as host names do.
bool glob_matches(std::string_view pattern, std::string_view text);

/// A positive pattern matches and no negated one does. A list of exceptions alone matches nothing.
bool patterns_match(const std::vector<std::string_view>& patterns, std::string_view text);

}  // namespace podwright
