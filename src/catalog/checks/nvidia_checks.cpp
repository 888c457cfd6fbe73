#include "catalog/checks/nvidia_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"

namespace podwright::judging {

const std::string& nvidia_smi_probe() {
  static const std::string probe = tool_probe("seconds=50\nrun nvidia-smi -q");
  return probe;
}

NvidiaState read_nvidia(const Check& check, const Observed& observed, const Expectation& expectation) {
  const std::string remedy = "nvidia-smi -q on the node; dmesg | grep -e NVRM tells why the driver does not serve the GPUs";
  const auto runs = read_tool_runs(observed);
  const auto* run = runs ? find_run(*runs, "nvidia-smi -q") : nullptr;
  if (count_of_vendor(expectation.facts, "nvidia") > 0 && !runs) return {.verdict = failed_to_run(check, runs.error().what, remedy)};
  if (auto verdict = without_tool(check, expectation, "nvidia", "an NVIDIA GPU", run, "nvidia-smi")) return {.verdict = std::move(verdict)};
  auto smi = parsing::parse_nvidia_smi_q(run->text);
  if (!smi) return {.verdict = failed_to_run(check, fmt::format("nvidia-smi (exit status {}): {}", run->exit_status, smi.error().what), remedy)};
  if (smi->gpus.empty()) {
    return {.verdict = failed_to_run(check, fmt::format("nvidia-smi tells of no GPU (exit status {}): {}", run->exit_status, first_line_of(*run)), remedy)};
  }
  return {.smi = std::move(*smi)};
}

std::vector<std::string> faults_of(const parsing::NvidiaSmi& smi, const GpuFault& fault) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < smi.gpus.size(); ++i) {
    const auto& gpu = smi.gpus[i];
    if (auto text = fault(gpu); !text.empty()) all.push_back(fmt::format("GPU {} ({}): {}", i, gpu.slot, text));
  }
  return all;
}

std::string named(const parsing::NvidiaSmi& smi) {
  std::map<std::string, std::size_t> models;
  for (const auto& gpu : smi.gpus) ++models[gpu.name.empty() ? "GPU" : gpu.name];
  std::vector<std::string> parts;
  for (const auto& [model, count] : models) parts.push_back(fmt::format("{} × {}", count, model));
  return join(parts, ", ");
}

}  // namespace podwright::judging
