// gaudi.count, gaudi.ecc: Intel Gaudi.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/tool_output.hpp"
#include "catalog/parsers/management.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright {

namespace {

using Row = std::map<std::string, std::string>;

const std::string& probe() {
  static const std::string text = judging::tool_probe(
      "seconds=20\nrun hl-smi -Q index,bus_id,name,driver_version,ecc.mode.current,ecc.errors.uncorrected.aggregate.total,ecc.errors.uncorrected.volatile.total,temperature.aip -f csv");
  return text;
}

std::size_t gaudis(const Facts& facts) {
  return static_cast<std::size_t>(std::ranges::count_if(facts.gpus, [](const Accelerator& one) { return one.vendor == "intel" && one.model.find("Gaudi") != std::string::npos; }));
}

struct State {
  std::vector<Row> rows{};
  std::optional<CheckResult> verdict{};
};

State read_gaudi(const Check& check, const Observed& observed, const Expectation& expectation) {
  if (gaudis(expectation.facts) == 0) return {.verdict = judging::skipped(check, "no Intel Gaudi here")};
  const auto runs = judging::read_tool_runs(observed);
  if (!runs) return {.verdict = judging::failed_to_run(check, runs.error().what, "hl-smi")};
  const auto* run = judging::find_run(*runs, "hl-smi");
  if (auto verdict = judging::without_tool(check, expectation, "intel", "an Intel Gaudi", run, "hl-smi")) return {.verdict = std::move(verdict)};
  auto rows = parsing::parse_hl_smi(run->text);
  if (!rows) return {.verdict = judging::failed_to_run(check, fmt::format("hl-smi (exit status {}): {}", run->exit_status, rows.error().what), "hl-smi; dmesg | grep habanalabs")};
  return {.rows = std::move(*rows)};
}

std::string cell(const Row& row, const std::string& name) {
  const auto found = row.find(name);
  return found == row.end() ? std::string{} : found->second;
}

std::vector<CheckResult> judge_count(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = read_gaudi(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto on_bus = static_cast<std::int64_t>(gaudis(expectation.facts));
  const auto wanted = judging::integer_option(expectation, "expect").value_or(on_bus);
  const auto seen = static_cast<std::int64_t>(state.rows.size());
  const auto told = fmt::format("{} in hl-smi, {} on PCI", seen, on_bus);
  if (seen == wanted && on_bus == wanted) return {judging::passed(check, told, std::to_string(wanted))};
  return {judging::broken(check, told, std::to_string(wanted), "dmesg | grep habanalabs tells why the driver gave up on it; power the node off and on, then reseat or replace the card")};
}

std::vector<CheckResult> judge_ecc(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = read_gaudi(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  std::vector<std::string> faults;
  std::size_t told = 0;
  for (const auto& row : state.rows) {
    const auto errors = parsing::leading_int(cell(row, "ecc.errors.uncorrected.aggregate.total"));
    if (!errors) continue;
    ++told;
    if (*errors > 0) faults.push_back(fmt::format("{} ({}): {} uncorrected errors", cell(row, "index"), cell(row, "bus_id"), *errors));
  }
  if (told == 0) return {judging::failed_to_run(check, "hl-smi tells no error counters", "hl-smi -Q ecc.errors.uncorrected.aggregate.total -f csv")};
  const std::string expected = "0 uncorrected errors";
  if (!faults.empty()) return {judging::broken(check, human_list(faults), expected, "hl-smi --query-row-replacement tells which rows are pending; reset the card, and replace it when they come back")};
  return {judging::passed(check, count_of(told, "accelerator") + " without", expected)};
}

const Registered count{Check{.id = "gaudi.count", .summary = "The driver serves every Intel Gaudi that is on PCI, or as many as declared", .severity = Severity::fatal,
                             .source = "Intel Gaudi documentation, System Management Interface Tool",
                             .options = {{.name = "expect", .type = FieldType::integer, .doc = "how many accelerators"}}, .needs = {"gpus"}, .hardware = "intel", .probe = probe(),
                             .deadline = std::chrono::seconds(30), .reads = "hl-smi", .judge = judge_count}};
const Registered ecc{Check{.id = "gaudi.ecc", .summary = "Intel Gaudi accelerators have no uncorrected memory errors", .severity = Severity::fatal,
                           .source = "Intel Gaudi documentation, System Management Interface Tool", .needs = {"gpus"}, .hardware = "intel", .probe = probe(),
                           .deadline = std::chrono::seconds(30), .reads = "hl-smi", .judge = judge_ecc}};

}  // namespace

}  // namespace podwright
