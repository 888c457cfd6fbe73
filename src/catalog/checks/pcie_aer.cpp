// pcie.aer: no PCI device reported a fatal error.
#include "catalog/checks/kernel_log.hpp"

namespace podwright {

namespace {

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  return judging::judge_kernel_log(
      check, observed, expectation,
      {.topic = "aer",
       .expected = "no fatal PCIe errors in the kernel's log",
       .remedy = "the message names the device (lspci -s ADDRESS); reseat or replace it and its riser, and power the "
                 "node off and on"});
}

const Registered check{Check{
    .id = "pcie.aer",
    .summary = "The kernel reports no fatal PCIe errors",
    .severity = Severity::fatal,
    .source = "OCI oci-dr-hpc (pcie_error_check)",
    .needs = {"os"},
    .probe = judging::kernel_log_probe(),
    .deadline = judging::kernel_log_deadline,
    .reads = judging::kernel_log_reads,
    .judge = judge}};

}  // namespace

}  // namespace podwright
