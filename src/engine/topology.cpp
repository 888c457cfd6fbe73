#include "engine/topology.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "catalog/parsers/ibnetdiscover.hpp"
#include "catalog/parsers/lldp.hpp"
#include "engine/fan_out.hpp"

namespace podwright {

namespace {

const Facts* facts_of(const std::map<NodeId, Facts>& facts, const NodeId& node) {
  const auto found = facts.find(node);
  return found == facts.end() ? nullptr : &found->second;
}

std::string_view short_name(std::string_view host) { return host.substr(0, host.find('.')); }

/// The HCA of an end point, which may name its network interface.
std::string hca_of(const Endpoint& endpoint, const Facts* facts) {
  if (facts == nullptr) return endpoint.device;
  for (const auto& hca : facts->hcas) {
    if (hca.name == endpoint.device || (!hca.netdev.empty() && hca.netdev == endpoint.device)) return hca.name;
  }
  return endpoint.device;
}

/// The interface of an end point, which may name its HCA or only its address.
std::string interface_of(const Endpoint& endpoint, const Facts* facts) {
  if (facts == nullptr) return endpoint.device;
  for (const auto& hca : facts->hcas) {
    if (hca.name == endpoint.device && !hca.netdev.empty()) return hca.netdev;
  }
  if (!endpoint.device.empty()) return endpoint.device;
  for (const auto& nic : facts->nics) {
    for (const auto& address : nic.addresses) {
      if (address.substr(0, address.find('/')) == endpoint.address) return nic.name;
    }
  }
  return {};
}

constexpr std::string_view lldp_script = R"sh(command -v lldpctl >/dev/null 2>&1 || exit 0
lldpctl -f keyvalue 2>/dev/null
exit 0
)sh";
constexpr std::string_view ib_script = R"sh(command -v ibnetdiscover >/dev/null 2>&1 || exit 0
ibnetdiscover 2>/dev/null
exit 0
)sh";

}  // namespace

Result<std::size_t> leaves_from_ibnetdiscover(std::vector<Endpoint>& endpoints, std::string_view text,
                                              const std::map<NodeId, Facts>& facts) {
  const auto links = parsing::read_ibnetdiscover(text);
  if (!links) return fail(links.error());
  /// host -> "" or HCA -> switch
  std::map<std::string, std::map<std::string, std::string>> leaf;
  for (const auto& link : *links) {
    for (const auto& [adapter, other] : {std::pair{&link.a, &link.b}, {&link.b, &link.a}}) {
      if (adapter->type != "CA" || other->type != "SW") continue;
      const auto parts = words(adapter->name);
      if (parts.empty()) continue;
      auto& ports = leaf[std::string(short_name(parts[0]))];
      const auto name = other->name.empty() ? other->guid : other->name;
      ports.emplace(parts.size() > 1 ? std::string(parts[1]) : std::string{}, name);
    }
  }
  std::size_t found = 0;
  for (auto& endpoint : endpoints) {
    if (!endpoint.leaf.empty()) continue;
    const auto* known = facts_of(facts, endpoint.node);
    auto ports = leaf.find(std::string(short_name(endpoint.node)));
    if (ports == leaf.end() && known != nullptr) ports = leaf.find(std::string(short_name(known->hostname)));
    if (ports == leaf.end()) continue;
    const auto port = ports->second.find(hca_of(endpoint, known));
    // A node with one adapter needs no name for it ("HCA-1" is what older drivers say).
    if (port != ports->second.end()) endpoint.leaf = port->second;
    else if (ports->second.size() == 1) endpoint.leaf = ports->second.begin()->second;
    else continue;
    ++found;
  }
  return found;
}

Result<std::size_t> leaves_from_lldp(std::vector<Endpoint>& endpoints, const NodeId& node, std::string_view text,
                                     const Facts* facts) {
  const auto neighbours = parsing::read_lldp(text);
  if (!neighbours) return fail(neighbours.error());
  std::size_t found = 0;
  for (auto& endpoint : endpoints) {
    if (endpoint.node != node || !endpoint.leaf.empty()) continue;
    const auto interface = interface_of(endpoint, facts);
    const auto heard = std::ranges::find(*neighbours, interface, &parsing::LldpNeighbour::interface);
    if (interface.empty() || heard == neighbours->end()) continue;
    endpoint.leaf = heard->system;
    ++found;
  }
  return found;
}

void discover_leaves(Site& site, std::vector<Endpoint>& endpoints, const std::map<NodeId, Facts>& facts) {
  const auto lacks = [](const Endpoint& endpoint) { return endpoint.leaf.empty(); };
  std::set<NodeId> unknown;
  for (const auto& endpoint : endpoints) {
    if (lacks(endpoint)) unknown.insert(endpoint.node);
  }
  if (unknown.empty()) return;
  const auto infiniband = std::ranges::find_if(unknown, [&](const NodeId& node) {
    const auto* known = facts_of(facts, node);
    return known != nullptr && std::ranges::any_of(known->hcas, [](const Hca& hca) {
             return hca.link_layer == "InfiniBand";
           });
  });
  std::vector<FramedJob> jobs;
  for (const auto& node : unknown) {
    FramedScript script("leaf switches of " + node);
    script.add({.comment = "LLDP", .script = std::string(lldp_script), .deadline = std::chrono::seconds(10)});
    if (infiniband != unknown.end() && node == *infiniband) {
      script.add({.comment = "ibnetdiscover", .script = std::string(ib_script), .deadline = std::chrono::seconds(60)});
    }
    jobs.push_back({node, std::move(script)});
  }
  const auto answers = run_framed(site, jobs, "leaf switches");
  std::size_t found = 0;
  const auto take = [&](const Result<std::size_t>& result, const NodeId& node) {
    if (result) found += *result;
    else site.events.warn(fmt::format("{}: {}", node, result.error().what));
  };
  for (const auto& [node, answer] : answers) {
    if (const auto ib = answer.frames.find(1); ib != answer.frames.end() && !trim(ib->second.out).empty()) {
      take(leaves_from_ibnetdiscover(endpoints, ib->second.out, facts), node);
    }
    if (const auto lldp = answer.frames.find(0); lldp != answer.frames.end() && !trim(lldp->second.out).empty()) {
      take(leaves_from_lldp(endpoints, node, lldp->second.out, facts_of(facts, node)), node);
    }
  }
  if (found > 0) {
    site.events.info(fmt::format("the leaf switch of {} was told by the fabric itself", count_of(found, "end point")));
  }
}

}  // namespace podwright
