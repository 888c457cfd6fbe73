// gpu.count: the accelerators that were paid for are there, and their driver has them all.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"

namespace podwright {

namespace {

/// "8 × H100 SXM5 80GB"
std::string told(const Facts& facts) {
  if (facts.gpus.empty()) return "none";
  std::map<std::string, std::size_t> models;
  for (const auto& gpu : facts.gpus) ++models[gpu.model];
  std::vector<std::string> parts;
  for (const auto& [model, count] : models) parts.push_back(fmt::format("{} × {}", count, model));
  return join(parts, ", ");
}

/// Where the node whose accelerators are usual has one, and this node has none.
std::vector<std::string> empty_places(const Expectation& expectation, const std::string& example) {
  std::vector<std::string> places;
  const auto peer = expectation.cohort.find(example);
  if (peer == expectation.cohort.end()) return places;
  for (const auto& gpu : peer->second.gpus) {
    if (std::ranges::find(expectation.facts.gpus, gpu.slot, &Accelerator::slot) == expectation.facts.gpus.end()) {
      places.push_back(gpu.slot);
    }
  }
  return places;
}

std::vector<CheckResult> judge(const Check& check, const Observed&, const Expectation& expectation) {
  const auto& gpus = expectation.facts.gpus;
  const std::string gone = "lspci and dmesg tell whether it is on the bus; one that is not: power the node off and on, then reseat or "
                           "replace it";
  const auto all = judging::peers(expectation);
  const auto usual = judging::vote(all, told);
  auto seen = told(expectation.facts);
  if (usual.clear && usual.usual != seen) {
    if (const auto places = empty_places(expectation, usual.example); !places.empty()) {
      seen += fmt::format("; {} has one at {}, this node has none", usual.example, human_list(places));
    }
  }
  if (const auto declared = judging::integer_option(expectation, "expect")) {
    const auto expected = count_of(static_cast<std::size_t>(std::max<std::int64_t>(*declared, 0)), "accelerator");
    if (static_cast<std::int64_t>(gpus.size()) != *declared) return {judging::broken(check, seen, expected, gone)};
  }
  if (const auto model = judging::text_option(expectation, "model")) {
    const auto is_other = [&](const Accelerator& gpu) { return gpu.model.find(*model) == std::string::npos; };
    if (std::ranges::any_of(gpus, is_other)) return {judging::broken(check, seen, "accelerators of model " + *model, gone)};
  }
  // Where the driver serves some it should serve all.
  std::vector<std::string> unserved;
  for (const auto& gpu : gpus) {
    if (gpu.device_file.empty()) unserved.push_back(gpu.slot);
  }
  if (!unserved.empty() && unserved.size() < gpus.size()) {
    return {judging::broken(check, fmt::format("{}; no device file for {}", told(expectation.facts), human_list(unserved)),
                            "a device file for every accelerator",
                            "dmesg tells why the driver gave up on it; power the node off and on, then reseat or replace it")};
  }
  if (!expectation.options.empty()) return {judging::passed(check, seen, "as declared")};
  if (gpus.empty() && usual.holders == usual.voters) return {judging::skipped(check, "no accelerators here, nor in nodes like this one")};
  auto result = judging::like_its_class(check, expectation, told(expectation.facts), told, gone);
  result.observed = seen;
  return {result};
}

const Registered check{Check{
    .id = "gpu.count",
    .summary = "The accelerators are as declared, or as on the other nodes of the class, and the driver has them all",
    .severity = Severity::fatal,
    .source = "Azure NHC (check_gpu_count)",
    .options = {{.name = "expect", .type = FieldType::integer, .doc = "how many accelerators"},
                {.name = "model", .type = FieldType::text, .doc = "what every model's name must contain: \"H100\""}},
    .needs = {"gpus", "os", "cpu"},
    .judge = judge}};

}  // namespace

}  // namespace podwright
