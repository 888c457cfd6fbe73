// amd.rvs: the ROCm validation suite.
#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/checks/tool_output.hpp"

namespace podwright {

namespace {

const std::string rvs_script = judging::tool_probe(R"sh(seconds=$((deadline - 10))
PATH=$PATH:/opt/rocm/bin
if [ -n "$level" ]; then run rvs -r "$level"; else run rvs -g; fi)sh");

/// What `rvs -r N` says of its tests: a table of | action | module | PASS |, and lines "[RESULT] … met: FALSE"
/// of what missed its target.
std::vector<CheckResult> judge_rvs_level(const Check& check, const judging::ToolRun& run) {
  std::vector<std::string> failed;
  std::size_t passed = 0;
  for (const auto line : lines(run.text)) {
    const auto cells = split(line, '|');
    if (cells.size() == 5) {
      const auto action = trim(cells[1]);
      const auto result = trim(cells[3]);
      if (result == "PASS") ++passed;
      else if (result == "FAIL" || result == "ERROR") failed.push_back(fmt::format("{} ({})", clean_output(action), clean_output(trim(cells[2]))));
    } else if (line.find("[RESULT]") != std::string_view::npos &&
               (line.find("met: FALSE") != std::string_view::npos || line.find("pass: FALSE") != std::string_view::npos)) {
      failed.push_back(clean_output(trim(line).substr(0, 200)));
    } else if (line.find("[RESULT]") != std::string_view::npos &&
               (line.find("met: TRUE") != std::string_view::npos || line.find("pass: TRUE") != std::string_view::npos)) {
      ++passed;
    }
  }
  const auto expected = fmt::format("every test of {} passes", run.command);
  if (!failed.empty()) return {judging::broken(check, human_list(failed), expected, "drain the node, look at dmesg | grep amdgpu, and report what failed to the vendor")};
  if (run.exit_status != 0 || passed == 0) {
    return {judging::failed_to_run(check, fmt::format("{} ended with {} and no result of a test: {}", run.command, run.exit_status, judging::first_line_of(run)),
                                   "run it by hand on the drained node")};
  }
  return {judging::passed(check, count_of(passed, "result") + " passed", expected)};
}

std::vector<CheckResult> judge_rvs(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto gpus = judging::count_of_vendor(expectation.facts, "amd");
  if (gpus == 0) return {judging::skipped(check, "no AMD GPU here")};
  const auto runs = judging::read_tool_runs(observed);
  if (!runs) return {judging::failed_to_run(check, runs.error().what, "rvs -g")};
  const auto* run = judging::find_run(*runs, "rvs");
  if (run != nullptr && run->absent && !judging::wants_package(expectation, "rocm-validation-suite")) return {judging::skipped(check, "the ROCm validation suite is not part of the profile")};
  if (auto verdict = judging::without_tool(check, expectation, "amd", "an AMD GPU", run, "rvs")) return {*verdict};
  if (run->command.starts_with("rvs -r")) return judge_rvs_level(check, *run);
  // "Supported GPUs available:" and a line for each: "0000:05:00.0 - GPU[ 1 - 12345] AMD Instinct MI300X (Device 29857)"
  std::size_t seen = 0;
  for (const auto line : lines(run->text)) {
    if (line.find("GPU[") != std::string_view::npos) ++seen;
  }
  const auto expected = fmt::format("{} that the suite can test", count_of(gpus, "GPU"));
  if (seen == gpus) return {judging::passed(check, count_of(seen, "GPU"), expected)};
  return {judging::broken(check, seen == 0 ? judging::first_line_of(*run) : count_of(seen, "GPU"), expected, "rocminfo and dmesg | grep amdgpu; rvs -c /opt/rocm/share/rocm-validation-suite/conf/gst_single.conf tests them on a drained node")};
}

const Registered rvs{Check{.id = "amd.rvs", .summary = "The ROCm validation suite can use every AMD GPU; with a level, its tests pass", .severity = Severity::fatal, .source = "ROCm validation suite",
                           .options = {{.name = "level", .type = FieldType::integer, .doc = "1 (minutes) to 5 (hours), on an idle node; default: the suite only lists the GPUs"}},
                           .needs = {"gpus"}, .hardware = "amd", .probe = rvs_script, .deadline = std::chrono::seconds(110),
                           .levels = {std::chrono::minutes(20), std::chrono::hours(1), std::chrono::hours(2), std::chrono::hours(4), std::chrono::hours(8)}, .judge = judge_rvs}};

}  // namespace

}  // namespace podwright
