/// What the probe of a resource printed, read back. Probes print lines "key value"; the line
/// "content" is followed by base64. A probe that looks at several things prints "[name]" before
/// each.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "catalog/registry.hpp"

namespace podwright {

struct Reading {
  std::map<std::string, std::string, std::less<>> values;
  std::optional<std::string> content;  ///< decoded; absent when not printed, or not whole

  /// The value of a key; empty when it was not printed.
  [[nodiscard]] std::string_view operator[](std::string_view key) const;
};

/// The lines of `section` (those before the first "[…]" when it is empty). A probe that failed or
/// ran out of time is an error that says so.
Result<Reading> read(const Wanted& wanted, const Observed& observed, std::string_view section = {});

/// A step of this resource, id and all; its script follows.
Step step_for(const Wanted& wanted, std::string action, std::string why);

/// A value in the profile that makes no sense: names the place of the field. `remedy` says what
/// would.
tl::unexpected<Error> refuse(const Wanted& wanted, std::string_view field, const std::string& what,
                             std::string remedy = {});

}  // namespace podwright
