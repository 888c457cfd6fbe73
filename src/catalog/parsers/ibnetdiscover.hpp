/// The InfiniBand fabric as ibnetdiscover sees it: who is wired to which switch.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright::parsing {

struct IbEnd {
  std::string type;  ///< CA | SW | RT
  std::string guid;  ///< of the node or port, 16 hexadecimal digits
  int port = 0;
  std::string name;  ///< node description: "cu01 mlx5_0", the switch's name
};
struct IbLink {
  IbEnd a;
  IbEnd b;
  std::string rate;  ///< "4xHDR", "4x EDR"
};

/// Every link once for each end that lists it, of both output formats (plain, and -p). A port with
/// nothing at its other end is left out.
Result<std::vector<IbLink>> read_ibnetdiscover(std::string_view text);

}  // namespace podwright::parsing
