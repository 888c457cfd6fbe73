/// The plan as a value, and what became of it.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace podwright {

/// A file that a step needs on its node, named by its content: a vendor's installer, a tarball, an
/// image. The engine has it there before the step runs, in the file $PODWRIGHT_ARTIFACTS/<sha256>.
struct Artifact {
  std::string source;  ///< an http(s) URL, or a path on the head
  std::string sha256;  ///< of its bytes, 64 hex digits
  bool operator==(const Artifact&) const = default;
};

/// What takes a step back, written into the node's ledger as the step runs. Nothing in it: the step
/// can't be taken back, and `undo` says so.
struct Undo {
  /// Files, links and folders that the step makes or changes: kept before, put back by `undo`.
  std::vector<std::string> paths{};
  /// sh that prints the state that counts, before and after the step; when it prints something else at
  /// `undo` than after the step, a person has changed it since, and it is left.
  std::string state{};
  /// sh, run by `undo` after the paths were put back: the file $before holds what `state` printed
  /// before the step, $after what it printed after it.
  std::string restore{};
  [[nodiscard]] bool empty() const { return paths.empty() && restore.empty(); }
  bool operator==(const Undo&) const = default;
};

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
  std::vector<Artifact> artifacts{};
  Undo undo{};
  std::chrono::seconds deadline{600};
  int stage = 0;       ///< all nodes finish a stage before any begins the next
  /// Nodes that must be healthy when this step begins: those behind a barrier before it.
  std::vector<NodeId> waits_for{};

  /// Nothing but a reboot: the steps behind it on its node wait for the node's return.
  [[nodiscard]] bool only_reboots() const { return reboots && script.empty() && batch.empty(); }
};

struct NodePlan {
  std::vector<Step> steps;
  /// Resources of this node that are as wanted: shown by `plan -v`.
  std::size_t satisfied = 0;
  /// What the preflight found that does not keep the steps from running.
  std::vector<std::string> warnings{};
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
  /// Reboots that will happen: one a node and stage, however many steps ask for it.
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
