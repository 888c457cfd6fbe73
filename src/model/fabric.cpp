#include "model/fabric.hpp"

namespace podwright {

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::slow:
      return "slow";
    case Verdict::failed:
      return "failed";
  }
  return "failed";
}

}  // namespace podwright
