// cfg.drift: nodes of a class are alike in software and firmware. (nv.vbios compares the firmware of GPUs, which
// only their tool tells.)
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"

namespace podwright {

namespace {

/// All firmware versions of the HCAs of a board, usually one.
std::string hca_firmware(const Facts& facts) {
  std::set<std::string> all;
  for (const auto& hca : facts.hcas) {
    if (!hca.firmware.empty()) all.insert(fmt::format("{} {}", hca.board, hca.firmware));
  }
  return join({all.begin(), all.end()}, ", ");
}

/// Modules of accelerators and adapters, which the vendors' drivers and OFED bring in versions of their own. Others
/// are loaded when something needs them, and say nothing about a node.
constexpr std::string_view modules[] = {"nvidia", "amdgpu", "habanalabs", "mlx5_core", "bnxt_en", "irdma"};

std::string driver_version(const Facts& facts, const std::string& module) {
  const auto found = facts.drivers.find(module);
  return found == facts.drivers.end() ? "none" : found->second;
}

std::string package_version(const Facts& facts, const std::string& name) {
  const auto found = facts.packages.find(name);
  return found == facts.packages.end() ? "none" : found->second;
}

struct Aspect {
  std::string name;
  std::function<std::string(const Facts&)> value;
};

std::vector<Aspect> aspects_of(const Expectation& expectation) {
  std::vector<Aspect> all = {
      {"kernel", [](const Facts& facts) { return facts.kernel; }},
      {"system", [](const Facts& facts) { return facts.os.id + " " + facts.os.version; }},
      {"BIOS", [](const Facts& facts) { return facts.bios; }},
      {"HCA firmware", hca_firmware},
  };
  for (const std::string_view one : modules) {
    const std::string module(one);
    all.push_back({"driver " + module, [module](const Facts& facts) { return driver_version(facts, module); }});
  }
  std::set<std::string> packages;
  for (const auto& wanted : expectation.profile.resources) {
    if (wanted.kind == "package") packages.insert(wanted.name);
  }
  for (const auto& name : judging::list_option(expectation, "packages")) packages.insert(name);
  for (const auto& name : packages) {
    all.push_back({name, [name](const Facts& facts) { return package_version(facts, name); }});
  }
  return all;
}

std::vector<CheckResult> judge(const Check& check, const Observed&, const Expectation& expectation) {
  auto class_of_node = judging::peers(expectation);
  // A peer whose probes failed has no say in what is usual.
  std::erase_if(class_of_node, [&](const judging::Peer& peer) {
    return peer.facts != &expectation.facts && !peer.facts->missing.empty();
  });
  if (class_of_node.size() < 2) return {judging::skipped(check, "no other node is like this one")};
  const auto ignored = judging::list_option(expectation, "ignore");
  std::vector<std::string> drifts;
  std::vector<std::string> unclear;
  const auto aspects = aspects_of(expectation);
  for (const auto& aspect : aspects) {
    const auto& name = aspect.name;
    const auto& value = aspect.value;
    if (std::ranges::find(ignored, name) != ignored.end()) continue;
    const auto own = value(expectation.facts);
    const auto is_own = [&](const judging::Peer& peer) { return value(*peer.facts) == own; };
    if (std::ranges::all_of(class_of_node, is_own)) continue;
    const auto usual = judging::vote(class_of_node, value);
    if (!usual.clear) unclear.push_back(fmt::format("{} {}", name, own.empty() ? "none" : own));
    else if (own != usual.usual) {
      drifts.push_back(fmt::format("{} {} instead of {} ({} of {} nodes)", name, own.empty() ? "none" : own,
                                   usual.usual.empty() ? "none" : usual.usual, usual.holders, usual.voters));
    }
  }
  const auto expected = fmt::format("one version of each across {} nodes of its kind", class_of_node.size());
  const std::string remedy = "podwright plan shows what the profile would change; pin versions with podwright lock, then podwright apply; "
                             "reboot a node that still runs its old kernel";
  if (!drifts.empty()) return {judging::broken(check, human_list(drifts), expected, remedy)};
  if (!unclear.empty()) return {judging::warned(check, "no version has a majority: " + human_list(unclear), expected, remedy)};
  return {judging::passed(check, fmt::format("kernel {}; {} compared", expectation.facts.kernel, count_of(aspects.size(), "version")), expected)};
}

const Registered check{Check{
    .id = "cfg.drift",
    .summary = "Kernel, drivers, firmware and packages are of one version across the nodes of a class",
    .severity = Severity::warning,
    .source = "imbue cluster-health",
    .options = {{.name = "packages", .type = FieldType::list, .doc = "packages to compare besides those of the profile"},
                {.name = "ignore", .type = FieldType::list, .doc = "names that may differ: a package, \"BIOS\", \"kernel\", \"driver mlx5_core\""}},
    .needs = {"os", "packages", "hcas", "cpu", "drivers"},
    .judge = judge}};

}  // namespace

}  // namespace podwright
