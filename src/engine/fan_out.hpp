/// One question to many nodes, and each node's answer or error.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/framed_script.hpp"
#include "engine/site.hpp"

namespace podwright {

/// Runs a framed script on each node named; the frames' results a node. Progress is emitted as
/// `phase`. `on_frame` hears of each frame as it ends.
struct FramedJob {
  NodeId node;
  FramedScript script;
};
struct FramedResult {
  std::map<std::size_t, Observed> frames;
  /// The frame that was running when the node was lost or its script ended early.
  std::optional<std::size_t> unfinished{};
  std::string unfinished_output{};
  std::optional<Error> error{};  ///< the node was lost, or the script could not run
};
using OnFrameBegin = std::function<void(const NodeId&, std::size_t)>;
using OnFrameEnd = std::function<void(const NodeId&, std::size_t, const Observed&)>;

std::map<NodeId, FramedResult> run_framed(Site& site, const std::vector<FramedJob>& jobs,
                                          const std::string& phase, OnFrameBegin begin = {},
                                          OnFrameEnd end = {});

/// Runs each node's request. Progress is emitted as `phase`; an empty one is not told of.
std::map<NodeId, Result<Reply>> run_requests(Site& site, const std::vector<Request>& requests, const std::string& phase);

/// Runs one command line on each node.
std::map<NodeId, Result<Reply>> run_everywhere(Site& site, const std::string& command,
                                               const std::string& phase, Millis deadline,
                                               bool become);

/// Nodes that failed, for messages: "cu07: connection refused".
std::vector<std::string> describe_failures(const std::map<NodeId, Error>& failures);

}  // namespace podwright
