/// What nodes should be: resources, and what is expected of the fabric, the checks and the hand-off.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/value.hpp"

namespace podwright {

/// "package/chrony" (same node) or "head:service/slurmctld" (every node of a role: a barrier).
struct Dependency {
  std::string role;  ///< empty: the same node
  std::string resource;
  SourcePos pos;
};

/// One resource as a profile wants it. In a loaded profile its texts are templates; the engine
/// renders them for each node before the catalog sees them.
struct Wanted {
  std::string kind;  ///< "package"
  std::string name;  ///< the value of the kind's key field
  Value::Table fields;  ///< the kind's own fields, the key included; checked against its Field list
  std::vector<std::string> roles = {"all"};
  std::string when;  ///< an expression over facts and vars; empty: always
  std::vector<Dependency> after;
  std::string component;  ///< "scheduler/slurm": the file that brought it, for `--component`
  SourcePos pos;
  SourcePos roles_pos{};  ///< where roles and when were set last; a field's own is in its value
  SourcePos when_pos{};

  /// "package/chrony", "file//etc/hosts"
  [[nodiscard]] std::string id() const { return kind + "/" + name; }
  /// Accessors; types were checked when the profile was loaded, so a wrong one is a bug.
  [[nodiscard]] std::string text(std::string_view field, std::string_view otherwise = {}) const;
  [[nodiscard]] bool flag(std::string_view field, bool otherwise) const;
  [[nodiscard]] std::int64_t integer(std::string_view field, std::int64_t otherwise) const;
  [[nodiscard]] std::vector<std::string> list(std::string_view field) const;
  [[nodiscard]] bool has(std::string_view field) const;
};

/// [[measurement]]: one way the interconnect is measured.
struct MeasurementSpec {
  std::string kind;  ///< pairwise | collective
  std::string tool;  ///< iperf3, mpi-allreduce, …: a measurement of the catalog
  double seconds = 2;
  double min_busbw_gbytes_per_s = 0;
  Value::Table options;  ///< every other key
  SourcePos pos;
};

struct FabricSpec {
  std::string transport = "tcp";
  double floor_fraction = 0.92;  ///< of the line rate
  bool floor_given = false;      ///< a profile says it: the table of expectations does not change it
  bool rails_together = false;   ///< all rails of a node measured at one time; else one by one
  double oversubscription = 1;   ///< node bandwidth below a leaf by that of its uplinks
  std::string hardware;          ///< a row of the table of expectations; empty: by the accelerators found
};

/// [[check]]: an expectation that overrides a check's default.
struct CheckSpec {
  std::string id;
  Value::Table options;  ///< expect, warn, fail, …
  bool enabled = true;
  SourcePos pos;
};

/// A variable without a default: only the site can know its value.
struct UnsetVariable {
  std::string name;
  std::string what;  ///< what it is and how one comes by it
  SourcePos pos;
};

struct Profile {
  std::string name;
  std::string summary;
  std::vector<std::string> requires_os;    ///< "debian 12"; empty: any
  std::vector<std::string> requires_arch;
  Value::Table vars;  ///< defaults, then cluster.toml, then --set: already merged
  std::vector<UnsetVariable> unset;  ///< those that still have no value
  std::vector<Wanted> resources;  ///< in document order, includes first, overrides merged
  FabricSpec fabric;
  std::vector<MeasurementSpec> measurements;
  std::vector<CheckSpec> checks;
  std::vector<std::string> handoff_targets;
  std::vector<std::string> files;  ///< every file that was read, in order

  [[nodiscard]] const Wanted* find(std::string_view id) const;
};

}  // namespace podwright
