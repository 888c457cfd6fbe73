// ipmi.sel: the management controller's log.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/tool_output.hpp"
#include "catalog/parsers/management.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright {

namespace {

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

const Registered sel{Check{.id = "ipmi.sel", .summary = "The management controller's log holds nothing that stops a node", .severity = Severity::fatal, .source = "facebookresearch/gcm (check_ipmitool)",
                           .needs = {"os"}, .probe = sel_script, .deadline = std::chrono::seconds(35), .judge = judge_sel}};

}  // namespace

}  // namespace podwright
