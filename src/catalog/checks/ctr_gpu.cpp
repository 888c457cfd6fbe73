// ctr.gpu: what a container would get.
#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/checks/tool_output.hpp"

namespace podwright {

namespace {

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

const Registered container{Check{.id = "ctr.gpu", .summary = "Containers get every NVIDIA GPU", .severity = Severity::fatal, .source = "imbue cluster-health; NVIDIA container toolkit",
                                 .needs = {"gpus"}, .hardware = "nvidia", .probe = container_script, .deadline = std::chrono::seconds(40), .judge = judge_container}};

}  // namespace

}  // namespace podwright
