// mem.edac: memory errors that the hardware reports.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

/// mcelog.conf (8): [socket] mem-ce-error-threshold = 100 / 24h.
constexpr double usual_most_per_day = 100;

constexpr std::string_view script = R"sh(
get() { v=; { read -r v; } 2>/dev/null <"$1"; }
for d in /sys/devices/system/edac/mc/mc[0-9]*; do
  [ -e "$d/ue_count" ] || continue
  get "$d/ue_count"; ue=$v
  get "$d/ce_count"; ce=$v
  get "$d/seconds_since_reset"; seconds=${v:-0}
  get "$d/mc_name"
  printf '%s\t%s\t%s\t%s\t%s\n' "${d##*/}" "$ue" "$ce" "$seconds" "${v:--}"
done
echo end
)sh";

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto lines = reading::lines_of(observed);
  const auto unusable = [&](const Error& error) {
    return std::vector{judging::failed_to_run(check, error.what, "ls /sys/devices/system/edac/mc")};
  };
  if (!lines) return unusable(lines.error());
  if (lines->empty()) {
    if (judging::in_container(expectation.facts)) return {judging::skipped(check, "a container that does not see its host's memory controllers")};
    if (judging::in_virtual_machine(expectation.facts)) return {judging::skipped(check, "a virtual machine: its host watches the memory")};
    return {judging::skipped(check, "no memory controller reports errors: the EDAC driver of this chipset is not loaded, "
                                    "or the firmware keeps them to itself")};
  }
  const auto most = judging::number_option(expectation, "corrected_per_day").value_or(usual_most_per_day);
  std::vector<std::string> told;
  std::int64_t uncorrected = 0;
  bool many = false;
  for (const auto& line : *lines) {
    const auto fields = reading::fields(line, 5);
    if (!fields) return unusable(fields.error());
    const auto ue = reading::number(line, (*fields)[1], "ue_count", 0, INT64_MAX);
    if (!ue) return unusable(ue.error());
    const auto ce = reading::number(line, (*fields)[2], "ce_count", 0, INT64_MAX);
    if (!ce) return unusable(ce.error());
    const auto seconds = reading::number(line, (*fields)[3], "seconds_since_reset", 0, INT64_MAX);
    if (!seconds) return unusable(seconds.error());
    // Counted over a whole day at least: a few errors right after boot are no rate.
    const double days = std::max(1.0, static_cast<double>(*seconds) / 86400);
    uncorrected += *ue;
    many = many || static_cast<double>(*ce) / days > most;
    if (*ue > 0 || *ce > 0) {
      told.push_back(fmt::format("{}: {} uncorrected, {} corrected in {:.1f} days", (*fields)[0], *ue, *ce,
                                 static_cast<double>(*seconds) / 86400));
    }
  }
  const auto expected = fmt::format("0 uncorrected; at most {:g} corrected a day", most);
  const auto seen = told.empty() ? fmt::format("0 errors on {}", count_of(lines->size(), "memory controller")) : join(told, "; ");
  if (uncorrected > 0) {
    return {judging::broken(check, seen, expected,
                            "replace the module: edac-util -v or ras-mc-ctl --errors names it; jobs that ran here since may hold wrong results")};
  }
  if (many) return {judging::warned(check, seen, expected, "plan to replace the module: edac-util -v or ras-mc-ctl --errors names it")};
  return {judging::passed(check, seen, expected)};
}

const Registered check{Check{
    .id = "mem.edac",
    .summary = "No uncorrected memory errors, and few that were corrected",
    .severity = Severity::fatal,
    .source = "the rate: mcelog.conf, mem-ce-error-threshold = 100 / 24h",
    .options = {{.name = "corrected_per_day", .type = FieldType::number, .doc = "more corrected errors a day than this warn; default 100"}},
    .needs = {"os"},
    .probe = script,
    .judge = judge}};

}  // namespace

}  // namespace podwright
