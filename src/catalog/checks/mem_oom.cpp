// mem.oom: the kernel has not had to kill for memory.
#include "catalog/checks/kernel_log.hpp"

namespace podwright {

namespace {

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  return judging::judge_kernel_log(
      check, observed, expectation,
      {.topic = "oom",
       .expected = "no process was killed because the node ran out of memory",
       .remedy = "find what took the memory (the table below the message, dmesg -T); limit jobs by memory in Slurm "
                 "(ConstrainRAMSpace=yes), then reboot: daemons may be among those killed"});
}

const Registered check{Check{
    .id = "mem.oom",
    .summary = "The kernel has killed nothing for lack of memory since boot",
    .severity = Severity::warning,
    .source = "leptonai/gpud (components/memory)",
    .needs = {"os"},
    .probe = judging::kernel_log_probe(),
    .deadline = judging::kernel_log_deadline,
    .reads = judging::kernel_log_reads,
    .judge = judge}};

}  // namespace

}  // namespace podwright
