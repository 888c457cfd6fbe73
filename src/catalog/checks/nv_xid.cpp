// nv.xid, nv.sxid: what NVIDIA's driver wrote to the kernel's log; catalog/vendors/nvidia_errors knows it.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "catalog/checks/kernel_log.hpp"
#include "catalog/checks/tool_output.hpp"

namespace podwright {

namespace {

constexpr std::string_view topic = "nvidia";

struct Group {
  std::size_t count = 0;
  const parsing::KernelEvent* last = nullptr;
};

/// "Xid 79 on 0000:9b:00.0, twice: the GPU has fallen off the bus"
std::string told(const parsing::KernelEvent& event, std::size_t count) {
  const auto name = event.code ? fmt::format("{} {}", event.kind == "sxid" ? "SXid" : "Xid", *event.code) : std::string("driver");
  return fmt::format("{}{}{}: {}", name, event.device.empty() ? "" : " on " + event.device, count > 1 ? fmt::format(" ({} times)", count) : "", event.meaning);
}

std::vector<CheckResult> judge_events(const Check& check, const Observed& observed, const Expectation& expectation, bool of_switch) {
  if (judging::count_of_vendor(expectation.facts, "nvidia") == 0) {
    // A GPU that fell off the bus at boot leaves none on PCI: what the log says still counts.
    const auto found = judging::find_kernel_events(check, observed, expectation, topic);
    if (found.verdict || found.events.empty()) return {judging::skipped(check, "no NVIDIA GPU here, and no word of one in the kernel's log")};
  }
  const auto found = judging::find_kernel_events(check, observed, expectation, topic, judging::number_option(expectation, "hours"));
  if (found.verdict) return {*found.verdict};
  const auto ignored = judging::list_option(expectation, "ignore");
  std::map<std::pair<std::int64_t, std::string>, Group> fatal;
  std::map<std::pair<std::int64_t, std::string>, Group> other;
  for (const auto& event : found.events) {
    if ((event.kind == "sxid") != of_switch) continue;
    if (event.code && std::ranges::find(ignored, std::to_string(*event.code)) != ignored.end()) continue;
    auto& group = (event.fatal ? fatal : other)[{event.code.value_or(-1), event.device}];
    ++group.count;
    group.last = &event;
  }
  std::vector<std::string> texts;
  std::vector<std::string> actions;
  for (const auto* groups : {&fatal, &other}) {
    for (const auto& [key, group] : *groups) {
      texts.push_back(told(*group.last, group.count));
      if (!group.last->action.empty() && std::ranges::find(actions, group.last->action) == actions.end()) actions.push_back(group.last->action);
    }
  }
  const auto name = of_switch ? "SXid" : "Xid";
  const auto expected = fmt::format("no {} after which jobs must not run", name);
  if (texts.empty()) return {judging::passed(check, "none " + found.since, expected)};
  const auto remedy = join(actions, "; ").empty() ? std::string("dmesg | grep -e Xid -e NVRM") : join(actions, "; ");
  const auto seen = fmt::format("{} {}", human_list(texts, 6), found.since);
  if (!fatal.empty()) return {judging::broken(check, seen, expected, remedy)};
  return {judging::warned(check, seen, expected, remedy)};
}

std::vector<Field> options() {
  return {{.name = "hours", .type = FieldType::number, .doc = "only of the last hours; default: since boot"},
          {.name = "ignore", .type = FieldType::list, .doc = "numbers that are not judged: [\"43\", \"45\"]"}};
}

const Registered xid{Check{
    .id = "nv.xid",
    .summary = "NVIDIA's driver reports no Xid after which jobs must not run",
    .severity = Severity::fatal,
    .source = "NVIDIA XID errors (docs.nvidia.com/deploy/xid-errors); Azure NHC, leptonai/gpud",
    .options = options(),
    .needs = {"gpus", "os"},
    .probe = judging::kernel_log_probe(),
    .deadline = judging::kernel_log_deadline,
    .reads = judging::kernel_log_reads,
    .judge = [](const Check& check, const Observed& observed, const Expectation& expectation) { return judge_events(check, observed, expectation, false); }}};

const Registered sxid{Check{
    .id = "nv.sxid",
    .summary = "NVIDIA's NVSwitches report no SXid after which jobs must not run",
    .severity = Severity::fatal,
    .source = "NVIDIA Fabric Manager user guide, appendix D; leptonai/gpud",
    .options = options(),
    .needs = {"gpus", "os"},
    .probe = judging::kernel_log_probe(),
    .deadline = judging::kernel_log_deadline,
    .reads = judging::kernel_log_reads,
    .judge = [](const Check& check, const Observed& observed, const Expectation& expectation) { return judge_events(check, observed, expectation, true); }}};

}  // namespace

}  // namespace podwright
