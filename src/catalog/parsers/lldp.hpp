/// What lldpd has heard: which switch, and which of its ports, is at the other end of an interface.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

struct LldpNeighbour {
  std::string interface;
  std::string system;  ///< the switch's name; its chassis id where it does not tell one
  std::string port;
};

/// `lldpctl -f keyvalue`. An empty output is nobody heard; a line that is no key is an error.
Result<std::vector<LldpNeighbour>> read_lldp(std::string_view text);

}  // namespace podwright::parsing
