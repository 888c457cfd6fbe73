// cpu.lockup: no CPU and no task has been stuck.
#include "catalog/checks/kernel_log.hpp"

namespace podwright {

namespace {

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  return judging::judge_kernel_log(
      check, observed, expectation,
      {.topic = "lockup",
       .expected = "no lockups, stalls or blocked tasks in the kernel's log",
       .remedy = "read the trace below the message (dmesg -T) for the driver at fault; stuck tasks that wait for "
                 "storage name a dead server or disk. Reboot the node before it is used again"});
}

const Registered check{Check{
    .id = "cpu.lockup",
    .summary = "The kernel reports no lockups, stalls or tasks that are blocked",
    .severity = Severity::fatal,
    .source = "leptonai/gpud (components/cpu, components/os)",
    .needs = {"os"},
    .probe = judging::kernel_log_probe(),
    .deadline = judging::kernel_log_deadline,
    .reads = judging::kernel_log_reads,
    .judge = judge}};

}  // namespace

}  // namespace podwright
