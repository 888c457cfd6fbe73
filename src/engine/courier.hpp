/// The head's side of a transfer by relays: brings them to the nodes, tells each of its predecessors, feeds
/// those that have none, hears of what they do, and has what arrived put where it belongs. All of that is one
/// command on each node. Nothing here blocks: it is called by the transport.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "engine/site.hpp"
#include "engine/station.hpp"

namespace podwright {

/// What is sent, and along which chains.
struct Load {
  std::string folder;    ///< on the nodes
  std::string prefix{};  ///< of names there
  std::uint64_t chunk = 0;
  struct Content {
    std::string name;     ///< for people
    std::string content;  ///< its own: 64 hex digits
    const InputFile* file = nullptr;
    std::string hashes;   ///< of its chunks
    std::string bytes{};  ///< where it is no file
    [[nodiscard]] std::uint64_t size() const { return file == nullptr ? bytes.size() : file->size(); }
    [[nodiscard]] Status read(std::uint64_t offset, std::span<char> into) const;
  };
  std::vector<Content> contents{};
  struct Stop {
    NodeId node;
    std::string address;  ///< where its neighbours reach it
  };
  std::vector<std::vector<Stop>> chains{};
};

/// What one transfer by relays is about.
struct Convoy {
  std::string phase;
  std::vector<NodeId> nodes{};
  /// Nothing is known of the nodes yet. The transfer is called off as soon as one of them has one of these
  /// paths, or one that begins with `left_over`: what it lacks has to be asked then.
  std::vector<std::string> bare_of{};
  std::string left_over{};
  std::uint64_t rate = 0;
  std::chrono::seconds deadline{3600};
  /// Asked now and then, once relays wait on all nodes that can have one or on enough of them to begin: `ready`. The
  /// `awaited` ones join later. Nothing: it is not known yet.
  std::function<std::optional<Load>(const std::map<NodeId, Station>& ready, const std::set<NodeId>& awaited)> load{};
  /// Where its neighbours reach a node that is there.
  std::function<std::string(const NodeId&, const Station&)> address{};
  /// sh that a node runs once it has everything; null: nothing is left to do.
  std::function<std::string(const NodeId&)> place{};
};

/// A node that is in none of these could not take part, and can be served in another way.
struct Arrived {
  std::set<NodeId> done{};            ///< have everything, and in its place
  std::map<NodeId, Error> failed{};   ///< no other way would help
  std::map<NodeId, Error> lost{};     ///< their connection broke in the midst of it
  std::set<NodeId> left_out{};        ///< came when others had begun, and are not what was expected of them
  std::map<NodeId, std::uint64_t> received{};
  std::uint64_t fed = 0;
  bool called_off = false;
};

/// For a node whose file system is too small, in bytes.
Error no_room(const std::string& folder, std::uint64_t room, std::uint64_t to_come);
/// For a node whose Convoy::place failed.
Error not_placed(std::string_view said);

Arrived run_convoy(Site& site, const Convoy& convoy);

}  // namespace podwright
