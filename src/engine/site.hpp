/// What every verb works with.
#pragma once

#include <stop_token>
#include <vector>

#include "events/events.hpp"
#include "model/node.hpp"
#include "transport/transport.hpp"

namespace podwright {

/// The cluster as this run reaches it. Made by the command line, passed down, owns nothing.
struct Site {
  const Inventory& inventory;
  std::vector<NodeId> nodes;  ///< those that this run is about, in the order of the inventory
  Transport& transport;
  events::Bus& events;
  std::stop_token stop{};
  Millis timeout{60000};      ///< of a command, where nothing else says so
};

}  // namespace podwright
