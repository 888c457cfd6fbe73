/// Verdicts for people: of the interconnect, of the checks, of the hand-off.
#pragma once

#include "base/json_fwd.hpp"
#include "cli/style.hpp"
#include "engine/drift.hpp"
#include "model/check.hpp"
#include "model/fabric.hpp"
#include "model/report.hpp"

namespace podwright::cli {

/// The verdict first, then who is at fault, then the figures in a few lines.
std::string fabric_text(const FabricReport& report, const Style& style, std::size_t width);

/// By verdict, the worst first; the same finding of many nodes is one entry.
std::string checks_text(const CheckReport& report, bool all, const Style& style, std::size_t width);

/// "3 fail, 1 error, 2 warn, 118 pass on 64 nodes"
std::string checks_summary(const CheckReport& report);

/// "62 nodes alike; cu07 differs in: …", a class of nodes after the other.
std::string drift_text(const std::vector<DriftClass>& classes, const std::map<NodeId, Error>& failed,
                       const Style& style, std::size_t width);
Json drift_document(const std::vector<DriftClass>& classes, const std::map<NodeId, Error>& failed);

std::string handoff_text(const HandoffReport& report, const Style& style, std::size_t width);

}  // namespace podwright::cli
