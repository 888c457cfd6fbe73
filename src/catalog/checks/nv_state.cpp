// nv.count, nv.throttle, nv.temp, nv.persistence, nv.mig, nv.driver, nv.vbios, nv.appclocks, nv.procs and
// svc.fabricmanager: what else `nvidia-smi -q` tells.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "catalog/checks/nvidia_checks.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright {

namespace {

using judging::NvidiaState;
using parsing::NvidiaGpu;

CheckResult verdict(const Check& check, const NvidiaState& state, const std::vector<std::string>& faults, std::string good, std::string expected, std::string remedy) {
  if (!faults.empty()) return judging::broken(check, human_list(faults), std::move(expected), std::move(remedy));
  return judging::passed(check, good.empty() ? judging::named(state.smi) : std::move(good), std::move(expected));
}

/// The GPUs on PCI that the driver does not tell of, and those that fell off the bus.
std::vector<CheckResult> judge_count(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto declared = judging::integer_option(expectation, "expect");
  const auto on_bus = static_cast<std::int64_t>(judging::count_of_vendor(expectation.facts, "nvidia"));
  if (on_bus == 0 && declared.value_or(0) > 0) {
    return {judging::broken(check, "none on PCI", count_of(static_cast<std::size_t>(*declared), "GPU"), "power the node off and on; then reseat or replace the GPUs")};
  }
  const auto state = judging::read_nvidia(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  std::vector<std::string> faults;
  for (const auto& gpu : expectation.facts.gpus) {
    if (gpu.vendor != "nvidia") continue;
    const bool served = std::ranges::find(state.smi.gpus, gpu.slot, &NvidiaGpu::slot) != state.smi.gpus.end();
    if (!served) faults.push_back(fmt::format("{} ({}) is on PCI, but not in nvidia-smi", gpu.slot, gpu.model));
  }
  for (const auto& complaint : state.smi.complaints) faults.push_back(complaint);
  for (auto& lost : judging::faults_of(state.smi, [](const NvidiaGpu& gpu) { return gpu.unreadable.empty() ? std::string{} : human_list(gpu.unreadable, 2); })) faults.push_back(std::move(lost));
  const auto seen = static_cast<std::int64_t>(state.smi.gpus.size());
  if (state.smi.attached > seen) faults.push_back(fmt::format("nvidia-smi counts {} GPUs and tells of {}", state.smi.attached, seen));
  if (declared && seen != *declared) faults.push_back(fmt::format("{} of {} are there", seen, *declared));
  return {verdict(check, state, faults, {}, declared ? fmt::format("{} GPUs, as declared and on PCI", *declared) : fmt::format("{} GPUs, as on PCI", on_bus),
                  "dmesg | grep -e Xid -e NVRM names the reason (79: off the bus); power the node off and on, then reseat or replace the GPU")};
}

std::vector<CheckResult> judge_throttle(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = judging::read_nvidia(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto slowed = [](const NvidiaGpu& gpu, bool by_hardware) {
    std::vector<std::string> reasons;
    for (const auto& reason : gpu.slowdowns) {
      // A power cap and application clocks are how a GPU is meant to run under load.
      if (reason.starts_with("HW ") == by_hardware && (by_hardware || reason == "SW Thermal Slowdown")) reasons.push_back(reason);
    }
    return reasons.empty() ? std::string{} : human_list(reasons);
  };
  const auto hard = judging::faults_of(state.smi, [&](const NvidiaGpu& gpu) { return slowed(gpu, true); });
  const auto soft = judging::faults_of(state.smi, [&](const NvidiaGpu& gpu) { return slowed(gpu, false); });
  const std::string expected = "no slowdown by hardware or heat";
  const std::string remedy = "power brake: see to power supplies, cables and the rack's power; thermal: see to fans, air flow and inlet temperature";
  if (hard.empty() && !soft.empty()) return {judging::warned(check, human_list(soft), expected, remedy)};
  return {verdict(check, state, hard, {}, expected, remedy)};
}

std::vector<CheckResult> judge_temperature(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = judging::read_nvidia(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto least = judging::number_option(expectation, "min_margin_c").value_or(5);
  double nearest = 1000;
  std::size_t told = 0;
  const auto faults = judging::faults_of(state.smi, [&](const NvidiaGpu& gpu) -> std::string {
    std::vector<std::string> hot;
    const auto look = [&](std::string_view what, std::optional<double> now, std::optional<double> limit) {
      if (!now || !limit) return;
      ++told;
      nearest = std::min(nearest, *limit - *now);
      if (*limit - *now < least) hot.push_back(fmt::format("{} {:g} °C, its limit is {:g}", what, *now, *limit));
    };
    // Since Hopper the driver tells the distance itself.
    if (gpu.margin_c) {
      ++told;
      nearest = std::min(nearest, *gpu.margin_c);
      if (*gpu.margin_c < least) hot.push_back(fmt::format("{:g} °C from its limit", *gpu.margin_c));
    } else {
      look("GPU", gpu.temperature_c, gpu.slowdown_at_c);
    }
    // "Memory Max Operating T.Limit Temp" is a distance, told with the others.
    if (gpu.memory_max_c.value_or(0) > 0) look("memory", gpu.memory_c, gpu.memory_max_c);
    return hot.empty() ? std::string{} : human_list(hot);
  });
  if (told == 0) return {judging::skipped(check, "the driver tells no temperatures of these GPUs")};
  return {verdict(check, state, faults, fmt::format("at least {:g} °C from slowing down", nearest), fmt::format("{:g} °C or more from slowing down", least),
                  "see to fans, air flow and inlet temperature; a single hot GPU: its heat sink")};
}

std::vector<CheckResult> judge_persistence(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = judging::read_nvidia(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto wanted = judging::text_option(expectation, "mode").value_or("Enabled") == "Enabled";
  const auto faults = judging::faults_of(state.smi, [&](const NvidiaGpu& gpu) -> std::string {
    return gpu.persistence && *gpu.persistence != wanted ? fmt::format("persistence is {}", *gpu.persistence ? "on" : "off") : "";
  });
  return {verdict(check, state, faults, {}, wanted ? "persistence on" : "persistence off",
                  "systemctl enable --now nvidia-persistenced (component driver/nvidia-persistence); without it the driver forgets its state when the last program ends")};
}

std::vector<CheckResult> judge_mig(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = judging::read_nvidia(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  if (std::ranges::all_of(state.smi.gpus, [](const NvidiaGpu& gpu) { return gpu.mig_mode.empty(); })) return {judging::skipped(check, "these GPUs cannot be divided (MIG)")};
  const auto wanted = judging::text_option(expectation, "mode").value_or("Disabled");
  const auto devices = judging::integer_option(expectation, "devices");
  const auto faults = judging::faults_of(state.smi, [&](const NvidiaGpu& gpu) -> std::string {
    if (gpu.mig_mode != wanted) return fmt::format("MIG is {}{}", gpu.mig_mode, gpu.mig_pending == wanted ? ", and will change when it is reset" : "");
    if (gpu.mig_pending != wanted) return fmt::format("MIG will be {} when it is reset", gpu.mig_pending);
    if (devices && static_cast<std::int64_t>(gpu.mig_devices) != *devices) return fmt::format("{} MIG devices", gpu.mig_devices);
    return {};
  });
  return {verdict(check, state, faults, {}, fmt::format("MIG {}", wanted) + (devices ? fmt::format(", {} devices each", *devices) : ""),
                  "nvidia-smi -mig 0 (or 1) on an idle node, then nvidia-smi --gpu-reset, or reboot")};
}

std::vector<CheckResult> judge_driver(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = judging::read_nvidia(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  if (state.smi.driver.empty()) {
    return {judging::failed_to_run(check, "nvidia-smi does not tell the driver's version", "nvidia-smi -q")};
  }
  const auto wanted = judging::text_option(expectation, "version");
  if (!wanted) return {judging::passed(check, state.smi.driver, "nothing is declared: [[check]] id = \"nv.driver\", version = \"570\"")};
  const bool right = state.smi.driver == *wanted || state.smi.driver.starts_with(*wanted + ".");
  if (right) return {judging::passed(check, state.smi.driver, *wanted)};
  return {judging::broken(check, state.smi.driver, *wanted, "podwright plan shows what the profile would install; a driver that was updated runs after a reboot")};
}

std::vector<CheckResult> judge_vbios(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = judging::read_nvidia(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto wanted = judging::text_option(expectation, "version");
  std::map<std::string, std::set<std::string>> by_model;
  for (const auto& gpu : state.smi.gpus) by_model[gpu.name].insert(gpu.vbios);
  std::vector<std::string> faults;
  std::vector<std::string> seen;
  for (const auto& [model, versions] : by_model) {
    const auto all = human_list({versions.begin(), versions.end()});
    seen.push_back(all);
    if (versions.size() > 1) faults.push_back(fmt::format("{} run {}", model, all));
    else if (wanted && *versions.begin() != *wanted) faults.push_back(fmt::format("{} run {}", model, all));
  }
  return {verdict(check, state, faults, join(seen, ", "), wanted ? *wanted : "one VBIOS for all GPUs of a model",
                  "bring them to one version with the system vendor's firmware bundle (nvfwupd), and power the node off and on")};
}

std::vector<CheckResult> judge_clocks(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = judging::read_nvidia(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  if (std::ranges::none_of(state.smi.gpus, [](const NvidiaGpu& gpu) { return gpu.application_graphics_mhz.has_value(); })) {
    return {judging::skipped(check, "this driver has no application clocks any more, or these GPUs have none")};
  }
  const auto graphics = judging::integer_option(expectation, "graphics_mhz");
  const auto memory = judging::integer_option(expectation, "memory_mhz");
  const auto faults = judging::faults_of(state.smi, [&](const NvidiaGpu& gpu) -> std::string {
    const auto differs = [](std::string_view what, std::optional<std::int64_t> now, std::optional<std::int64_t> right) {
      return now && right && *now != *right ? fmt::format("{} {} MHz instead of {}", what, *now, *right) : std::string{};
    };
    const auto one = differs("graphics", gpu.application_graphics_mhz, graphics ? graphics : gpu.default_graphics_mhz);
    const auto other = differs("memory", gpu.application_memory_mhz, memory ? memory : gpu.default_memory_mhz);
    return one + (one.empty() || other.empty() ? "" : ", ") + other;
  });
  return {verdict(check, state, faults, {}, graphics || memory ? "application clocks as declared" : "the default application clocks", "nvidia-smi -rac sets the default ones again; nvidia-smi -ac MEMORY,GRAPHICS others")};
}

std::vector<CheckResult> judge_processes(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = judging::read_nvidia(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto allowed = judging::list_option(expectation, "allow");
  const auto faults = judging::faults_of(state.smi, [&](const NvidiaGpu& gpu) -> std::string {
    std::vector<std::string> stray;
    for (const auto& process : gpu.processes) {
      if (process.type.find('C') == std::string::npos) continue;  // "G": a display server
      if (std::ranges::any_of(allowed, [&](const auto& name) { return process.name.find(name) != std::string::npos; })) continue;
      stray.push_back(fmt::format("{} (pid {})", clean_output(process.name.substr(0, 80)), process.pid));
    }
    return stray.empty() ? std::string{} : human_list(stray, 3);
  });
  return {verdict(check, state, faults, "none", "no programs on the GPUs of a node without a job",
                  "a job that is running? then all is well; else ps -o user,lstart,cmd -p PID tells whose it is, and Slurm's epilog should have ended it")};
}

std::vector<CheckResult> judge_fabric(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = judging::read_nvidia(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  if (std::ranges::all_of(state.smi.gpus, [](const NvidiaGpu& gpu) { return gpu.fabric_state.empty(); })) {
    return {judging::skipped(check, "these GPUs are on no NVSwitch, or the driver does not tell of it")};
  }
  const auto faults = judging::faults_of(state.smi, [](const NvidiaGpu& gpu) -> std::string {
    if (gpu.fabric_state.empty()) return "has no part in the fabric";
    if (gpu.fabric_state == "Completed" && (gpu.fabric_status.empty() || gpu.fabric_status == "Success")) return {};
    return fmt::format("fabric {}{}{}", gpu.fabric_state, gpu.fabric_status.empty() ? "" : ", ", gpu.fabric_status);
  });
  return {verdict(check, state, faults, "Completed, Success", "every GPU is registered with the fabric (Completed, Success)",
                  "systemctl status nvidia-fabricmanager; /var/log/fabricmanager.log; its version must be the driver's exactly (component driver/nvidia-fabric-manager); on B200 and later nvlsm, too")};
}

Check of(std::string_view id, std::string_view summary, Severity severity, std::string_view source, std::vector<Field> options, decltype(Check::judge) judge) {
  return {.id = id, .summary = summary, .severity = severity, .source = source, .options = std::move(options), .needs = {"gpus"}, .hardware = "nvidia",
          .probe = judging::nvidia_smi_probe(), .deadline = judging::nvidia_smi_deadline, .reads = judging::nvidia_smi_reads, .judge = judge};
}

const Registered count{of("nv.count", "The driver serves every NVIDIA GPU that is on PCI, or as many as declared", Severity::fatal, "Azure NHC (check_gpu_count); Xid 79",
                          {{.name = "expect", .type = FieldType::integer, .doc = "how many GPUs"}}, judge_count)};
const Registered throttle{of("nv.throttle", "No NVIDIA GPU is slowed down by its hardware or by heat", Severity::fatal, "leptonai/gpud (hw-slowdown); nvidia-smi(1), clocks event reasons", {}, judge_throttle)};
const Registered temperature{of("nv.temp", "NVIDIA GPUs are well below the temperature at which they slow down", Severity::warning, "leptonai/gpud (temperature); 5 °C is our own",
                                {{.name = "min_margin_c", .type = FieldType::number, .doc = "degrees below the limit; default 5"}}, judge_temperature)};
const Registered persistence{of("nv.persistence", "NVIDIA's driver stays loaded when no program uses a GPU", Severity::warning, "OCI oci-dr-hpc; NVIDIA driver persistence",
                                {{.name = "mode", .type = FieldType::text, .doc = "Enabled (default) or Disabled"}}, judge_persistence)};
const Registered mig{of("nv.mig", "NVIDIA GPUs are divided (MIG) as declared: by default they are not", Severity::warning, "NVIDIA MIG user guide",
                        {{.name = "mode", .type = FieldType::text, .doc = "Disabled (default) or Enabled"},
                         {.name = "devices", .type = FieldType::integer, .doc = "MIG devices of each GPU"}}, judge_mig)};
const Registered driver{of("nv.driver", "NVIDIA's driver is of the declared version", Severity::warning, "Azure NHC",
                           {{.name = "version", .type = FieldType::text, .doc = "\"570\" for the branch, \"570.124.06\" for the release"}}, judge_driver)};
const Registered vbios{of("nv.vbios", "NVIDIA GPUs of a model have one VBIOS", Severity::warning, "imbue cluster-health",
                          {{.name = "version", .type = FieldType::text, .doc = "the right one"}}, judge_vbios)};
const Registered clocks{of("nv.appclocks", "NVIDIA GPUs have their default application clocks, or those declared", Severity::warning, "facebookresearch/gcm (app clocks)",
                           {{.name = "graphics_mhz", .type = FieldType::integer, .doc = "application clock of graphics and SMs"},
                            {.name = "memory_mhz", .type = FieldType::integer, .doc = "application clock of memory"}}, judge_clocks)};
const Registered processes{of("nv.procs", "No stray programs run on NVIDIA GPUs", Severity::warning, "facebookresearch/gcm (running processes)",
                              {{.name = "allow", .type = FieldType::list, .doc = "parts of names of programs that may run"}}, judge_processes)};
const Registered fabric{of("svc.fabricmanager", "NVIDIA GPUs on NVSwitches are registered with the fabric", Severity::fatal, "imbue cluster-health; NVIDIA Fabric Manager user guide", {}, judge_fabric)};

}  // namespace

}  // namespace podwright
