/// The same files to many nodes at the price of one: each node hands on what it receives while it
/// receives it. src/relay is the part that runs on the nodes.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "catalog/registry.hpp"
#include "engine/site.hpp"

namespace podwright {

/// A file of the head's, named by its content.
struct Parcel {
  std::string name;  ///< for people
  std::filesystem::path path;
  std::uint64_t size = 0;
  std::string hashes{};  ///< of its chunks, where they are known (base/digest.hpp)
  std::string sha256{};  ///< of all of it, where that is not the name that its content has; empty: not known yet, or it is
};

/// How the person who asks wants it done.
struct TransferOptions {
  std::uint64_t rate = 0;  ///< these are Distribution's
  std::size_t chains = 0;
  bool direct = false;
};

struct Distribution;

/// For somebody who does not know yet what exactly is to be sent: bringing relays to the nodes takes as long as
/// reading files.
struct Unread {
  std::uint64_t bytes = 0;  ///< that are to be sent, about
  /// Where files belong: a node that has none of these, and nothing of an earlier transfer, has none of the files.
  std::vector<std::string> paths{};
  /// Fills in parcels, chunk and wanted; on a thread of its own.
  std::function<Status(Distribution&)> read{};
  /// Then, and only where a node has to be asked, or gets no relay: look, and the SHA-256 of all parcels.
  std::function<Status(Distribution&)> digest{};
};

struct Distribution {
  std::string phase = "copy";  ///< as which progress is told
  std::string folder;          ///< on the nodes: each file lies there under the name of its content…
  std::string prefix{};        ///< …behind this: where the folder is not ours alone
  std::map<std::string, Parcel> parcels{};                ///< by the name of the content: 64 hex digits, mostly its SHA-256
  std::optional<Unread> unread{};
  std::map<NodeId, std::set<std::string>> wanted{};       ///< what each node is to have
  /// Read-only sh that looks at a node before anything is sent, and what the node wants in the light of
  /// its output: for files that may be where they belong already. Without it: `wanted`. An error: the node gets
  /// nothing, since it could not be put where it belongs.
  std::map<NodeId, std::string> look{};
  std::function<Result<std::set<std::string>>(const NodeId&, const Observed&)> wants{};
  /// Has contents that some node lacks on this machine: sets their path and size. Those that cannot be
  /// had are the answer. Without it they are where `parcels` says.
  std::function<std::map<std::string, Error>(const std::set<std::string>& lacking, std::map<std::string, Parcel>& parcels)> provide{};
  /// sh that a node runs once it has everything that it wants, which lies in `folder` then; null: it stays there.
  std::function<std::string(const NodeId&)> place{};
  std::chrono::seconds place_deadline{60};
  std::uint64_t chunk = 0;     ///< of the parcels' hashes; 0: they have none
  std::uint64_t rate = 0;      ///< bytes a second that a node, or the head, sends at most; 0: no limit
  std::size_t chains = 0;      ///< 0: as many as are best
  bool direct = false;         ///< from the head to every node, over SSH alone: a relay that takes it, and serves nobody
};

struct Distributed {
  std::map<NodeId, Error> failed;
  /// Bytes that a node lacked and has received.
  std::map<NodeId, std::uint64_t> received;
  std::uint64_t sent_by_head = 0;  ///< of contents
};

/// Has the files where they are wanted. Each node is asked what it has, by its digest; what it lacks
/// goes along chains of nodes (engine/chains.hpp), over HTTP with a token of this transfer, every
/// chunk proven on arrival. Nodes that have nothing of what is to come are not asked: their relays start while
/// the head still reads its files. Nodes that cannot take part, and transfers too small for it to pay, are
/// served over SSH. What was received of a file stays for the next attempt; nothing else does.
Distributed distribute(Site& site, Distribution job);

}  // namespace podwright
