/// A report in few words: the same for every format. Nodes that are alike are named together.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model/report.hpp"

namespace podwright {

/// One stage of the work, and how it went.
struct Stage {
  enum class Outcome { passed, failed, not_run };
  std::string name;  ///< "Interconnect"
  Outcome outcome = Outcome::not_run;
  std::string text{};  ///< the figures, or what to run
};
std::vector<Stage> stages_of(const Report& report);

/// Something that keeps the cluster from being accepted, or that whoever accepts it should know.
struct Finding {
  bool blocks = true;
  std::string stage;  ///< as in Stage::name
  std::string where;  ///< "cu[07,09]", "leaf:l1 - leaf:l2"
  std::string what;
  std::string remedy{};  ///< may be empty
};
/// Blocking ones first, in the order of the work.
std::vector<Finding> findings_of(const Report& report);

/// Nodes with the same hardware and system.
struct NodeClass {
  std::vector<NodeId> nodes;
  std::string machine;    ///< product name
  std::string processor;  ///< "2 x AMD EPYC 9654 (192 threads)"
  std::string memory;
  std::string accelerators;  ///< "8 x NVIDIA H100"
  std::string network;       ///< "8 x 400 Gbit/s mlx5"
  std::string system;        ///< "Debian 12, kernel 6.1.0-18-amd64, x86_64"
};
/// The largest class first. Nodes without facts are in none.
std::vector<NodeClass> classes_of(const Report& report);

/// Nodes whose installation ended alike.
struct InstallGroup {
  std::vector<NodeId> nodes;
  NodeStatus status = NodeStatus::ok;
  std::string text;  ///< "34 changes", "package/chrony: no such version"
  std::string remedy;
};
/// What went wrong first. Where nothing was applied: what was planned.
std::vector<InstallGroup> installs_of(const Report& report);

/// One result of a check on the nodes that share it. Passes are folded by check alone.
struct CheckGroup {
  CheckStatus status = CheckStatus::pass;
  std::string id;
  std::vector<NodeId> nodes;
  std::string observed;
  std::string expected;
  std::string remedy;
};
/// Failures and errors first, then warnings, skipped ones and passes.
std::vector<CheckGroup> checks_of(const CheckReport& report);

/// Bandwidth of what was measured, in Gbit/s (the slower direction of each pair).
struct BandwidthFigures {
  std::size_t measured = 0;
  std::size_t slow = 0;
  std::size_t failed = 0;
  double lowest = 0;
  double median = 0;
  double highest = 0;
};
BandwidthFigures figures_of(const FabricReport& report);

/// "cu[01-62]"; names that do not fold are joined by commas.
std::string names_of(const std::vector<NodeId>& nodes);
/// "rail 3, sends slowly", "failed"
std::string describe(const NodeFault& fault, bool several_rails);
bool has_several_rails(const FabricReport& report);

/// "ACCEPTED" or "NOT ACCEPTED"
std::string_view verdict_word(const Report& report);
/// "All 5 stages that were run have passed." and the like.
std::string verdict_line(const Report& report);

/// Text of a node on one line, without control characters.
std::string one_line(std::string_view text);

/// The gate opens: pairs, collectives and port counters.
bool passed(const FabricReport& report);

}  // namespace podwright
