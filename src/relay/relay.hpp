/// A node's part in a transfer. It lives as long as its head speaks to it.
#pragma once

#include <string>

namespace podwright::relay {

/// Runs until the head ends the transfer, is silent, or closes `in`. 0: everything is on its disk; else `unable` (relay/wire.hpp).
/// `in` and `out` block, or not, as they did before.
int run_relay(int in, int out);

}  // namespace podwright::relay
