/// Verdicts about the health of nodes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace podwright {

enum class CheckStatus {
  pass,
  warn,
  fail,
  skip,   ///< does not apply here; `observed` says why
  error,  ///< could not be run: never taken for a pass
};
std::string_view to_string(CheckStatus status);

struct CheckResult {
  std::string id;  ///< "fs.use"
  CheckStatus status = CheckStatus::error;
  std::string observed;
  std::string expected;
  std::string remedy{};
  std::string source{};  ///< where rule and threshold come from
};

struct NodeChecks {
  std::vector<CheckResult> checks;
  std::string error{};  ///< the node could not be checked at all
};

struct CheckReport {
  std::map<NodeId, NodeChecks> nodes;
  /// No fail and no error anywhere; warnings do not block. Checking no node at all is no pass.
  [[nodiscard]] bool pass() const;
};

}  // namespace podwright
