// pcie.acs: PCIe access control does not send traffic between devices through the root.
#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/checks/tool_output.hpp"

namespace podwright {

namespace {

const std::string acs_script = judging::tool_probe("seconds=15\nrun lspci -D -vvv");

std::vector<CheckResult> judge_acs(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto& facts = expectation.facts;
  if (judging::in_container(facts)) return {judging::skipped(check, "a container: PCI is its host's")};
  if (judging::in_virtual_machine(facts)) return {judging::skipped(check, "a virtual machine: its host needs access control to hand devices out")};
  if (facts.gpus.empty()) return {judging::skipped(check, "no accelerators here")};
  const auto runs = judging::read_tool_runs(observed);
  if (!runs) return {judging::failed_to_run(check, runs.error().what, "lspci -vvv")};
  const auto* run = judging::find_run(*runs, "lspci");
  if (run == nullptr || run->absent) return {judging::failed_to_run(check, "lspci is not installed", "add [[package]] name = \"pciutils\" to the profile, then podwright apply")};
  std::vector<std::string> on;
  std::size_t told = 0;
  std::string slot;
  for (const auto line : lines(run->text)) {
    if (!line.empty() && line[0] != '\t' && line[0] != ' ') slot = line.substr(0, line.find(' '));
    if (line.find("ACSCtl:") == std::string_view::npos) continue;
    ++told;
    if (line.find("SrcValid+") != std::string_view::npos) on.push_back(slot);
  }
  const std::string expected = "ACS off on every bridge, so that devices reach each other directly";
  if (told == 0 && run->exit_status != 0) return {judging::failed_to_run(check, judging::first_line_of(*run), "lspci -vvv as root")};
  if (on.empty()) return {judging::passed(check, told == 0 ? "no bridge has it" : fmt::format("off on {}", count_of(told, "bridge")), expected)};
  return {judging::broken(check, fmt::format("on for {} of {}: {}", on.size(), count_of(told, "bridge"), human_list(on, 4)), expected,
                          "switch ACS (or VT-d/IOMMU with it) off in the firmware, or setpci -s ADDRESS ECAP_ACS+6.w=0000 at every boot; it costs bandwidth between GPUs and HCAs")};
}

const Registered acs{Check{.id = "pcie.acs", .summary = "PCIe access control does not stand between accelerators and adapters", .severity = Severity::fatal, .source = "leptonai/gpud (pci: ACS on bare metal); NCCL, PCI access control services",
                           .needs = {"gpus", "os"}, .probe = acs_script, .deadline = std::chrono::seconds(25), .judge = judge_acs}};

}  // namespace

}  // namespace podwright
