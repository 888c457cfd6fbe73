// pcie.acs, ipmi.sel, ctr.gpu, amd.rvs.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/tool_output.hpp"
#include "catalog/parsers/management.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright {

namespace {

// --- access control services -----------------------------------------------------------------------

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

// --- the management controller's log ---------------------------------------------------------------

const std::string sel_script = judging::tool_probe(
    "seconds=25\n"
    "bmc=\n"
    "for f in /dev/ipmi0 /dev/ipmi/0 /dev/ipmidev/0; do [ ! -e \"$f\" ] || bmc=$f; done\n"
    "[ -z \"$bmc\" ] || run ipmitool sel elist last 500");

/// What stops a node or is about to. "Upper Non-critical" is a note.
bool is_grave(const parsing::SelEvent& event) {
  const auto text = parsing::lower(event.sensor + " " + event.event);
  for (const auto* word : {"uncorrectable", "bus fatal", "pci serr", "pci perr", "power supply ac lost", "failure detected", "power unit", "critical overtemperature", "upper critical", "upper non-recoverable",
                           "thermal trip", "ierr", "cpu machine check", "processor disabled", "redundancy lost", "os critical stop", "fan failure"}) {
    if (text.find(word) != std::string::npos && text.find("non-critical") == std::string::npos) return true;
  }
  return false;
}

std::vector<CheckResult> judge_sel(const Check& check, const Observed& observed, const Expectation& expectation) {
  if (judging::in_container(expectation.facts)) return {judging::skipped(check, "a container: the management controller is its host's")};
  if (judging::in_virtual_machine(expectation.facts)) return {judging::skipped(check, "a virtual machine has no management controller")};
  const auto runs = judging::read_tool_runs(observed);
  if (!runs) return {judging::failed_to_run(check, runs.error().what, "ipmitool sel elist")};
  if (runs->empty()) return {judging::skipped(check, "no management controller is seen (modprobe ipmi_devintf ipmi_si)")};
  const auto& run = runs->front();
  if (run.absent) {
    if (!judging::wants_package(expectation, "ipmitool")) return {judging::skipped(check, "ipmitool is not installed: add [[package]] name = \"ipmitool\" to the profile")};
    return {judging::failed_to_run(check, "ipmitool is not installed", "podwright apply installs what the profile names")};
  }
  const auto events = parsing::parse_ipmi_sel(run.text);
  if (!events) return {judging::failed_to_run(check, fmt::format("ipmitool (exit status {}): {}", run.exit_status, events.error().what), "ipmitool sel elist; ipmitool mc reset cold when the controller hangs")};
  std::vector<std::string> grave;
  for (const auto& event : *events) {
    if (event.direction != "Deasserted" && is_grave(event)) grave.push_back(fmt::format("{} {} {}: {}", event.date, event.time, event.sensor, event.event));
  }
  const std::string expected = "no power loss, uncorrectable error, PCI error or overheating in the controller's log";
  if (grave.empty()) return {judging::passed(check, events->empty() ? "the log is empty" : fmt::format("none of {}", count_of(events->size(), "entry")), expected)};
  std::vector<std::string> latest(grave.end() - static_cast<std::ptrdiff_t>(std::min<std::size_t>(grave.size(), 3)), grave.end());
  return {judging::broken(check, fmt::format("{}: {}", grave.size() > 3 ? fmt::format("{}, the last of them", grave.size()) : std::to_string(grave.size()), join(latest, "; ")), expected,
                          "mend what it names; then save the log (ipmitool sel save FILE) and ipmitool sel clear, so that the next one is seen")};
}

// --- containers ------------------------------------------------------------------------------------

// What a container gets is what the runtime's specification lists (CDI), or the legacy hook: nothing is started.
const std::string container_script = judging::tool_probe("seconds=15\nrun nvidia-ctk cdi list\nrun nvidia-container-cli list");

std::vector<CheckResult> judge_container(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto gpus = judging::count_of_vendor(expectation.facts, "nvidia");
  if (gpus == 0) return {judging::skipped(check, "no NVIDIA GPU here")};
  const auto runs = judging::read_tool_runs(observed);
  if (!runs) return {judging::failed_to_run(check, runs.error().what, "nvidia-container-cli list")};
  const auto* legacy = judging::find_run(*runs, "nvidia-container-cli");
  const auto* cdi = judging::find_run(*runs, "nvidia-ctk");
  const bool absent = (legacy == nullptr || legacy->absent) && (cdi == nullptr || cdi->absent);
  if (absent && !judging::wants_package(expectation, "nvidia-container-toolkit") && !judging::wants_package(expectation, "libnvidia-container")) {
    return {judging::skipped(check, "the profile has no container toolkit (component containers/nvidia-container-toolkit)")};
  }
  if (absent) return {judging::failed_to_run(check, "the NVIDIA container toolkit is not installed", "podwright apply installs what the profile names")};
  std::size_t devices = 0;
  std::string said;
  if (legacy != nullptr && !legacy->absent) {
    for (const auto line : lines(legacy->text)) {
      const auto path = trim(line);
      if (path.starts_with("/dev/nvidia") && path.size() > 11 && to_int(path.substr(11))) ++devices;
    }
    said = judging::first_line_of(*legacy);
  }
  if (devices == 0 && cdi != nullptr && !cdi->absent) {
    for (const auto line : lines(cdi->text)) {
      const auto name = trim(line);
      if (name.starts_with("nvidia.com/gpu=") && to_int(name.substr(15))) ++devices;
    }
    if (said.empty()) said = judging::first_line_of(*cdi);
  }
  const auto expected = fmt::format("{} for containers", count_of(gpus, "GPU"));
  const auto seen = devices == 0 ? "none: " + said : count_of(devices, "GPU");
  if (devices == gpus) return {judging::passed(check, seen, expected)};
  return {judging::broken(check, seen, expected, "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml; then nvidia-container-cli list names the devices")};
}

// --- ROCm validation suite -------------------------------------------------------------------------

const std::string rvs_script = judging::tool_probe(R"sh(seconds=$((deadline - 10))
PATH=$PATH:/opt/rocm/bin
if [ -n "$level" ]; then run rvs -r "$level"; else run rvs -g; fi)sh");

/// What `rvs -r N` says of its tests: a table of | action | module | PASS |, and lines "[RESULT] … met: FALSE"
/// of what missed its target.
std::vector<CheckResult> judge_rvs_level(const Check& check, const judging::ToolRun& run) {
  std::vector<std::string> failed;
  std::size_t passed = 0;
  for (const auto line : lines(run.text)) {
    const auto cells = split(line, '|');
    if (cells.size() == 5) {
      const auto action = trim(cells[1]);
      const auto result = trim(cells[3]);
      if (result == "PASS") ++passed;
      else if (result == "FAIL" || result == "ERROR") failed.push_back(fmt::format("{} ({})", clean_output(action), clean_output(trim(cells[2]))));
    } else if (line.find("[RESULT]") != std::string_view::npos &&
               (line.find("met: FALSE") != std::string_view::npos || line.find("pass: FALSE") != std::string_view::npos)) {
      failed.push_back(clean_output(trim(line).substr(0, 200)));
    } else if (line.find("[RESULT]") != std::string_view::npos &&
               (line.find("met: TRUE") != std::string_view::npos || line.find("pass: TRUE") != std::string_view::npos)) {
      ++passed;
    }
  }
  const auto expected = fmt::format("every test of {} passes", run.command);
  if (!failed.empty()) return {judging::broken(check, human_list(failed), expected, "drain the node, look at dmesg | grep amdgpu, and report what failed to the vendor")};
  if (run.exit_status != 0 || passed == 0) {
    return {judging::failed_to_run(check, fmt::format("{} ended with {} and no result of a test: {}", run.command, run.exit_status, judging::first_line_of(run)),
                                   "run it by hand on the drained node")};
  }
  return {judging::passed(check, count_of(passed, "result") + " passed", expected)};
}

std::vector<CheckResult> judge_rvs(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto gpus = judging::count_of_vendor(expectation.facts, "amd");
  if (gpus == 0) return {judging::skipped(check, "no AMD GPU here")};
  const auto runs = judging::read_tool_runs(observed);
  if (!runs) return {judging::failed_to_run(check, runs.error().what, "rvs -g")};
  const auto* run = judging::find_run(*runs, "rvs");
  if (run != nullptr && run->absent && !judging::wants_package(expectation, "rocm-validation-suite")) return {judging::skipped(check, "the ROCm validation suite is not part of the profile")};
  if (auto verdict = judging::without_tool(check, expectation, "amd", "an AMD GPU", run, "rvs")) return {*verdict};
  if (run->command.starts_with("rvs -r")) return judge_rvs_level(check, *run);
  // "Supported GPUs available:" and a line for each: "0000:05:00.0 - GPU[ 1 - 12345] AMD Instinct MI300X (Device 29857)"
  std::size_t seen = 0;
  for (const auto line : lines(run->text)) {
    if (line.find("GPU[") != std::string_view::npos) ++seen;
  }
  const auto expected = fmt::format("{} that the suite can test", count_of(gpus, "GPU"));
  if (seen == gpus) return {judging::passed(check, count_of(seen, "GPU"), expected)};
  return {judging::broken(check, seen == 0 ? judging::first_line_of(*run) : count_of(seen, "GPU"), expected, "rocminfo and dmesg | grep amdgpu; rvs -c /opt/rocm/share/rocm-validation-suite/conf/gst_single.conf tests them on a drained node")};
}

const Registered acs{Check{.id = "pcie.acs", .summary = "PCIe access control does not stand between accelerators and adapters", .severity = Severity::fatal, .source = "leptonai/gpud (pci: ACS on bare metal); NCCL, PCI access control services",
                           .needs = {"gpus", "os"}, .probe = acs_script, .deadline = std::chrono::seconds(25), .judge = judge_acs}};
const Registered sel{Check{.id = "ipmi.sel", .summary = "The management controller's log holds nothing that stops a node", .severity = Severity::fatal, .source = "facebookresearch/gcm (check_ipmitool)",
                           .needs = {"os"}, .probe = sel_script, .deadline = std::chrono::seconds(35), .judge = judge_sel}};
const Registered container{Check{.id = "ctr.gpu", .summary = "Containers get every NVIDIA GPU", .severity = Severity::fatal, .source = "imbue cluster-health; NVIDIA container toolkit",
                                 .needs = {"gpus"}, .hardware = "nvidia", .probe = container_script, .deadline = std::chrono::seconds(40), .judge = judge_container}};
const Registered rvs{Check{.id = "amd.rvs", .summary = "The ROCm validation suite can use every AMD GPU; with a level, its tests pass", .severity = Severity::fatal, .source = "ROCm validation suite",
                           .options = {{.name = "level", .type = FieldType::integer, .doc = "1 (minutes) to 5 (hours), on an idle node; default: the suite only lists the GPUs"}},
                           .needs = {"gpus"}, .hardware = "amd", .probe = rvs_script, .deadline = std::chrono::seconds(110),
                           .levels = {std::chrono::minutes(20), std::chrono::hours(1), std::chrono::hours(2), std::chrono::hours(4), std::chrono::hours(8)}, .judge = judge_rvs}};

}  // namespace

}  // namespace podwright
