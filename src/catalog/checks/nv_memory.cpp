// nv.ecc, nv.remap, nv.retired: the memory of NVIDIA GPUs.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/nvidia_checks.hpp"

namespace podwright {

namespace {

using parsing::NvidiaGpu;

std::string lower_mode(std::string_view mode) { return mode == "Enabled" ? "on" : mode == "Disabled" ? "off" : std::string(mode); }

CheckResult verdict(const Check& check, const parsing::NvidiaSmi& smi, const judging::GpuFault& fatal, const judging::GpuFault& minor, std::string expected,
                    std::string remedy) {
  auto faults = judging::faults_of(smi, fatal);
  const auto notes = judging::faults_of(smi, minor);
  if (!faults.empty()) {
    faults.insert(faults.end(), notes.begin(), notes.end());
    return judging::broken(check, human_list(faults), std::move(expected), std::move(remedy));
  }
  if (!notes.empty()) return judging::warned(check, human_list(notes), std::move(expected), std::move(remedy));
  return judging::passed(check, judging::named(smi), std::move(expected));
}

std::vector<CheckResult> judge_ecc(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = judging::read_nvidia(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto mode = judging::text_option(expectation, "mode").value_or("Enabled");
  const auto most = judging::integer_option(expectation, "max_corrected").value_or(1000);
  const auto fatal = [&](const NvidiaGpu& gpu) -> std::string {
    // Cards for desktops have no ECC; nvidia-smi leaves the mode out.
    if (!gpu.ecc_mode.empty() && gpu.ecc_mode != mode) return fmt::format("ECC is {}{}", lower_mode(gpu.ecc_mode), gpu.ecc_pending == mode ? " until it is reset" : "");
    if (gpu.uncorrected_volatile.value_or(0) > 0) return fmt::format("{} uncorrected since the driver was loaded", count_of(static_cast<std::size_t>(*gpu.uncorrected_volatile), "error"));
    if (gpu.sram_threshold_exceeded.value_or(false)) return "SRAM errors are beyond NVIDIA's threshold for replacement";
    if (gpu.unrepairable_memory.value_or(false)) return "memory that cannot be repaired";
    return {};
  };
  const auto minor = [&](const NvidiaGpu& gpu) -> std::string {
    if (gpu.channel_repair_pending.value_or(false) || gpu.tpc_repair_pending.value_or(false)) return "a repair is pending until it is reset";
    if (gpu.corrected_volatile.value_or(0) > most) return fmt::format("{} corrected errors since the driver was loaded", *gpu.corrected_volatile);
    return {};
  };
  return {verdict(check, state.smi, fatal, minor, fmt::format("ECC {}, no uncorrected errors, at most {} corrected", lower_mode(mode), most),
                  "ECC off: nvidia-smi -e 1, then reset the GPU. Errors: drain the node, nvidia-smi --gpu-reset -i GPU (rows are remapped by it), dcgmi "
                  "diag -r 3; replace the GPU when they come back")};
}

std::vector<CheckResult> judge_remap(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = judging::read_nvidia(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto& gpus = state.smi.gpus;
  if (std::ranges::none_of(gpus, [](const NvidiaGpu& gpu) { return gpu.remap_pending.has_value(); })) {
    return {judging::skipped(check, "these GPUs do not remap rows (before Ampere they retire pages: nv.retired), or MIG hides it")};
  }
  const auto most = judging::integer_option(expectation, "max_uncorrectable").value_or(8);
  const auto fatal = [&](const NvidiaGpu& gpu) -> std::string {
    if (gpu.remap_failed.value_or(false)) return "a row could not be remapped: replace the GPU";
    if (gpu.remap_pending.value_or(false)) return "a remapping is pending until it is reset";
    if (gpu.remapped_uncorrectable.value_or(0) > most) return fmt::format("{} rows remapped after uncorrectable errors", *gpu.remapped_uncorrectable);
    return {};
  };
  const auto minor = [](const NvidiaGpu& gpu) -> std::string {
    return gpu.remapped_uncorrectable.value_or(0) > 0 ? fmt::format("{} remapped after uncorrectable errors, done", count_of(static_cast<std::size_t>(*gpu.remapped_uncorrectable), "row")) : "";
  };
  return {verdict(check, state.smi, fatal, minor, "no remapping of rows that is pending or failed",
                  "pending: drain the node, then nvidia-smi --gpu-reset -i GPU, or reboot. Failed: replace the GPU. Done before: run dcgmi diag -r 3 and watch nv.xid for 48 and 64")};
}

std::vector<CheckResult> judge_retired(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = judging::read_nvidia(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto& gpus = state.smi.gpus;
  if (std::ranges::none_of(gpus, [](const NvidiaGpu& gpu) { return gpu.retirement_pending || gpu.retired_double_bit; })) {
    return {judging::skipped(check, "these GPUs do not retire pages: they remap rows (nv.remap)")};
  }
  const auto most = judging::integer_option(expectation, "max_pages").value_or(60);
  const auto fatal = [&](const NvidiaGpu& gpu) -> std::string {
    if (gpu.retirement_pending.value_or(false)) return "a page is to be retired when it is reset";
    const auto pages = gpu.retired_single_bit.value_or(0) + gpu.retired_double_bit.value_or(0);
    return pages >= most ? fmt::format("{} pages are retired", pages) : std::string{};
  };
  const auto minor = [](const NvidiaGpu& gpu) -> std::string {
    return gpu.retired_double_bit.value_or(0) > 0 ? fmt::format("{} retired after double bit errors", count_of(static_cast<std::size_t>(*gpu.retired_double_bit), "page")) : "";
  };
  return {verdict(check, state.smi, fatal, minor, fmt::format("no page waits for retirement, fewer than {} are retired", most),
                  "pending: drain the node, then nvidia-smi --gpu-reset -i GPU, or reboot. Too many: replace the GPU")};
}

const Registered ecc{Check{
    .id = "nv.ecc",
    .summary = "NVIDIA GPUs: ECC is on, and memory has no uncorrected errors",
    .severity = Severity::fatal,
    .source = "Azure NHC (check_gpu_ecc), OCI oci-dr-hpc; NVIDIA GPU memory error management",
    .options = {{.name = "mode", .type = FieldType::text, .doc = "Enabled (default) or Disabled"},
                {.name = "max_corrected", .type = FieldType::integer, .doc = "more corrected errors since the driver was loaded than this warn; default 1000"}},
    .needs = {"gpus"},
    .hardware = "nvidia",
    .probe = judging::nvidia_smi_probe(),
    .deadline = judging::nvidia_smi_deadline,
    .reads = judging::nvidia_smi_reads,
    .judge = judge_ecc}};

const Registered remap{Check{
    .id = "nv.remap",
    .summary = "NVIDIA GPUs: no remapping of memory rows is pending or failed",
    .severity = Severity::fatal,
    .source = "Azure NHC, OCI oci-dr-hpc; NVIDIA GPU memory error management: eight uncorrectable remappings of a bank qualify for replacement",
    .options = {{.name = "max_uncorrectable", .type = FieldType::integer, .doc = "more rows remapped after uncorrectable errors than this fail; default 8"}},
    .needs = {"gpus"},
    .hardware = "nvidia",
    .probe = judging::nvidia_smi_probe(),
    .deadline = judging::nvidia_smi_deadline,
    .reads = judging::nvidia_smi_reads,
    .judge = judge_remap}};

const Registered retired{Check{
    .id = "nv.retired",
    .summary = "NVIDIA GPUs before Ampere: no page waits for retirement, and few are retired",
    .severity = Severity::fatal,
    .source = "NVIDIA Dynamic Page Retirement: 60 pages qualify for replacement",
    .options = {{.name = "max_pages", .type = FieldType::integer, .doc = "as many retired pages fail; default 60"}},
    .needs = {"gpus"},
    .hardware = "nvidia",
    .probe = judging::nvidia_smi_probe(),
    .deadline = judging::nvidia_smi_deadline,
    .reads = judging::nvidia_smi_reads,
    .judge = judge_retired}};

}  // namespace

}  // namespace podwright
