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

/// What takes a step back, written into the node's ledger (engine/ledger.hpp) as the step runs. The
/// texts are sh that runs as root later, with no profile at hand: all that they need is in them, and
/// never a secret. A line "left<TAB>ID<TAB>WHY" that restore or finish prints says that something was
/// left as it is (ID empty: the step's own); any exit status but 0 is a failure.
struct Undo {
  /// Files, links and folders that the step makes or changes: kept before, put back by `undo` unless
  /// somebody changed content, owner or mode since. A folder that the step made, or that it made
  /// above one of these, goes when it is empty at the end. A path that ends in / is a folder whose
  /// being there is all that counts.
  std::vector<std::string> paths{};
  /// Read-only sh that prints the state that counts, before and after the step. When it prints
  /// something else at `undo` than after the step, somebody has changed it since: the step is left.
  std::string state{};
  /// Run by `undo` after the paths were put back, unless the state is as before already: the file
  /// $before holds what `state` printed before the step, $after what it printed after it (empty when
  /// the step was cut off), $oldest what it printed before the first step of this resource: a way back
  /// may lead there at once. What it can't take back it leaves, with a line "left<TAB><TAB>WHY".
  std::string restore{};
  /// Run by `undo` after all steps were put back, those of the oldest steps first, and once for all
  /// steps that have the very same text: $entries names their folders in the ledger, oldest first,
  /// which hold the files before and after. It judges by itself; `state` is not compared for it.
  std::string finish{};
  /// Why the step can't be taken back, where nothing above is given: "the profile gives no undo".
  std::string why_not{};
  /// Whether there is a way back.
  [[nodiscard]] bool possible() const {
    return !paths.empty() || !restore.empty() || !finish.empty();
  }
  /// Nothing is said, not even why not.
  [[nodiscard]] bool empty() const { return !possible() && why_not.empty(); }
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
