/// What is known of a cluster, from the documents that its runs left.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/run_folder.hpp"
#include "model/node.hpp"
#include "model/report.hpp"

namespace podwright {

struct ReportData {
  Report report;
  /// "fabric" -> the run it is from (of facts, applied and checks: the newest of several).
  std::map<std::string, std::string> sources;
  /// What whoever reads it should know: "the checks are older than what run … changed".
  std::vector<std::string> warnings;
};

/// The report of one run.
Result<ReportData> load_report(const Inventory& inventory, const RunFolder& run);

/// The report of the cluster as it is known now: of each part the newest that any run has, and of
/// facts, what was applied and checks the newest of each node (and check), so that a run that mended
/// three nodes does not hide the others. Nodes that left the inventory are left out.
Result<ReportData> load_report(const Inventory& inventory);

}  // namespace podwright
