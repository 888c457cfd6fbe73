/// What the checks of NVIDIA GPUs share: one run of nvidia-smi for all of them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "catalog/checks/tool_output.hpp"
#include "catalog/parsers/nvidia_smi.hpp"

namespace podwright::judging {

/// The probe of all checks that read `nvidia-smi -q`, and its name.
const std::string& nvidia_smi_probe();
constexpr std::string_view nvidia_smi_reads = "nvidia-smi-q";
constexpr std::chrono::seconds nvidia_smi_deadline{60};

/// What nvidia-smi says of the GPUs; or the verdict: skip without GPUs, error without an answer.
struct NvidiaState {
  parsing::NvidiaSmi smi{};
  std::optional<CheckResult> verdict{};
};
NvidiaState read_nvidia(const Check& check, const Observed& observed, const Expectation& expectation);

/// What is wrong with a GPU, or an empty text.
using GpuFault = std::function<std::string(const parsing::NvidiaGpu&)>;
/// "GPU 3 (0000:9b:00.0): …; …" for each GPU with a fault.
std::vector<std::string> faults_of(const parsing::NvidiaSmi& smi, const GpuFault& fault);

/// "8 × NVIDIA H100 80GB HBM3"
std::string named(const parsing::NvidiaSmi& smi);

}  // namespace podwright::judging
