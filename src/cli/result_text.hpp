/// Verdicts for people: of the interconnect, of the checks, of the hand-off.
#pragma once

#include "cli/style.hpp"
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

std::string handoff_text(const HandoffReport& report, const Style& style, std::size_t width);

}  // namespace podwright::cli
