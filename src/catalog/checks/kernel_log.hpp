/// Checks that look for messages in the kernel's log.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/checks/judging.hpp"
#include "catalog/parsers/kernel_log.hpp"

namespace podwright::judging {

/// The probe of all such checks: prints "source=…" and "uptime=SECONDS", then of each topic "== TOPIC" and the lines
/// of the kernel's log since boot that belong to it, the last 200 of them. What a topic is stands in kernel_log.cpp.
std::string_view kernel_log_probe();
constexpr std::string_view kernel_log_reads = "kernel-log";
constexpr std::chrono::seconds kernel_log_deadline{20};

/// The messages that mean something to us among the lines of the topic, those of the last `hours`
/// (nothing: since boot); or why there are none to judge. Stamps count from the boot, so that neither a
/// missing year nor a clock that was set matters.
struct FoundEvents {
  std::vector<parsing::KernelEvent> events{};
  std::string since{};  ///< "since boot", "in the last 12 hours"
  std::optional<CheckResult> verdict{};
};
FoundEvents find_kernel_events(const Check& check, const Observed& observed, const Expectation& expectation,
                               std::string_view topic, std::optional<double> hours = {});

/// What to say of the lines of a topic.
struct LogRule {
  std::string_view topic;
  std::string_view expected;  ///< "no soft lockups"
  std::string_view remedy;
};

/// Passes when no line was found; otherwise tells how many and the last one. In a container the log is
/// its host's: skipped.
std::vector<CheckResult> judge_kernel_log(const Check& check, const Observed& observed,
                                          const Expectation& expectation, const LogRule& rule);

}  // namespace podwright::judging
