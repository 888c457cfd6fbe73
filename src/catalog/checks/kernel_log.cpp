#include "catalog/checks/kernel_log.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright::judging {

namespace {

/// What is looked for, as extended regular expressions.
struct Topic {
  std::string_view name;
  std::string_view pattern;
};

constexpr Topic topics[] = {
    {"lockup", "BUG: soft lockup|detected hard LOCKUP|hard LOCKUP on|blocked for more than [0-9]+ seconds|"
               "detected stalls on CPUs|self-detected stall"},
    // "Memory cgroup out of memory" is not meant: there a job met its own limit, and the node is well.
    {"oom", "Out of memory: Kill"},
    {"disk", "I/O error, dev|critical medium error|log I/O error|Remounting filesystem read-only|"
             "nvme.*(I/O timeout|controller is down|Removing after probe failure)"},
    {"aer", "severity=Uncorrected \\(Fatal\\)|severity=Fatal|AER: .*Uncorrected \\(Fatal\\)|"
            "AER: .*Uncorrectable \\(Fatal\\)|AER: .* Fatal error"},
    {"pcie-limited", "available PCIe bandwidth, limited by"},
    {"nvidia", "NVRM: .*Xid \\(|SXid \\(|GPU has fallen off the bus|RmInitAdapter failed"},
    {"rdma-link", "mlx[45].*[Ll]ink (down|up)|bnxt_(en|re).*Link is|ib[0-9a-z]*: (link|Link)|"
                  "infiniband.*port.*(DOWN|ACTIVE)"},
};

// When the ring buffer has lost its beginning, the journal is asked, which has not. Most nodes have nothing of
// all that is looked for: then the log is gone through once.
constexpr std::string_view read_script = R"sh(
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
      log=
    fi ;;
esac
printf 'source=%s\n' "$source"
read -r uptime rest </proc/uptime && printf 'uptime=%s\n' "$uptime"
found=$(if [ "$source" = journal ]; then journalctl -k -b -q --no-pager -o short-monotonic; else printf '%s\n' "$log"; fi |
  grep -E "$all")
look() {
  printf '== %s\n' "$1"
  [ -z "$found" ] || printf '%s\n' "$found" | grep -E "$2" | tail -n 200
}
)sh";

}  // namespace

std::string_view kernel_log_probe() {
  static const std::string script = [] {
    std::vector<std::string> patterns;
    std::string looks;
    for (const auto& topic : topics) {
      patterns.emplace_back(topic.pattern);
      looks += fmt::format("look {} {}\n", topic.name, sh::quote(topic.pattern));
    }
    return fmt::format("all={}{}{}echo end\n", sh::quote(join(patterns, "|")), read_script, looks);
  }();
  return script;
}

namespace {

/// The lines of the log behind the head of the probe.
struct Log {
  std::vector<reading::Line> lines{};
  std::string since{};
  std::optional<double> uptime{};
  std::optional<CheckResult> verdict{};
};

Log read_log(const Check& check, const Observed& observed, const Expectation& expectation, std::string_view topic) {
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
  const auto head = fmt::format("== {}", topic);
  const auto begin = std::ranges::find(log.lines, head, &reading::Line::text);
  if (begin == log.lines.end()) {
    return {.verdict = failed_to_run(check, fmt::format("the kernel's log was not searched: '{}' is missing", head), "dmesg")};
  }
  const auto end = std::find_if(begin + 1, log.lines.end(), [](const reading::Line& line) { return line.text.starts_with("== "); });
  log.lines = {begin + 1, end};
  return log;
}

}  // namespace

FoundEvents find_kernel_events(const Check& check, const Observed& observed, const Expectation& expectation,
                               std::string_view topic, std::optional<double> hours) {
  auto log = read_log(check, observed, expectation, topic);
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
  const auto log = read_log(check, observed, expectation, rule.topic);
  if (log.verdict) return {*log.verdict};
  const auto& [lines, since, uptime, verdict] = log;
  const auto count = lines.size();
  if (count == 0) return {passed(check, "none " + since, std::string(rule.expected))};
  const auto number = count >= 200 ? std::string("200 lines or more") : count_of(count, "line");
  return {broken(check, fmt::format("{} {}, the last: {}", number, since, trim(lines.back().text.substr(0, 300))),
                 std::string(rule.expected), std::string(rule.remedy))};
}

}  // namespace podwright::judging
