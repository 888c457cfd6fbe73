// gdr.peermem: RDMA to and from the memory of GPUs.
#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/checks/tool_output.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright {

namespace {

constexpr std::string_view peermem_script = R"sh(
for m in nvidia_peermem nv_peer_mem; do [ ! -d "/sys/module/$m" ] || printf 'module=%s\n' "$m"; done

if [ -r /proc/driver/nvidia/version ]; then
  while IFS= read -r l; do case $l in *'Open Kernel Module'*) echo flavour=open ;; *'Kernel Module'*) echo flavour=closed ;; esac; done </proc/driver/nvidia/version
fi
read -r release </proc/sys/kernel/osrelease && printf 'kernel=%s\n' "$release"
echo end
)sh";

std::vector<CheckResult> judge_peermem(const Check& check, const Observed& observed, const Expectation& expectation) {
  if (judging::count_of_vendor(expectation.facts, "nvidia") == 0) return {judging::skipped(check, "no NVIDIA GPU here")};
  if (expectation.facts.hcas.empty()) return {judging::skipped(check, "no RDMA port here")};
  const auto pairs = judging::read_pairs(observed);
  if (!pairs) return {judging::failed_to_run(check, pairs.error().what, "lsmod | grep peer")};
  const std::string expected = "nvidia_peermem loaded, or dma-buf (the open kernel modules, and Linux 5.12 or later)";
  if (const auto* module = judging::find_pair(*pairs, "module")) return {judging::passed(check, *module, expected)};
  const auto* flavour = judging::find_pair(*pairs, "flavour");
  const auto* kernel = judging::find_pair(*pairs, "kernel");
  const auto numbers = kernel == nullptr ? std::vector<std::string_view>{} : split(*kernel, '.');
  const auto major = numbers.size() > 1 ? to_int(numbers[0]) : std::nullopt;
  const auto minor = numbers.size() > 1 ? parsing::leading_int(numbers[1]) : std::nullopt;
  const bool new_enough = major && minor && (*major > 5 || (*major == 5 && *minor >= 12));
  if (flavour != nullptr && *flavour == "open" && new_enough) return {judging::passed(check, "dma-buf: the open kernel modules on Linux " + *kernel, expected)};
  return {judging::broken(check, fmt::format("no peer memory module; {} kernel modules", flavour == nullptr ? "the driver is not loaded, no" : *flavour), expected,
                          "modprobe nvidia_peermem (component driver/nvidia-peermem); without it NCCL copies through the host's memory")};
}

const Registered peermem{Check{.id = "gdr.peermem", .summary = "RDMA reaches the memory of NVIDIA GPUs directly", .severity = Severity::fatal, .source = "imbue cluster-health; OCI oci-dr-hpc (peermem_module_check)",
                               .needs = {"gpus", "hcas"}, .hardware = "nvidia", .probe = peermem_script, .judge = judge_peermem}};

}  // namespace

}  // namespace podwright
