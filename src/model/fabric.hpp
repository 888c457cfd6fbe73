/// Measurements of the interconnect and the verdict over them. See fabric/ for the mathematics.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace podwright {

/// One end point of the fabric: a node's port on a rail.
struct Endpoint {
  NodeId node;
  int rail = 0;
  std::string leaf;       ///< label `leaf`; empty: topology unknown
  double rate_gbps = 0;   ///< line rate; 0: unknown
  std::string address;    ///< where the measuring tool connects
  std::string device;     ///< interface or HCA
  int gpu = -1;           ///< the GPU nearest to the port, for GPU direct; -1: none known
};

/// A pair to be measured in a round; `a` < `b` in the order of the inventory.
struct Pair {
  NodeId a;
  NodeId b;
  int rail = 0;
  bool operator==(const Pair&) const = default;
};

/// Pairs measured at the same time; no end point twice.
using Round = std::vector<Pair>;

/// What was measured between two end points, in Gbit/s each way.
struct PairResult {
  int round = 0;  ///< from 1
  Pair pair;
  double gbps_ab = 0;
  double gbps_ba = 0;
  std::optional<double> latency_us{};  ///< 99th percentile of a small write, where it was measured
  std::string error{};  ///< non-empty: could not be measured (not the same as slow)
};

enum class Verdict { pass, slow, failed };
std::string_view to_string(Verdict verdict);

struct JudgedPair {
  PairResult result;
  double gbps = 0;           ///< the slower direction
  double expected_gbps = 0;  ///< the floor it was judged against
  Verdict status = Verdict::pass;
};

struct NodeFault {
  NodeId name;
  int rail = 0;
  std::string direction;  ///< both | tx | rx
  std::string cause;      ///< slow | failed
  double gbps = 0;
  double confidence = 0;
  std::string evidence{};
};

struct LinkFault {
  std::string a;  ///< "leaf:l1"; a == b: between the nodes of one leaf
  std::string b;
  int rail = 0;
  double gbps = 0;
  double confidence = 0;
  std::string evidence{};
};

struct FabricVerdict {
  bool pass = false;
  std::vector<NodeFault> nodes;
  std::vector<LinkFault> links;
  /// Sets of which at least one is at fault; besides nodes a set may name "leaf:l1-leaf:l2".
  std::vector<std::vector<NodeId>> ambiguous;
  std::string summary{};  ///< what was found, in a sentence or two
};

struct CollectiveResult {
  std::string name;  ///< all_reduce
  int nodes = 0;
  double busbw_gbytes_per_s = 0;
  double expected_gbytes_per_s = 0;
  Verdict status = Verdict::pass;
  std::string error{};
  std::string tool{};    ///< nccl-tests
  NodeId node{};         ///< of a measurement within one node; empty: across `nodes`
  std::string source{};  ///< where the expectation comes from; empty: nothing was expected
};

/// An error counter of a port that rose while the fabric was measured.
struct CounterDelta {
  NodeId node;
  std::string port;     ///< "mlx5_0/1", "eth1"
  std::string counter;  ///< "symbol_error"
  std::uint64_t delta = 0;
  bool fatal = false;   ///< the gate does not open with it
};

/// Which leaf switch an end point hangs on, by label or as the fabric told.
struct LeafOf {
  NodeId node;
  int rail = 0;
  std::string leaf;
};

struct FabricReport {
  int rounds = 0;
  int probes = 0;
  std::vector<JudgedPair> pairs;
  FabricVerdict verdict;
  std::vector<CollectiveResult> collectives;
  std::vector<CounterDelta> counters{};  ///< only those that rose
  std::vector<LeafOf> leaves{};          ///< of the end points that have one
};

}  // namespace podwright
