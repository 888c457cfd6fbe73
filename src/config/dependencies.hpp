/// The order that `after` asks for: its targets must exist and must not wait for each other.
#pragma once

#include <string>
#include <vector>

#include "config/reader.hpp"
#include "model/profile.hpp"

namespace podwright {

/// Adds "kind/name" or "role:kind/name" to what `wanted` waits for; complains about another form.
void add_dependency(Wanted& wanted, const std::string& text, const SourcePos& pos,
                    Complaints& complaints);

/// Complains about targets of `after` and `restart_on` that no resource has, and about circles.
void check_dependencies(const std::vector<Wanted>& resources, Complaints& complaints);

}  // namespace podwright
