/// The companion that podwright sends to nodes (src/relay), compiled in for every architecture that it
/// was built for.
#pragma once

#include <string_view>

namespace podwright {

enum class RelayKind {
  lean_program,   ///< a third of the size: needs a C and a C++ library like this machine's
  static_program  ///< runs everywhere
};

/// Gzipped, for a machine as `uname -m` names it; empty when there is none for it.
std::string_view relay_program(std::string_view machine, RelayKind kind);

}  // namespace podwright
