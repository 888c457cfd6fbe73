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
first=$(dmesg 2>&1 | head -n 1)
if ! dmesg >/dev/null 2>&1; then
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
if [ "$source" = journal ]; then journalctl -k -b -q --no-pager -o short-iso; else dmesg; fi |
  grep -E "$pattern" | tail -n 200
echo end
)sh";

}  // namespace

std::string kernel_log_probe(std::string_view pattern) {
  return sh::assign("pattern", pattern) + std::string(script);
}

std::vector<CheckResult> judge_kernel_log(const Check& check, const Observed& observed,
                                          const Expectation& expectation, const LogRule& rule) {
  if (in_container(expectation.facts)) return {skipped(check, "a container: the kernel's log is its host's")};
  const auto lines = reading::lines_of(observed);
  if (!lines) return {failed_to_run(check, lines.error().what, "dmesg")};
  if (lines->empty()) return {failed_to_run(check, "the probe printed nothing", "dmesg")};
  const auto first = lines->front().text;
  if (first.starts_with("unreadable=")) {
    return {failed_to_run(check, fmt::format("the kernel's log cannot be read: {}", first.substr(11)),
                          "sysctl kernel.dmesg_restrict, and is podwright root there? podwright doctor")};
  }
  if (!first.starts_with("source=")) {
    return {failed_to_run(check, reading::malformed(lines->front(), "is not 'source=…'").value().what, "dmesg")};
  }
  const std::string since = first == "source=part" ? "in what is left of the kernel's log" : "since boot";
  const auto count = lines->size() - 1;
  if (count == 0) return {passed(check, "none " + since, std::string(rule.expected))};
  const auto number = count >= 200 ? std::string("200 lines or more") : count_of(count, "line");
  return {broken(check, fmt::format("{} {}, the last: {}", number, since, trim(lines->back().text.substr(0, 300))),
                 std::string(rule.expected), std::string(rule.remedy))};
}

}  // namespace podwright::judging
