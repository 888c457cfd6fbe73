/// Exit codes: a contract with whoever scripts podwright.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright::cli {

enum ExitCode : int {
  kOk = 0,
  kInternal = 1,     ///< a bug, or this machine
  kUsage = 2,        ///< command line, cluster.toml or profile; nothing was contacted
  kNodesFailed = 3,  ///< some nodes failed or were unreachable
  kNotPassed = 4,    ///< a validation or a check failed
  kStale = 5,        ///< the plan does not fit the nodes any more
  kCancelled = 130,
};

ExitCode exit_code(Fault fault);

/// "some nodes failed or were unreachable": for help texts.
std::string_view meaning(ExitCode code);

}  // namespace podwright::cli
