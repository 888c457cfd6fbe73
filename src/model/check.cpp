#include "model/check.hpp"

#include <algorithm>

namespace podwright {

std::string_view to_string(CheckStatus status) {
  switch (status) {
    case CheckStatus::pass:
      return "pass";
    case CheckStatus::warn:
      return "warn";
    case CheckStatus::fail:
      return "fail";
    case CheckStatus::skip:
      return "skip";
    case CheckStatus::error:
      return "error";
  }
  return "error";
}

bool CheckReport::pass() const {
  const auto blocks = [](const CheckResult& check) {
    return check.status == CheckStatus::fail || check.status == CheckStatus::error;
  };
  return !nodes.empty() && std::ranges::all_of(nodes, [&](const auto& entry) {
    const NodeChecks& node = entry.second;
    return node.error.empty() && std::ranges::none_of(node.checks, blocks);
  });
}

}  // namespace podwright
