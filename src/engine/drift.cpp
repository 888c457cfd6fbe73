#include "engine/drift.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "engine/gather.hpp"

namespace podwright {

namespace {

using Aspects = std::map<std::string, std::string>;

/// What is compared; the state of services is not: it is a check's to judge.
Aspects aspects_of(const Facts& facts) {
  Aspects all = {{"system", facts.os.name.empty() ? facts.os.id + " " + facts.os.version : facts.os.name},
                 {"kernel", facts.kernel},
                 {"BIOS", facts.bios},
                 {"CPU governor", facts.cpu.governor},
                 {"clocksource", facts.cpu.clocksource},
                 {"cgroup version", std::to_string(facts.cgroup_version)}};
  std::map<std::string, std::set<std::string>> firmware;
  for (const auto& hca : facts.hcas) firmware["firmware of " + hca.board].insert(hca.firmware);
  for (const auto& [name, versions] : firmware) all[name] = join({versions.begin(), versions.end()}, ", ");
  for (const auto& [name, version] : facts.drivers) all["driver " + name] = version;
  for (const auto& [name, value] : facts.sysctl) all["sysctl " + name] = value;
  for (const auto& [name, version] : facts.packages) all["package " + name] = version;
  return all;
}

/// What a node printed nothing about, because the probe failed, is not compared.
bool is_known(const Facts& facts, std::string_view aspect) {
  const auto lacks = [&](const char* probe) { return facts.missing.contains(probe); };
  if (aspect.starts_with("driver ")) return !lacks("drivers");
  if (aspect.starts_with("sysctl ")) return !lacks("sysctl");
  if (aspect.starts_with("package ")) return !lacks("packages");
  if (aspect.starts_with("firmware ")) return !lacks("hcas");
  if (aspect.starts_with("CPU ") || aspect == "clocksource") return !lacks("cpu");
  return !lacks("os");
}

/// The value of more than half of those that have a say; empty when there is none.
std::string majority(const std::map<std::string, std::size_t>& votes) {
  std::size_t all = 0;
  for (const auto& [value, count] : votes) all += count;
  for (const auto& [value, count] : votes) {
    if (2 * count > all) return value;
  }
  return {};
}

DriftClass compare(std::vector<NodeId> nodes, const std::map<NodeId, Facts>& facts) {
  std::map<NodeId, Aspects> aspects;
  std::set<std::string> names;
  for (const auto& node : nodes) {
    aspects[node] = aspects_of(facts.at(node));
    for (const auto& [name, value] : aspects[node]) names.insert(name);
  }
  std::map<NodeId, std::vector<Difference>> differences;
  for (const auto& name : names) {
    std::map<NodeId, std::string> values;
    std::map<std::string, std::size_t> votes;
    for (const auto& node : nodes) {
      if (!is_known(facts.at(node), name)) continue;
      const auto found = aspects[node].find(name);
      auto& value = values[node];
      value = found == aspects[node].end() || found->second.empty() ? "none" : found->second;
      ++votes[value];
    }
    if (votes.size() < 2) continue;
    const auto usual = majority(votes);
    for (const auto& [node, value] : values) {
      if (value != usual) differences[node].push_back({name, value, usual});
    }
  }
  DriftClass result{.nodes = std::move(nodes), .alike = {}, .odd = {}};
  for (const auto& node : result.nodes) {
    const auto found = differences.find(node);
    if (found == differences.end()) {
      result.alike.push_back(node);
      continue;
    }
    const auto same = std::ranges::find(result.odd, found->second, &DriftGroup::differences);
    if (same == result.odd.end()) {
      result.odd.push_back({{node}, std::move(found->second)});
    } else {
      same->nodes.push_back(node);
    }
  }
  return result;
}

}  // namespace

std::vector<DriftClass> drift_of(const std::map<NodeId, Facts>& facts, const Inventory& inventory) {
  std::vector<DriftClass> classes;
  for (const auto& hardware : classify(facts)) {
    std::map<std::vector<std::string>, std::vector<NodeId>> by_roles;
    for (const auto& name : hardware.nodes) {
      const auto* node = inventory.find(name);
      if (node == nullptr) continue;
      auto roles = node->roles;
      std::ranges::sort(roles);
      by_roles[roles].push_back(name);
    }
    for (auto& [roles, nodes] : by_roles) {
      if (nodes.size() > 1) classes.push_back(compare(std::move(nodes), facts));
    }
  }
  return classes;
}

}  // namespace podwright
