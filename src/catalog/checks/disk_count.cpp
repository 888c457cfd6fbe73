// disk.count: the disks that were paid for are there.
#include <fmt/format.h>

#include <map>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"

namespace podwright {

namespace {

/// "8 disks: 6 × 3.5 TiB, 2 × 447.1 GiB"
std::string told(const Facts& facts) {
  if (facts.disks.empty()) return "no disks";
  std::map<std::uint64_t, std::size_t, std::greater<>> sizes;
  for (const auto& disk : facts.disks) ++sizes[disk.bytes];
  std::vector<std::string> parts;
  for (const auto& [bytes, count] : sizes) parts.push_back(fmt::format("{} × {}", count, human_bytes(bytes)));
  return count_of(facts.disks.size(), "disk") + ": " + join(parts, ", ");
}

std::vector<CheckResult> judge(const Check& check, const Observed&, const Expectation& expectation) {
  const auto& facts = expectation.facts;
  const std::string remedy = "lsblk and the kernel's log (dmesg | grep -i -e nvme -e ata -e scsi) tell which one went; reseat or replace it";
  if (const auto declared = judging::integer_option(expectation, "expect")) {
    const auto expected = count_of(static_cast<std::size_t>(std::max<std::int64_t>(*declared, 0)), "disk");
    if (static_cast<std::int64_t>(facts.disks.size()) == *declared) return {judging::passed(check, told(facts), expected)};
    return {judging::broken(check, told(facts), expected, remedy)};
  }
  if (judging::in_container(facts)) return {judging::skipped(check, "a container: the disks are its host's")};
  if (facts.disks.empty()) {
    const auto class_of_node = judging::peers(expectation);
    if (class_of_node.size() < 2) return {judging::skipped(check, "a node without disks, and none is declared")};
  }
  return {judging::like_its_class(check, expectation, told(facts), told, remedy)};
}

const Registered check{Check{
    .id = "disk.count",
    .summary = "The disks are as many as declared, or as on the other nodes of the class",
    .severity = Severity::fatal,
    .source = "Azure NHC (check_nvme_count)",
    .options = {{.name = "expect", .type = FieldType::integer, .doc = "how many disks"}},
    .needs = {"disks", "os", "cpu"},
    .judge = judge}};

}  // namespace

}  // namespace podwright
