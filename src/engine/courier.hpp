/// The head's side of a transfer by relays: starts them, tells each of its predecessors, feeds those
/// that have none, and hears of what they do. Nothing here blocks: it is called by the transport.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "engine/site.hpp"
#include "relay/wire.hpp"

namespace podwright {

/// What one transfer by relays is about.
struct Convoy {
  std::string phase;
  std::string folder;
  std::uint64_t rate = 0;
  std::uint64_t chunk = 0;
  std::chrono::seconds deadline{3600};
  struct Content {
    std::string name;
    std::string sha256;
    std::string_view bytes;
    std::string hashes;  ///< of its chunks
  };
  std::vector<Content> contents{};
  struct Stop {
    NodeId node;
    std::string address;  ///< where its neighbours reach it
    std::string program;  ///< its relay's file
  };
  std::vector<std::vector<Stop>> chains{};
};

struct Arrived {
  std::map<NodeId, Error> failed;
  /// Of `failed`: these can be reached, but their relay could not do its part.
  std::vector<NodeId> unable;
  std::map<NodeId, std::uint64_t> received;
  std::uint64_t fed = 0;
};

Arrived run_convoy(Site& site, const Convoy& convoy);

}  // namespace podwright
