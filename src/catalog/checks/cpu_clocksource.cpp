// cpu.clocksource: reading the time is cheap and steady.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"

namespace podwright {

namespace {

/// What a kernel uses where all is well. A guest may well run on its hypervisor's clock; in a container
/// one cannot tell whether the host is a guest.
std::vector<std::string> good_clocks(const Facts& facts) {
  if (facts.arch == "x86_64") {
    if (facts.virtualization == "none" || facts.virtualization.empty()) return {"tsc"};
    return {"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "xen"};
  }
  if (facts.arch == "aarch64") return {"arch_sys_counter"};
  return {};
}

std::vector<CheckResult> judge(const Check& check, const Observed&, const Expectation& expectation) {
  const auto& facts = expectation.facts;
  const auto& clock = facts.cpu.clocksource;
  auto wanted = good_clocks(facts);
  if (const auto declared = judging::text_option(expectation, "expect")) wanted = {*declared};
  if (wanted.empty()) {
    return {judging::skipped(check, fmt::format("no good clock source is known for {}: declare one with expect", facts.arch))};
  }
  if (clock.empty()) {
    if (judging::in_container(facts)) return {judging::skipped(check, "a container that does not see the kernel's clock sources")};
    return {judging::failed_to_run(check, "the kernel names no clock source",
                                   "cat /sys/devices/system/clocksource/clocksource0/current_clocksource")};
  }
  const auto expected = join(wanted, " or ");
  if (std::ranges::find(wanted, clock) != wanted.end()) return {judging::passed(check, clock, expected)};
  return {judging::broken(check, clock, expected,
                          "dmesg | grep -i -e tsc -e clocksource: a kernel that calls the TSC unstable has seen "
                          "clocks of sockets apart; update the firmware, or boot with tsc=reliable if its vendor says so")};
}

const Registered check{Check{
    .id = "cpu.clocksource",
    .summary = "The kernel keeps time by the processor's own counter, or as declared",
    .severity = Severity::warning,
    .source = "facebookresearch/gcm",
    .options = {{.name = "expect", .type = FieldType::text, .doc = "the clock source; default: tsc, or arch_sys_counter on Arm"}},
    .needs = {"cpu", "os"},
    .judge = judge}};

}  // namespace

}  // namespace podwright
