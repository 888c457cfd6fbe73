#include "cli/exit_code.hpp"

namespace podwright::cli {

ExitCode exit_code(Fault fault) {
  switch (fault) {
    case Fault::usage: return kUsage;
    case Fault::unreachable:
    case Fault::auth:
    case Fault::timeout:
    case Fault::remote: return kNodesFailed;
    case Fault::validation: return kNotPassed;
    case Fault::stale: return kStale;
    case Fault::cancelled: return kCancelled;
    case Fault::internal: return kInternal;
  }
  return kInternal;
}

std::string_view meaning(ExitCode code) {
  switch (code) {
    case kOk: return "all is well";
    case kInternal: return "internal error";
    case kUsage: return "usage, configuration or profile error; nothing was contacted";
    case kNodesFailed: return "some nodes failed or were unreachable";
    case kNotPassed: return "a validation or a check failed";
    case kStale: return "the plan is stale: a node changed since";
    case kCancelled: return "cancelled";
  }
  return "internal error";
}

}  // namespace podwright::cli
