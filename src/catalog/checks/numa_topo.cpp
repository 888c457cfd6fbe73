// numa.topo: all NUMA nodes have memory, and devices know theirs.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"

namespace podwright {

namespace {

/// NUMA nodes with processors. Nodes without are memory of its own kind: the GPUs' on Grace Hopper (and
/// empty places for MIG), CXL.
std::size_t with_cpus(const Facts& facts) {
  return static_cast<std::size_t>(std::ranges::count_if(facts.numa, [](const NumaNode& node) { return !node.cpus.empty(); }));
}

std::string told(const Facts& facts) { return count_of(with_cpus(facts), "NUMA node") + " with processors"; }

std::vector<CheckResult> judge(const Check& check, const Observed&, const Expectation& expectation) {
  const auto& facts = expectation.facts;
  if (facts.numa.empty()) return {judging::skipped(check, "the kernel shows no NUMA nodes")};
  const std::string remedy = "compare numactl --hardware with a good node; a NUMA node without memory has lost its modules, "
                             "one too few is a setting of the firmware (NPS, sub-NUMA clustering, node interleaving)";
  std::vector<std::string> bare;
  for (const auto& node : facts.numa) {
    if (!node.cpus.empty() && node.memory_bytes == 0) bare.push_back(fmt::format("node {}", node.id));
  }
  if (!bare.empty()) {
    return {judging::broken(check, human_list(bare) + " without memory", "memory on every NUMA node that has processors", remedy)};
  }
  if (with_cpus(facts) > 1 && !judging::in_virtual_machine(facts)) {
    std::vector<std::string> lost;
    for (const auto& gpu : facts.gpus) {
      // Ascend's devices never say where they are.
      if (gpu.numa < 0 && gpu.vendor != "ascend") lost.push_back(gpu.slot);
    }
    for (const auto& hca : facts.hcas) {
      if (hca.numa < 0 && !hca.board.empty()) lost.push_back(hca.name);
    }
    if (!lost.empty()) {
      return {judging::warned(check, fmt::format("{}; the kernel does not know where {} belong", told(facts), human_list(lost)),
                              "a NUMA node for every accelerator and HCA",
                              "update the firmware: its ACPI tables (_PXM) leave the place of these devices out")};
    }
  }
  if (const auto declared = judging::integer_option(expectation, "expect")) {
    const auto expected = count_of(static_cast<std::size_t>(std::max<std::int64_t>(*declared, 0)), "NUMA node") + " with processors";
    if (static_cast<std::int64_t>(with_cpus(facts)) == *declared) return {judging::passed(check, told(facts), expected)};
    return {judging::broken(check, told(facts), expected, remedy)};
  }
  return {judging::like_its_class(check, expectation, told(facts), told, remedy)};
}

const Registered check{Check{
    .id = "numa.topo",
    .summary = "The NUMA nodes are as declared or as on the class, all with memory; devices know theirs",
    .severity = Severity::fatal,
    .source = "Azure NHC",
    .options = {{.name = "expect", .type = FieldType::integer, .doc = "NUMA nodes that have processors"}},
    .needs = {"memory", "gpus", "hcas", "os", "cpu"},
    .judge = judge}};

}  // namespace

}  // namespace podwright
