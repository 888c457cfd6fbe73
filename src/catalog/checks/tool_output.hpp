/// Checks that read what a vendor's tool prints.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/checks/judging.hpp"

namespace podwright::judging {

/// A probe of these lines of sh, in which `run TOOL ARGUMENT…` prints "%% TOOL ARGUMENT…", what the tool
/// prints, and "%% exit N"; "%% absent" when there is no such tool. `seconds=N` before it: the time that
/// each tool has. (A function: other files use it before main.)
std::string tool_probe(std::string_view commands);

struct ToolRun {
  std::string command;  ///< "nvidia-smi -q"
  bool absent = false;
  int exit_status = 0;
  std::string text;
  int first_line = 1;   ///< of `text` within the probe's output
};
/// What such a probe printed. Fails when it was cut off.
Result<std::vector<ToolRun>> read_tool_runs(const Observed& observed);
/// The first run whose command begins so, or null.
const ToolRun* find_run(const std::vector<ToolRun>& runs, std::string_view command);

/// The first line of what a tool said, for a message.
std::string first_line_of(const ToolRun& run);

/// How many accelerators of this vendor (nvidia, amd, ascend, intel) PCI shows.
std::size_t count_of_vendor(const Facts& facts, std::string_view vendor);

/// Whether the profile installs a package whose name begins so.
bool wants_package(const Expectation& expectation, std::string_view name);

/// The verdict when there is nothing to judge: skip without hardware of the vendor, error when it is there
/// and the tool is missing or failed. `hardware` has its article: "an AMD GPU". Nothing when `run` can be read.
std::optional<CheckResult> without_tool(const Check& check, const Expectation& expectation, std::string_view vendor,
                                        std::string_view hardware, const ToolRun* run, std::string_view tool);

}  // namespace podwright::judging
