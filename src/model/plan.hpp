/// The plan as a value, and what became of it.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace podwright {

/// One change to one node. A step is complete in itself: script, and the probe that proves it.
struct Step {
  std::string id;      ///< the resource: "package/chrony"
  std::string action;  ///< "install", "write", "start", "restart", …
  std::string why;     ///< "chrony is not installed"
  std::string diff{};  ///< unified diff where the change is one of text; never a secret
  bool reboots = false;
  std::string script{};  ///< POSIX sh, run as root with stdin closed
  /// Neighbouring steps with the same non-empty batch run as one: script is then
  /// `batch` followed by the quoted words of all of them.
  std::string batch{};
  std::vector<std::string> batch_words{};
  /// Secrets that the script reads from shell variables: variable name -> secret's name.
  std::map<std::string, std::string> secrets{};
  std::chrono::seconds deadline{600};
  int stage = 0;       ///< all nodes finish a stage before any begins the next
  /// Nodes that must be healthy when this step begins: those behind a barrier before it.
  std::vector<NodeId> waits_for{};
};

struct NodePlan {
  std::vector<Step> steps;
  /// Resources of this node that are as wanted: shown by `plan -v`.
  std::size_t satisfied = 0;
};

struct Plan {
  std::string cluster;
  std::string profile;
  std::string created;  ///< UTC; not part of the digest
  std::string digest;   ///< SHA-256 over everything else
  int stages = 0;
  std::map<NodeId, NodePlan> nodes;
  /// Nodes that could not be planned, with the reason.
  std::map<NodeId, Error> failed;

  [[nodiscard]] std::size_t step_count() const;
  [[nodiscard]] std::size_t reboot_count() const;
};

enum class NodeStatus { ok, failed, unreachable, quarantined };
std::string_view to_string(NodeStatus status);

struct AppliedNode {
  NodeStatus status = NodeStatus::ok;
  std::vector<std::string> changed;  ///< ids of the steps that were done and proven
  std::string failed_step{};
  std::string error{};
  std::string hint{};
};

struct Applied {
  std::string run;  ///< id of the run
  std::map<NodeId, AppliedNode> nodes;
};

}  // namespace podwright
