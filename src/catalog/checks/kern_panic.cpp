// kern.panic: the kernel left no record of a crash.
#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

// systemd-pstore moves records away at boot; kdump writes to /var/crash (where Ubuntu keeps crashes of
// programs, too: those end in .crash and are not the kernel's, but for linux-image).
constexpr std::string_view script = R"sh(
for f in /sys/fs/pstore/* /var/lib/systemd/pstore/* /var/crash/*/vmcore* /var/crash/*/dmesg* /var/crash/linux-image*.crash; do
  [ ! -e "$f" ] || printf '%s\n' "$f"
done
echo end
)sh";

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  if (judging::in_container(expectation.facts)) return {judging::skipped(check, "a container: the kernel is its host's")};
  const auto lines = reading::lines_of(observed);
  if (!lines) return {judging::failed_to_run(check, lines.error().what, "ls /sys/fs/pstore /var/lib/systemd/pstore /var/crash")};
  const std::string expected = "no record of a kernel crash";
  if (lines->empty()) return {judging::passed(check, "none", expected)};
  std::vector<std::string> files;
  for (const auto& line : *lines) files.emplace_back(line.text);
  return {judging::broken(check, human_list(files, 4), expected,
                          "read it for the module at fault, report it to the vendor, then remove the files so that the next one is seen")};
}

const Registered check{Check{
    .id = "kern.panic",
    .summary = "The kernel left no record of a panic",
    .severity = Severity::fatal,
    .source = "leptonai/gpud (components/os, pstore)",
    .needs = {"os"},
    .probe = script,
    .judge = judge}};

}  // namespace

}  // namespace podwright
