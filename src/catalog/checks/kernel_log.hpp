/// Checks that look for messages in the kernel's log.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "catalog/checks/judging.hpp"
#include "catalog/parsers/kernel_log.hpp"

namespace podwright::judging {

/// The probe of such a check: prints "source=…" and "uptime=SECONDS", then the lines of the kernel's log since boot that match
/// the extended regular expression, the last 200 of them.
std::string kernel_log_probe(std::string_view pattern);

/// The messages that mean something to us among the lines that were found, those of the last `hours`
/// (nothing: since boot); or why there are none to judge. Stamps count from the boot, so that neither a
/// missing year nor a clock that was set matters.
struct FoundEvents {
  std::vector<parsing::KernelEvent> events{};
  std::string since{};  ///< "since boot", "in the last 12 hours"
  std::optional<CheckResult> verdict{};
};
FoundEvents find_kernel_events(const Check& check, const Observed& observed, const Expectation& expectation, std::optional<double> hours = {});

/// What to say of the lines that were found.
struct LogRule {
  std::string_view expected;  ///< "no soft lockups"
  std::string_view remedy;
};

/// Passes when no line was found; otherwise tells how many and the last one. In a container the log is
/// its host's: skipped.
std::vector<CheckResult> judge_kernel_log(const Check& check, const Observed& observed,
                                          const Expectation& expectation, const LogRule& rule);

}  // namespace podwright::judging
