/// Files and trees of the head's to many nodes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/distribute.hpp"
#include "engine/site.hpp"

namespace podwright {

/// What is to be on a node: a file with the content of `source`, a folder, or a link.
struct CopyEntry {
  enum class Kind { file, folder, link } kind = Kind::file;
  std::string path;      ///< on the node, absolute
  /// Permission bits; without them those that are there stay, or the usual ones.
  std::optional<unsigned> mode{};
  std::filesystem::path source{};  ///< of a file's content, on this machine
  std::string content{};  ///< its name, by the digests of its chunks, once it was read
  std::string target{};  ///< what a link says
};

struct CopyList {
  std::string folder;              ///< on the nodes: where contents arrive, on the destination's file system
  std::vector<CopyEntry> entries;  ///< a folder before what is in it
  std::uint64_t bytes = 0;  ///< of all files
};

/// Looks at the sources. With several, or when the destination ends in /, it is a folder that they go
/// into under their own names; else it is the one source's name there. Modes and links are kept;
/// what is no file, folder or link is refused. Errors are Fault::usage: nothing was contacted.
Result<CopyList> list_sources(const std::vector<std::string>& sources, const std::string& destination);

/// Has the entries on all nodes of the site. What is there already is not sent; a file is replaced in
/// one move, once its content has arrived whole; what else lies in a folder stays. The sources are read
/// while the nodes get ready.
Distributed copy_to_nodes(Site& site, CopyList list, const TransferOptions& options);

}  // namespace podwright
