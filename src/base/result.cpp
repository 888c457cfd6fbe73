#include "base/result.hpp"

namespace podwright {

std::string_view to_string(Fault fault) {
  switch (fault) {
    case Fault::usage: return "usage";
    case Fault::unreachable: return "unreachable";
    case Fault::auth: return "auth";
    case Fault::timeout: return "timeout";
    case Fault::remote: return "remote";
    case Fault::validation: return "validation";
    case Fault::stale: return "stale";
    case Fault::cancelled: return "cancelled";
    case Fault::internal: return "internal";
  }
  return "internal";
}

std::string Error::message() const {
  std::string text;
  if (node) text += *node + ": ";
  if (!step.empty()) text += step + ": ";
  text += what;
  if (!hint.empty()) text += " (" + hint + ")";
  return text;
}

}  // namespace podwright
