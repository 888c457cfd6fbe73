#include "engine/drift.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"
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

DriftClass compare(std::vector<NodeId> nodes, const std::map<NodeId, Facts>& facts) {
  std::map<const Facts*, Aspects> aspects;
  std::set<std::string> names;
  for (const auto& node : nodes) {
    const auto& one = facts.at(node);
    for (const auto& [name, value] : aspects.emplace(&one, aspects_of(one)).first->second) names.insert(name);
  }
  std::map<NodeId, std::vector<Difference>> differences;
  for (const auto& name : names) {
    std::vector<judging::Peer> voters;
    for (const auto& node : nodes) {
      if (is_known(facts.at(node), name)) voters.push_back({.node = node, .facts = &facts.at(node)});
    }
    const auto value_of = [&](const Facts& one) -> std::string {
      const auto found = aspects.at(&one).find(name);
      return found == aspects.at(&one).end() || found->second.empty() ? "none" : found->second;
    };
    const auto vote = judging::vote(voters, value_of);
    if (vote.holders == vote.voters) continue;
    for (const auto& voter : voters) {
      const auto value = value_of(*voter.facts);
      if (vote.clear && value == vote.usual) continue;
      differences[NodeId(voter.node)].push_back({name, value, vote.clear ? vote.usual : std::string()});
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
