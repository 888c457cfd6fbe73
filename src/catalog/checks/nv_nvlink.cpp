// nv.nvlink: every NVLink is up, at its speed, and without errors.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/tool_output.hpp"
#include "catalog/parsers/nvidia_tools.hpp"

namespace podwright {

namespace {

using parsing::NvlinkGpu;

const std::string link_probe = judging::tool_probe("seconds=25\nrun nvidia-smi nvlink -s\nrun nvidia-smi nvlink -e");

/// What a model has: the number of links and GB/s of each, one way. Sources: NVIDIA's data sheets, and the
/// speeds that nvidia-smi tells of them; OCI oci-dr-hpc for A100 and H100.
struct Links {
  std::string_view model;
  std::size_t count;
  double gbytes_per_s;
};
constexpr Links known[] = {
    {"GB300", 18, 53}, {"GB200", 18, 53}, {"B300", 18, 53}, {"B200", 18, 53}, {"B100", 18, 53},
    {"H200 NVL", 18, 25}, {"H100 NVL", 12, 25}, {"H100 PCIe", 12, 25},
    {"GH200", 18, 26.5}, {"H200", 18, 26.5}, {"H100", 18, 26.5}, {"H20", 18, 26.5}, {"H800", 8, 26.5},
    {"A100-SXM", 12, 25}, {"A100 SXM", 12, 25}, {"A800-SXM", 8, 25}, {"V100-SXM", 6, 25},
};

/// PCIe cards have links only where a bridge was bought.
bool needs_bridge(std::string_view model) {
  return model.find("NVL") != std::string_view::npos || model.find("PCIe") != std::string_view::npos || model.find("PCIE") != std::string_view::npos;
}

const Links* links_of(std::string_view model) {
  const auto found = std::ranges::find_if(known, [&](const Links& one) { return model.find(one.model) != std::string_view::npos; });
  return found == std::end(known) ? nullptr : &*found;
}

struct Findings {
  std::vector<std::string> broken{};
  std::vector<std::string> errors{};
  std::size_t links = 0;
  std::size_t most = 0;  ///< of a GPU
};

void judge_gpu(const NvlinkGpu& gpu, const Expectation& expectation, Findings& findings) {
  const auto active = static_cast<std::size_t>(std::ranges::count(gpu.links, true, &NvlinkGpu::Link::active));
  findings.links += active;
  findings.most = std::max(findings.most, active);
  const auto* model = links_of(gpu.name);
  const auto declared = judging::integer_option(expectation, "links");
  std::optional<std::size_t> wanted;
  if (declared) wanted = static_cast<std::size_t>(std::max<std::int64_t>(*declared, 0));
  else if (model != nullptr && !(needs_bridge(gpu.name) && active == 0)) wanted = model->count;
  const auto speed = judging::number_option(expectation, "gbytes_per_s").value_or(model == nullptr ? 0 : model->gbytes_per_s);
  std::vector<std::string> faults;
  std::vector<std::string> down;
  std::vector<std::string> slow;
  for (const auto& link : gpu.links) {
    if (!link.active) down.push_back(std::to_string(link.number));
    else if (link.gbytes_per_s && *link.gbytes_per_s < speed * 0.99) slow.push_back(fmt::format("{} at {:g} GB/s", link.number, *link.gbytes_per_s));
  }
  if (wanted && active < *wanted) {
    faults.push_back(fmt::format("{} of {} links are up{}", active, *wanted, down.empty() ? "" : fmt::format(" (down: {})", human_list(down))));
  } else if (!down.empty() && active > 0) {
    faults.push_back("links down: " + human_list(down));
  }
  if (!slow.empty()) faults.push_back("slow links: " + human_list(slow));
  if (!faults.empty()) findings.broken.push_back(fmt::format("GPU {}: {}", gpu.index, join(faults, "; ")));
}

void count_errors(const NvlinkGpu& gpu, std::int64_t most, Findings& findings) {
  std::vector<std::string> found;
  for (const auto& link : gpu.links) {
    for (const auto& [name, count] : link.errors) {
      // Effective errors only: a link that sends again has corrected itself, one that recovers was down.
      if (count > most) found.push_back(fmt::format("link {} {} {}", link.number, name, count));
    }
  }
  if (!found.empty()) findings.errors.push_back(fmt::format("GPU {}: {}", gpu.index, human_list(found, 4)));
}

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  const std::string by_hand = "nvidia-smi nvlink -s; nvidia-smi nvlink -e";
  const auto runs = judging::read_tool_runs(observed);
  if (judging::count_of_vendor(expectation.facts, "nvidia") > 0 && !runs) return {judging::failed_to_run(check, runs.error().what, by_hand)};
  const auto* speeds = runs ? judging::find_run(*runs, "nvidia-smi nvlink -s") : nullptr;
  if (auto verdict = judging::without_tool(check, expectation, "nvidia", "an NVIDIA GPU", speeds, "nvidia-smi")) return {*verdict};
  const auto gpus = parsing::parse_nvlink(speeds->text);
  if (!gpus) {
    // A GPU without NVLink makes the driver say so, or nothing at all.
    const bool has_links = std::ranges::any_of(expectation.facts.gpus, [](const Accelerator& gpu) { return gpu.vendor == "nvidia" && links_of(gpu.model) != nullptr; });
    if (!has_links && trim(speeds->text).empty()) return {judging::skipped(check, "these GPUs have no NVLink")};
    return {judging::failed_to_run(check, fmt::format("nvidia-smi nvlink -s (exit status {}): {}", speeds->exit_status, gpus.error().what), by_hand)};
  }
  Findings findings;
  for (const auto& gpu : *gpus) judge_gpu(gpu, expectation, findings);
  const auto most = judging::integer_option(expectation, "max_errors").value_or(0);
  if (const auto* counters = judging::find_run(*runs, "nvidia-smi nvlink -e"); counters != nullptr && !counters->absent) {
    if (const auto errors = parsing::parse_nvlink(counters->text)) {
      for (const auto& gpu : *errors) count_errors(gpu, most, findings);
    }
  }
  const std::string expected = "every link up at its speed, no errors";
  const std::string remedy = "systemctl status nvidia-fabricmanager; dmesg | grep -e Xid -e SXid; drain the node and reset all GPUs together, or reboot; a link that stays down or "
                             "counts on: the vendor replaces GPU, baseboard or NVSwitch";
  if (!findings.broken.empty()) return {judging::broken(check, human_list(findings.broken), expected, remedy)};
  if (findings.links == 0) return {judging::skipped(check, "these GPUs have no NVLink, or no bridge")};
  if (!findings.errors.empty()) return {judging::warned(check, human_list(findings.errors), expected, remedy)};
  return {judging::passed(check, fmt::format("{} links up, {} a GPU", findings.links, findings.most), expected)};
}

const Registered nvlink{Check{
    .id = "nv.nvlink",
    .summary = "Every NVLink is up at its speed, without errors",
    .severity = Severity::fatal,
    .source = "OCI oci-dr-hpc (nvlink_speed_check); NVIDIA data sheets: A100 12 × 25 GB/s, H100 and H200 18 × 26.5, B200 and B300 18 × 53",
    .options = {{.name = "links", .type = FieldType::integer, .doc = "links of each GPU; default: as the model has"},
                {.name = "gbytes_per_s", .type = FieldType::number, .doc = "least speed of a link; default: the model's"},
                {.name = "max_errors", .type = FieldType::integer, .doc = "a counter above this warns; default 0"}},
    .needs = {"gpus"},
    .hardware = "nvidia",
    .probe = link_probe,
    .deadline = std::chrono::seconds(60),
    .judge = judge}};

}  // namespace

}  // namespace podwright
