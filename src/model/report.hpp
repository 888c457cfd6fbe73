/// Everything known about a cluster at the end of a run: what the acceptance report is made from.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/check.hpp"
#include "model/fabric.hpp"
#include "model/facts.hpp"
#include "model/node.hpp"
#include "model/plan.hpp"

namespace podwright {

struct HandoffTarget {
  std::string name;                ///< hosts, mpi, slurm
  std::string status;              ///< ok | failed
  std::vector<std::string> files;  ///< on the nodes
  std::string error{};
};

struct ProofResult {
  std::string name;     ///< "srun", "mpi-allreduce"
  bool pass = false;
  std::string summary;  ///< one sentence with the figures
  std::string command;  ///< what was run, for people to repeat
  std::string output{}; ///< cleaned and bounded
};

struct HandoffReport {
  std::vector<HandoffTarget> targets;
  std::vector<ProofResult> proofs;
  /// Every target and every proof; a hand-off of nothing is no pass.
  [[nodiscard]] bool pass() const;
};

struct Report {
  std::string cluster;
  std::string profile;
  std::string run;
  std::string created;
  std::string version;  ///< of podwright
  std::vector<Node> nodes;
  std::map<NodeId, Facts> facts;
  std::map<NodeId, Error> unreachable;
  std::optional<Plan> plan;
  std::optional<Applied> applied;
  std::optional<FabricReport> fabric;
  std::optional<CheckReport> checks;
  std::optional<HandoffReport> handoff;

  /// Every part that was run passed, at least one was, and no node was left behind other than by
  /// being quarantined.
  [[nodiscard]] bool pass() const;
};

}  // namespace podwright
