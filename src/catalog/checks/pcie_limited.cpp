// pcie.limited: no device sits in a slot that is too slow for it.
#include "catalog/checks/kernel_log.hpp"

namespace podwright {

namespace {

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  return judging::judge_kernel_log(
      check, observed, expectation,
      {.topic = "pcie-limited",
       .expected = "no device whose PCIe bandwidth is limited by its slot or link",
       .remedy = "the message names the device, the link that limits it and what it is capable of: move the card to a "
                 "slot of its width and generation, or reseat it when the slot is right"});
}

const Registered check{Check{
    .id = "pcie.limited",
    .summary = "The kernel reports no device that is limited by its PCIe link",
    .severity = Severity::fatal,
    .source = "imbue cluster-health",
    .needs = {"os"},
    .probe = judging::kernel_log_probe(),
    .deadline = judging::kernel_log_deadline,
    .reads = judging::kernel_log_reads,
    .judge = judge}};

}  // namespace

}  // namespace podwright
