#include "catalog/checks/kernel_log.hpp"

#include <fmt/format.h>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright::judging {

namespace {

// When the ring buffer has lost its beginning, the journal is asked, which has not.
constexpr std::string_view script = R"sh(
if ! command -v dmesg >/dev/null 2>&1; then
  echo 'unreadable=dmesg is not installed'
  echo end
  exit 0
fi
line_end='
'
log=$(dmesg 2>&1)
status=$?
first=${log%%"$line_end"*}
if [ "$status" != 0 ]; then
  printf 'unreadable=%s\nend\n' "$first"
  exit 0
fi
case $first in
  *' 0.000000]'*|'') source=dmesg ;;
  *)
    source=part
    if command -v journalctl >/dev/null 2>&1 && [ -n "$(journalctl -k -b -q --no-pager -n 1 2>/dev/null)" ]; then
      source=journal
    fi ;;
esac
printf 'source=%s\n' "$source"
read -r uptime rest </proc/uptime && printf 'uptime=%s\n' "$uptime"
if [ "$source" = journal ]; then journalctl -k -b -q --no-pager -o short-monotonic; else printf '%s\n' "$log"; fi |
  grep -E "$pattern" | tail -n 200
echo end
)sh";

}  // namespace

std::string kernel_log_probe(std::string_view pattern) {
  return sh::assign("pattern", pattern) + std::string(script);
}

namespace {

/// The lines of the log behind the head of the probe.
struct Log {
  std::vector<reading::Line> lines{};
  std::string since{};
  std::optional<double> uptime{};
  std::optional<CheckResult> verdict{};
};

Log read_log(const Check& check, const Observed& observed, const Expectation& expectation) {
  if (in_container(expectation.facts)) return {.verdict = skipped(check, "a container: the kernel's log is its host's")};
  auto all = reading::lines_of(observed);
  if (!all) return {.verdict = failed_to_run(check, all.error().what, "dmesg")};
  if (all->empty()) return {.verdict = failed_to_run(check, "the probe printed nothing", "dmesg")};
  const auto first = all->front().text;
  if (first.starts_with("unreadable=")) {
    return {.verdict = failed_to_run(check, fmt::format("the kernel's log cannot be read: {}", first.substr(11)),
                                     "sysctl kernel.dmesg_restrict, and is podwright root there? podwright doctor")};
  }
  if (!first.starts_with("source=")) {
    return {.verdict = failed_to_run(check, reading::malformed(all->front(), "is not 'source=…'").value().what, "dmesg")};
  }
  Log log{.lines = std::move(*all), .since = first == "source=part" ? "in what is left of the kernel's log" : "since boot"};
  log.lines.erase(log.lines.begin());
  if (!log.lines.empty() && log.lines.front().text.starts_with("uptime=")) {
    log.uptime = reading::finite_number(log.lines.front().text.substr(7));
    log.lines.erase(log.lines.begin());
  }
  return log;
}

}  // namespace

FoundEvents find_kernel_events(const Check& check, const Observed& observed, const Expectation& expectation, std::optional<double> hours) {
  auto log = read_log(check, observed, expectation);
  if (log.verdict) return {.verdict = std::move(log.verdict)};
  FoundEvents found{.since = std::move(log.since)};
  const auto from = hours && log.uptime ? std::optional(*log.uptime - *hours * 3600) : std::nullopt;
  if (from) found.since = fmt::format("in the last {:g} hours", *hours);
  for (const auto& line : log.lines) {
    auto event = parsing::event_of(parsing::read_kernel_line(line.number, line.text));
    // One whose time is not told counts: nothing is to be missed.
    if (event && !(from && event->uptime && *event->uptime < *from)) found.events.push_back(std::move(*event));
  }
  return found;
}

std::vector<CheckResult> judge_kernel_log(const Check& check, const Observed& observed,
                                          const Expectation& expectation, const LogRule& rule) {
  const auto log = read_log(check, observed, expectation);
  if (log.verdict) return {*log.verdict};
  const auto& [lines, since, uptime, verdict] = log;
  const auto count = lines.size();
  if (count == 0) return {passed(check, "none " + since, std::string(rule.expected))};
  const auto number = count >= 200 ? std::string("200 lines or more") : count_of(count, "line");
  return {broken(check, fmt::format("{} {}, the last: {}", number, since, trim(lines.back().text.substr(0, 300))),
                 std::string(rule.expected), std::string(rule.remedy))};
}

}  // namespace podwright::judging
