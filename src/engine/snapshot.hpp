/// Everything that probes and checks read, as it was printed: a support bundle.
#pragma once

#include <map>
#include <string>

#include "engine/site.hpp"

namespace podwright {

struct Snapshot {
  /// nodes/<name>/<probe>.out, .err, .exit: what cli.md says a snapshot looks like.
  std::map<std::string, std::string> files;
  std::map<NodeId, Error> failed;
};

/// One execution a node. A probe that did not end has no .exit and is named in its .err.
Snapshot take_snapshot(Site& site);

}  // namespace podwright
