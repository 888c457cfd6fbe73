// amd.count, amd.ecc, amd.badpages, amd.pcie, amd.xgmi: AMD GPUs by amd-smi, or rocm-smi where there is none.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/tool_output.hpp"
#include "catalog/parsers/amd.hpp"

namespace podwright {

namespace {

using parsing::AmdGpu;

const std::string& probe() {
  static const std::string text = judging::tool_probe(
      "seconds=20\n"
      "PATH=$PATH:/opt/rocm/bin\n"
      "if command -v amd-smi >/dev/null 2>&1; then\n"
      "  run amd-smi static --json\n  run amd-smi metric --json\n  run amd-smi bad-pages --json\n"
      "else\n"
      "  run rocm-smi --showallinfo --json\n"
      "fi");
  return text;
}

struct State {
  std::vector<AmdGpu> gpus{};
  std::optional<CheckResult> verdict{};
};

State read_amd(const Check& check, const Observed& observed, const Expectation& expectation) {
  const std::string by_hand = "amd-smi metric; dmesg | grep amdgpu";
  const auto runs = judging::read_tool_runs(observed);
  if (judging::count_of_vendor(expectation.facts, "amd") > 0 && !runs) return {.verdict = judging::failed_to_run(check, runs.error().what, by_hand)};
  const auto* first = runs && !runs->empty() ? &runs->front() : nullptr;
  if (auto verdict = judging::without_tool(check, expectation, "amd", "an AMD GPU", first, "amd-smi or rocm-smi")) return {.verdict = std::move(verdict)};
  std::string documents;
  for (const auto& run : *runs) {
    // Older amd-smi has no bad-pages; what the others say still counts.
    if (run.absent || (run.exit_status != 0 && &run != first)) continue;
    documents += run.text + "\n";
  }
  auto gpus = parsing::parse_amd(documents);
  if (!gpus) return {.verdict = judging::failed_to_run(check, fmt::format("{} (exit status {}): {}", first->command, first->exit_status, gpus.error().what), by_hand)};
  return {.gpus = std::move(*gpus)};
}

std::string name_of(const AmdGpu& gpu) { return gpu.slot.empty() ? fmt::format("GPU {}", gpu.index) : fmt::format("GPU {} ({})", gpu.index, gpu.slot); }

/// Judges one property of every GPU. `value` is nothing where the tool does not tell it.
CheckResult judge_each(const Check& check, const std::vector<AmdGpu>& gpus, std::string_view what, std::string expected, std::string remedy,
                       std::optional<std::string> (*fault)(const AmdGpu&, double), double limit = 0) {
  std::vector<std::string> faults;
  std::size_t told = 0;
  for (const auto& gpu : gpus) {
    const auto text = fault(gpu, limit);
    if (!text) continue;
    ++told;
    if (!text->empty()) faults.push_back(fmt::format("{}: {}", name_of(gpu), *text));
  }
  if (told == 0) return judging::skipped(check, fmt::format("the tool tells no {} of these GPUs", what));
  if (!faults.empty()) return judging::broken(check, human_list(faults), std::move(expected), std::move(remedy));
  return judging::passed(check, fmt::format("{} told of {}", what, count_of(told, "GPU")), std::move(expected));
}

std::vector<CheckResult> judge_count(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = read_amd(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto on_bus = static_cast<std::int64_t>(judging::count_of_vendor(expectation.facts, "amd"));
  const auto wanted = judging::integer_option(expectation, "expect").value_or(on_bus);
  std::vector<std::string> missing;
  for (const auto& gpu : expectation.facts.gpus) {
    if (gpu.vendor == "amd" && std::ranges::find(state.gpus, gpu.slot, &AmdGpu::slot) == state.gpus.end()) missing.push_back(gpu.slot);
  }
  const auto seen = static_cast<std::int64_t>(state.gpus.size());
  const auto told = fmt::format("{} in the driver, {} on PCI{}", seen, on_bus, missing.empty() || seen >= on_bus ? "" : fmt::format("; not served: {}", human_list(missing)));
  const auto expected = fmt::format("{} GPUs", wanted);
  if (seen == wanted && on_bus == wanted) return {judging::passed(check, told, expected)};
  return {judging::broken(check, told, expected, "dmesg | grep amdgpu tells why the driver gave up on it; power the node off and on, then reseat or replace the GPU")};
}

std::vector<CheckResult> judge_ecc(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = read_amd(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  return {judge_each(check, state.gpus, "error counters", "no uncorrected errors", "drain the node, amd-smi reset -G -g GPU, or reboot; replace the GPU when they come back",
                     [](const AmdGpu& gpu, double) -> std::optional<std::string> {
                       if (!gpu.ecc_uncorrected) return {};
                       return *gpu.ecc_uncorrected > 0 ? fmt::format("{} uncorrected errors", *gpu.ecc_uncorrected) : std::string{};
                     })};
}

std::vector<CheckResult> judge_pages(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = read_amd(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto most = judging::number_option(expectation, "max_pages").value_or(0);
  return {judge_each(check, state.gpus, "retired pages", fmt::format("at most {:g} retired pages, none pending", most), "reboot when pages are pending; replace the GPU when their number grows",
                     [](const AmdGpu& gpu, double limit) -> std::optional<std::string> {
                       if (!gpu.bad_pages) return {};
                       if (gpu.bad_pages_pending.value_or(0) > 0) return fmt::format("{} pages are pending", *gpu.bad_pages_pending);
                       return static_cast<double>(*gpu.bad_pages) > limit ? fmt::format("{} pages are retired", *gpu.bad_pages) : std::string{};
                     }, most)};
}

std::vector<CheckResult> judge_pcie(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = read_amd(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto width = static_cast<double>(judging::integer_option(expectation, "width").value_or(16));
  return {judge_each(check, state.gpus, "PCIe links", fmt::format("x{:g}", width), "reseat the card or its board, and power the node off and on",
                     [](const AmdGpu& gpu, double wanted) -> std::optional<std::string> {
                       if (!gpu.pcie_width) return {};
                       return static_cast<double>(*gpu.pcie_width) < wanted ? fmt::format("x{} instead of x{:g}", *gpu.pcie_width, wanted) : std::string{};
                     }, width)};
}

std::vector<CheckResult> judge_xgmi(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = read_amd(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  return {judge_each(check, state.gpus, "XGMI errors", "no XGMI errors", "drain the node and power it off and on; the vendor replaces the board when they come back",
                     [](const AmdGpu& gpu, double) -> std::optional<std::string> {
                       if (!gpu.xgmi_errors) return {};
                       return *gpu.xgmi_errors > 0 ? std::string("errors on its XGMI links") : std::string{};
                     })};
}

Check of(std::string_view id, std::string_view summary, std::string_view source, std::vector<Field> options, decltype(Check::judge) judge) {
  return {.id = id, .summary = summary, .severity = Severity::fatal, .source = source, .options = std::move(options), .needs = {"gpus"}, .hardware = "amd",
          .probe = probe(), .deadline = std::chrono::seconds(70), .reads = "amd-smi", .judge = judge};
}

const Registered count{of("amd.count", "The driver serves every AMD GPU that is on PCI, or as many as declared", "OCI oci-dr-hpc",
                          {{.name = "expect", .type = FieldType::integer, .doc = "how many GPUs"}}, judge_count)};
const Registered ecc{of("amd.ecc", "AMD GPUs have no uncorrected memory errors", "Azure NHC; amd-smi metric --ecc", {}, judge_ecc)};
const Registered pages{of("amd.badpages", "AMD GPUs have retired no pages", "amd-smi bad-pages", {{.name = "max_pages", .type = FieldType::number, .doc = "more retired pages than this fail; default 0"}}, judge_pages)};
const Registered pcie{of("amd.pcie", "AMD GPUs run at the full width of their PCIe links", "OCI oci-dr-hpc", {{.name = "width", .type = FieldType::integer, .doc = "lanes; default 16"}}, judge_pcie)};
const Registered xgmi{of("amd.xgmi", "The XGMI links between AMD GPUs have no errors", "OCI oci-dr-hpc", {}, judge_xgmi)};

}  // namespace

}  // namespace podwright
