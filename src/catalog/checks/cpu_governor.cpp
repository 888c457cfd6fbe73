// cpu.governor: processors run at full speed.
#include <fmt/format.h>

#include "catalog/checks/judging.hpp"

namespace podwright {

namespace {

std::vector<CheckResult> judge(const Check& check, const Observed&, const Expectation& expectation) {
  const auto wanted = judging::text_option(expectation, "expect").value_or("performance");
  const auto& governor = expectation.facts.cpu.governor;
  if (governor.empty()) {
    if (judging::in_container(expectation.facts)) return {judging::skipped(check, "a container: the host governs the processors")};
    if (judging::in_virtual_machine(expectation.facts)) {
      return {judging::skipped(check, "a virtual machine: its host governs the processors")};
    }
    return {judging::skipped(check, "the kernel has no frequency driver: the firmware governs the processors")};
  }
  if (governor == wanted) return {judging::passed(check, governor, wanted)};
  const std::string remedy =
      judging::in_container(expectation.facts)
          ? fmt::format("on the container's host: cpupower frequency-set -g {}", wanted)
          : fmt::format("cpupower frequency-set -g {}; lasting: a unit or tuned profile in the cluster's profile", wanted);
  return {judging::broken(check, governor == "mixed" ? "not the same on all CPUs" : governor, wanted, remedy)};
}

const Registered check{Check{
    .id = "cpu.governor",
    .summary = "The frequency governor of every CPU is 'performance', or as declared",
    .severity = Severity::warning,
    .source = "OCI oci-hpc",
    .options = {{.name = "expect", .type = FieldType::text, .doc = "the governor; default: performance"}},
    .needs = {"cpu", "os"},
    .judge = judge}};

}  // namespace

}  // namespace podwright
