// npu.health, npu.count, npu.versions, npu.link, npu.net, npu.optical, npu.stat, npu.ip: Huawei Ascend.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/tool_output.hpp"
#include "catalog/parsers/ascend.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright {

namespace {

using parsing::AscendChip;
using parsing::HccnDevice;

const std::string& smi_probe() {
  static const std::string text = judging::tool_probe("seconds=20\nPATH=$PATH:/usr/local/Ascend/driver/tools:/usr/local/sbin\nrun npu-smi info");
  return text;
}

// The tool asks one device at a time; a device that hangs costs its seconds and no more.
const std::string& network_probe() {
  static const std::string text = judging::tool_probe(
      "seconds=4\n"
      "PATH=$PATH:/usr/local/Ascend/driver/tools\n"
      "for f in /dev/davinci[0-9]*; do\n"
      "  [ -e \"$f\" ] || continue\n"
      "  n=${f#/dev/davinci}\n"
      "  for question in link net_health optical stat ip; do run hccn_tool -i \"$n\" \"-$question\" -g; done\n"
      "done");
  return text;
}

const std::string& version_probe() {
  static const std::string text = judging::tool_probe(
      "for f in /usr/local/Ascend/driver/version.info /usr/local/Ascend/firmware/version.info; do\n"
      "  if [ -r \"$f\" ]; then run cat \"$f\"; fi\n"
      "done");
  return text;
}

struct SmiState {
  parsing::NpuSmi smi{};
  std::optional<CheckResult> verdict{};
};

SmiState read_smi(const Check& check, const Observed& observed, const Expectation& expectation) {
  const std::string by_hand = "npu-smi info; dmesg | grep -e ascend -e davinci";
  const auto runs = judging::read_tool_runs(observed);
  if (judging::count_of_vendor(expectation.facts, "ascend") > 0 && !runs) return {.verdict = judging::failed_to_run(check, runs.error().what, by_hand)};
  const auto* run = runs ? judging::find_run(*runs, "npu-smi info") : nullptr;
  if (auto verdict = judging::without_tool(check, expectation, "ascend", "an Ascend NPU", run, "npu-smi")) return {.verdict = std::move(verdict)};
  auto smi = parsing::parse_npu_smi_info(run->text);
  if (!smi) return {.verdict = judging::failed_to_run(check, fmt::format("npu-smi info (exit status {}): {}", run->exit_status, smi.error().what), by_hand)};
  return {.smi = std::move(*smi)};
}

std::vector<CheckResult> judge_health(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = read_smi(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  std::vector<std::string> ill;
  bool warnings_only = true;
  for (const auto& chip : state.smi.chips) {
    if (chip.health == "OK") continue;
    warnings_only = warnings_only && chip.health == "Warning";
    ill.push_back(fmt::format("NPU {}{} ({}): {}", chip.npu, chip.chip > 0 ? fmt::format(" chip {}", chip.chip) : "", chip.name, chip.health));
  }
  const std::string expected = "health OK";
  const std::string remedy = "npu-smi info -t health -i N -c 0 tells the error code, and Huawei's list of them what to do; a fault that stays after a restart: replace the NPU";
  if (state.smi.chips.empty()) return {judging::failed_to_run(check, "npu-smi info tells of no NPU", "dmesg | grep -e ascend -e davinci")};
  if (ill.empty()) return {judging::passed(check, count_of(state.smi.chips.size(), "NPU") + " OK", expected)};
  if (warnings_only) return {judging::warned(check, human_list(ill), expected, remedy)};
  return {judging::broken(check, human_list(ill), expected, remedy)};
}

std::vector<CheckResult> judge_count(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = read_smi(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto on_bus = judging::count_of_vendor(expectation.facts, "ascend");
  const auto declared = judging::integer_option(expectation, "expect");
  std::vector<std::string> missing;
  for (const auto& gpu : expectation.facts.gpus) {
    if (gpu.vendor == "ascend" && std::ranges::find(state.smi.chips, gpu.slot, &AscendChip::slot) == state.smi.chips.end()) missing.push_back(gpu.slot);
  }
  // A 910C shows two chips on PCI for each NPU; all of them are in the table.
  const auto seen = static_cast<std::int64_t>(state.smi.chips.size());
  const auto wanted = declared.value_or(static_cast<std::int64_t>(on_bus));
  const auto told = fmt::format("{} in npu-smi, {} on PCI{}", seen, on_bus, missing.empty() ? "" : "; not in npu-smi: " + human_list(missing));
  const auto expected = fmt::format("{}{}", wanted, declared ? ", as declared" : ", as on PCI");
  if (seen == wanted && missing.empty()) return {judging::passed(check, told, expected)};
  return {judging::broken(check, told, expected, "dmesg | grep -e ascend -e davinci tells why the driver gave up on it; power the node off and on, then reseat or replace the NPU")};
}

// --- versions --------------------------------------------------------------------------------------

/// The numbers of a version: "23.0.rc3" -> 23, 0, -1, 3, so that a candidate comes before its release.
std::vector<std::int64_t> version_parts(std::string_view text) {
  std::vector<std::int64_t> parts;
  for (auto part : split(text, '.')) {
    const auto word = parsing::lower(part);
    if (word.starts_with("rc")) {
      parts.push_back(-1);
      parts.push_back(parsing::leading_int(word.substr(2)).value_or(0));
    } else {
      parts.push_back(parsing::leading_int(word).value_or(0));
    }
  }
  return parts;
}

/// "[7.0.0,7.1.99],[7.3.0,7.3.99]": ranges, both ends included. "[23.0.rc3,23.0.rc3.]": an end with a dot stands for
/// everything that begins so.
bool is_within(std::string_view version, std::string_view ranges) {
  const auto own = version_parts(version);
  std::size_t at = 0;
  while ((at = ranges.find('[', at)) != std::string_view::npos) {
    const auto close = ranges.find(']', at);
    if (close == std::string_view::npos) return false;
    const auto ends = split(ranges.substr(at + 1, close - at - 1), ',');
    at = close;
    if (ends.size() != 2) {
      if (ends.size() == 1 && version.starts_with(ends[0])) return true;
      continue;
    }
    const auto last = trim(ends[1]);
    if (last.ends_with('.')) {
      if (version == last.substr(0, last.size() - 1) || version.starts_with(last)) return true;
      continue;
    }
    if (version_parts(trim(ends[0])) <= own && own <= version_parts(last)) return true;
  }
  return false;
}

std::string field(const std::map<std::string, std::string>& file, const std::string& key) {
  const auto found = file.find(key);
  return found == file.end() ? std::string{} : found->second;
}

std::vector<CheckResult> judge_versions(const Check& check, const Observed& observed, const Expectation& expectation) {
  if (judging::count_of_vendor(expectation.facts, "ascend") == 0) return {judging::skipped(check, "no Ascend NPU here")};
  const auto runs = judging::read_tool_runs(observed);
  const std::string by_hand = "cat /usr/local/Ascend/driver/version.info /usr/local/Ascend/firmware/version.info";
  if (!runs) return {judging::failed_to_run(check, runs.error().what, by_hand)};
  const auto* driver_run = judging::find_run(*runs, "cat /usr/local/Ascend/driver/");
  const auto* firmware_run = judging::find_run(*runs, "cat /usr/local/Ascend/firmware/");
  if (driver_run == nullptr) return {judging::failed_to_run(check, "an Ascend NPU is there, but its driver is not installed: no /usr/local/Ascend/driver/version.info", "add component driver/ascend to the profile, then podwright apply")};
  if (firmware_run == nullptr) return {judging::skipped(check, "the firmware was not installed from this system: no /usr/local/Ascend/firmware/version.info")};
  const auto driver = parsing::parse_version_info(driver_run->text);
  const auto firmware = parsing::parse_version_info(firmware_run->text);
  if (!driver) return {judging::failed_to_run(check, "driver/version.info: " + driver.error().what, by_hand)};
  if (!firmware) return {judging::failed_to_run(check, "firmware/version.info: " + firmware.error().what, by_hand)};
  const auto& d = driver->begin()->second;
  const auto& f = firmware->begin()->second;
  const auto driver_version = field(d, "Version");
  const auto firmware_version = field(f, "Version");
  const auto told = fmt::format("driver {}, firmware {}", driver_version, firmware_version);
  const std::string remedy = "install driver and firmware of one release (components driver/ascend; Huawei's compatibility list), and restart the node";
  std::vector<std::string> faults;
  if (const auto ranges = field(d, "compatible_version_fw"); !ranges.empty() && !is_within(firmware_version, ranges)) faults.push_back("the driver wants firmware " + ranges);
  if (const auto ranges = field(f, "compatible_version_drv"); !ranges.empty() && !is_within(driver_version, ranges)) faults.push_back("the firmware wants a driver " + ranges);
  if (field(d, "compatible_version_fw").empty() && field(f, "compatible_version_drv").empty()) return {judging::skipped(check, told + ": neither says what it goes with")};
  const std::string expected = "driver and firmware that go with each other";
  if (!faults.empty()) return {judging::broken(check, fmt::format("{}: {}", told, join(faults, "; ")), expected, remedy)};
  return {judging::passed(check, told, expected)};
}

// --- the network of the NPUs -----------------------------------------------------------------------

struct NetworkState {
  std::map<std::int64_t, HccnDevice> devices{};
  std::optional<CheckResult> verdict{};
};

NetworkState read_network(const Check& check, const Observed& observed, const Expectation& expectation) {
  const std::string by_hand = "hccn_tool -i 0 -link -g";
  if (judging::count_of_vendor(expectation.facts, "ascend") == 0) return {.verdict = judging::skipped(check, "no Ascend NPU here")};
  const auto runs = judging::read_tool_runs(observed);
  if (!runs) return {.verdict = judging::failed_to_run(check, runs.error().what, by_hand)};
  const auto no_device = judging::failed_to_run(check, "an Ascend NPU is there, but no /dev/davinciN to ask", "lsmod | grep drv_davinci; dmesg | grep davinci");
  if (runs->empty()) return {.verdict = no_device};
  if (auto verdict = judging::without_tool(check, expectation, "ascend", "an Ascend NPU", &runs->front(), "hccn_tool")) return {.verdict = std::move(verdict)};
  NetworkState state;
  for (const auto& run : *runs) {
    if (run.exit_status == 124) {
      state.verdict = judging::failed_to_run(check, fmt::format("{} did not answer in time", run.command), "dmesg tells why the driver hangs");
      return state;
    }
    const auto number = parsing::leading_int(std::string_view(run.command).substr(std::min<std::size_t>(run.command.size(), 13)));
    if (!number) continue;
    const auto answer = parsing::parse_hccn(run.command + "\n" + run.text);
    if (!answer) return {.verdict = judging::failed_to_run(check, fmt::format("{} (exit status {}): {}", run.command, run.exit_status, answer.error().what), by_hand)};
    for (const auto& [id, one] : *answer) {
      auto& device = state.devices[id];
      if (!one.link.empty()) device.link = one.link;
      if (!one.net_health.empty()) device.net_health = one.net_health;
      if (!one.address.empty()) device.address = one.address;
      device.statistics.insert(one.statistics.begin(), one.statistics.end());
      device.optical.insert(one.optical.begin(), one.optical.end());
    }
  }
  if (state.devices.empty()) state.verdict = no_device;
  return state;
}

using DeviceFault = std::optional<std::string> (*)(const HccnDevice&);

std::vector<CheckResult> judge_network(const Check& check, const Observed& observed, const Expectation& expectation, DeviceFault fault, std::string expected, std::string remedy) {
  const auto state = read_network(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  std::vector<std::string> faults;
  std::size_t told = 0;
  for (const auto& [number, device] : state.devices) {
    const auto text = fault(device);
    if (!text) continue;
    ++told;
    if (!text->empty()) faults.push_back(fmt::format("NPU {}: {}", number, *text));
  }
  if (told == 0) return {judging::failed_to_run(check, "hccn_tool tells nothing of it for any NPU", "run it by hand: hccn_tool -i 0 -link -g")};
  if (!faults.empty()) return {judging::broken(check, human_list(faults), std::move(expected), std::move(remedy))};
  return {judging::passed(check, fmt::format("{} of {}", told, count_of(state.devices.size(), "NPU")), std::move(expected))};
}

std::optional<std::string> fault_of_link(const HccnDevice& device) {
  if (device.link.empty()) return {};
  return device.link == "UP" ? std::string{} : "link " + device.link;
}

std::optional<std::string> fault_of_net(const HccnDevice& device) {
  if (device.net_health.empty()) return {};
  return device.net_health == "Success" ? std::string{} : device.net_health;
}

std::optional<std::string> fault_of_address(const HccnDevice& device) {
  return device.address.empty() ? std::string("no address is set") : std::string{};
}

/// Errors and packets that were thrown away; counts of good ones, pause frames and so on are not judged.
std::optional<std::string> fault_of_counters(const HccnDevice& device) {
  if (device.statistics.empty()) return {};
  std::vector<std::string> found;
  for (const auto& [name, count] : device.statistics) {
    const bool bad = name.find("err") != std::string::npos || name.find("bad") != std::string::npos || name.find("_fcs_") != std::string::npos;
    if (bad && count > 0) found.push_back(fmt::format("{} {}", name, count));
  }
  return found.empty() ? std::string{} : human_list(found, 4);
}

std::optional<double> optical(const HccnDevice& device, const std::string& key) {
  const auto found = device.optical.find(key);
  return found == device.optical.end() ? std::nullopt : parsing::leading_number(found->second);
}

std::optional<std::string> fault_of_optics(const HccnDevice& device) {
  if (device.optical.empty()) return {};
  const auto present = device.optical.find("present");
  if (present != device.optical.end() && present->second == "not present") return std::string("no transceiver");
  std::vector<std::string> found;
  const auto within = [&](const std::string& what, const std::string& low, const std::string& high, std::string_view unit) {
    const auto value = optical(device, what);
    const auto least = optical(device, low);
    const auto most = optical(device, high);
    if (!value) return;
    if (least && *value < *least) found.push_back(fmt::format("{} {:g} {} is below {:g}", what, *value, unit, *least));
    if (most && *value > *most) found.push_back(fmt::format("{} {:g} {} is above {:g}", what, *value, unit, *most));
  };
  within("temperature", "Temp Low Thres", "Temp High Thres", "°C");
  within("Vcc", "Vcc Low Thres", "Vcc High Thres", "mV");
  for (int lane = 0; lane < 8; ++lane) {
    within(fmt::format("Tx Power{}", lane), "TxPower Low Thres", "TxPower High Thres", "mW");
    within(fmt::format("Rx Power{}", lane), "RxPower Low Thres", "RxPower High Thres", "mW");
  }
  return found.empty() ? std::string{} : human_list(found, 4);
}

Check of(std::string_view id, std::string_view summary, Severity severity, std::string_view source, std::string_view probe, std::string_view reads, std::chrono::seconds deadline,
         decltype(Check::judge) judge, std::vector<Field> options = {}) {
  return {.id = id, .summary = summary, .severity = severity, .source = source, .options = std::move(options), .needs = {"gpus"}, .hardware = "ascend",
          .probe = probe, .deadline = deadline, .reads = reads, .judge = judge};
}

constexpr std::chrono::seconds quick{30};
constexpr std::chrono::seconds slow{180};
constexpr std::string_view mind_cluster = "Ascend/mind-cluster (ascend-faultdiag); hccn_tool reference";

const Registered health{of("npu.health", "Ascend NPUs report that they are well", Severity::fatal, "Ascend/mind-cluster; npu-smi reference", smi_probe(), "npu-smi-info", quick, judge_health)};
const Registered count{of("npu.count", "The driver serves every Ascend NPU that is on PCI, or as many as declared", Severity::fatal, "Ascend/mind-cluster", smi_probe(), "npu-smi-info", quick, judge_count,
                          {{.name = "expect", .type = FieldType::integer, .doc = "how many NPUs"}})};
const Registered versions{of("npu.versions", "Ascend's driver and firmware go with each other", Severity::fatal, "Ascend/mind-cluster; compatible_version_fw and compatible_version_drv of version.info", version_probe(),
                             "ascend-version-info", quick, judge_versions)};
const Registered link{of("npu.link", "The network port of every Ascend NPU is up", Severity::fatal, mind_cluster, network_probe(), "hccn-tool", slow,
                         [](const Check& check, const Observed& observed, const Expectation& expectation) {
                           return judge_network(check, observed, expectation, fault_of_link, "link UP", "see to the cable and the switch port; hccn_tool -i N -link_stat -g tells when it went down");
                         })};
const Registered net{of("npu.net", "Every Ascend NPU reaches the address that it watches", Severity::fatal, mind_cluster, network_probe(), "hccn-tool", slow,
                        [](const Check& check, const Observed& observed, const Expectation& expectation) {
                          return judge_network(check, observed, expectation, fault_of_net, "net health Success", "hccn_tool -i N -netdetect -g tells the address that it pings; see to the gateway, the switch port and the routes");
                        })};
const Registered optics{of("npu.optical", "The transceivers of Ascend NPUs are within their limits", Severity::warning, "the limits that the transceiver tells of itself", network_probe(), "hccn-tool", slow,
                           [](const Check& check, const Observed& observed, const Expectation& expectation) {
                             return judge_network(check, observed, expectation, fault_of_optics, "powers, voltage and temperature within the transceiver's limits", "clean the fibre and its ends, reseat the transceiver, then replace it");
                           })};
const Registered counters{of("npu.stat", "The network ports of Ascend NPUs count no errors", Severity::warning, mind_cluster, network_probe(), "hccn-tool", slow,
                             [](const Check& check, const Observed& observed, const Expectation& expectation) {
                               return judge_network(check, observed, expectation, fault_of_counters, "0 errors", "see to the cable and the transceiver; hccn_tool -i N -stat -g again tells whether it goes on counting");
                             })};
const Registered address{of("npu.ip", "Every Ascend NPU has an address for its network", Severity::fatal, mind_cluster, network_probe(), "hccn-tool", slow,
                            [](const Check& check, const Observed& observed, const Expectation& expectation) {
                              return judge_network(check, observed, expectation, fault_of_address, "an address on every NPU", "hccn_tool -i N -ip -s address A netmask M; /etc/hccn.conf keeps it");
                            })};

}  // namespace

}  // namespace podwright
