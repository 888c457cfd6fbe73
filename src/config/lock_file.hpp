/// profile.lock.toml: one package a line, always in the same order, so that a diff of two says what
/// changed.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "model/lock.hpp"

namespace podwright {

std::string lock_text(const Lock& lock);
/// `name` stands in messages.
Result<Lock> parse_lock(std::string_view text, const std::string& name);

}  // namespace podwright
