// nv.dcgm: NVIDIA's own diagnosis.
#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/checks/tool_output.hpp"
#include "catalog/parsers/nvidia_tools.hpp"

namespace podwright {

namespace {

const std::string diag_probe = judging::tool_probe("seconds=$((deadline - 10))\nrun dcgmi diag -r ${level:-1} -j");

std::vector<CheckResult> judge_diag(const Check& check, const Observed& observed, const Expectation& expectation) {
  if (judging::count_of_vendor(expectation.facts, "nvidia") == 0) return {judging::skipped(check, "no NVIDIA GPU here")};
  const auto runs = judging::read_tool_runs(observed);
  const auto command = fmt::format("dcgmi diag -r {}", judging::integer_option(expectation, "level").value_or(1));
  if (!runs) return {judging::failed_to_run(check, runs.error().what, command)};
  const auto* run = judging::find_run(*runs, "dcgmi diag");
  if (run != nullptr && run->absent && !judging::wants_package(expectation, "datacenter-gpu-manager")) {
    return {judging::skipped(check, "DCGM is not part of the profile (component monitoring/dcgm)")};
  }
  if (auto verdict = judging::without_tool(check, expectation, "nvidia", "an NVIDIA GPU", run, "dcgmi")) return {*verdict};
  const auto tests = parsing::parse_dcgm_diag(run->text);
  if (!tests) {
    return {judging::failed_to_run(check, fmt::format("dcgmi diag (exit status {}): {}", run->exit_status, tests.error().what),
                                   "systemctl status nvidia-dcgm; then dcgmi discovery -l")};
  }
  std::vector<std::string> failed;
  std::vector<std::string> notes;
  std::size_t passed = 0;
  for (const auto& test : *tests) {
    const auto name = fmt::format("{}{}{}{}", test.name, test.gpu.empty() ? "" : " of GPU " + test.gpu, test.message.empty() ? "" : ": ", clean_output(test.message.substr(0, 160)));
    const auto status = test.status;
    if (status == "Pass" || status == "PASS") ++passed;
    else if (status == "Fail" || status == "FAIL") failed.push_back(name);
    else if (status == "Warn" || status == "WARN") notes.push_back(name);
  }
  const auto expected = fmt::format("every test of {} passes", run->command.substr(0, command.size()));
  const std::string remedy = "dcgmi diag -r 3 on the drained node names the part; report it to the vendor with nvidia-bug-report.sh";
  if (!failed.empty()) return {judging::broken(check, human_list(failed), expected, remedy)};
  if (!notes.empty()) return {judging::warned(check, human_list(notes), expected, remedy)};
  if (passed == 0) return {judging::failed_to_run(check, "no test was run", command)};
  return {judging::passed(check, count_of(passed, "result") + " passed", expected)};
}

const Registered dcgm{Check{
    .id = "nv.dcgm",
    .summary = "NVIDIA's own diagnosis (DCGM) passes: level 1, unless another is asked for",
    .severity = Severity::fatal,
    .source = "facebookresearch/gcm (check_dcgmi); NVIDIA DCGM diagnostics",
    .options = {{.name = "level", .type = FieldType::integer, .doc = "1 (seconds, the default), 2 (minutes), 3 (half an hour) or 4 (hours); from 2 on the GPUs must be idle"}},
    .needs = {"gpus"},
    .hardware = "nvidia",
    .probe = diag_probe,
    .deadline = std::chrono::minutes(2),
    .levels = {std::chrono::minutes(2), std::chrono::minutes(15), std::chrono::hours(1), std::chrono::hours(4)},
    .judge = judge_diag}};

}  // namespace

}  // namespace podwright
