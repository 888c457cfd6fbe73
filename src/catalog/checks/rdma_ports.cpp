#include "catalog/checks/rdma_ports.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace podwright::judging {

namespace {

const Hca* find_hca(const Facts& facts, const std::string& name) {
  const auto found = std::ranges::find_if(facts.hcas, [&](const Hca& hca) { return hca.name == name || (!hca.netdev.empty() && hca.netdev == name); });
  return found == facts.hcas.end() ? nullptr : &*found;
}

}  // namespace

std::vector<std::string> RdmaPorts::missing_texts() const {
  std::vector<std::string> texts;
  for (const auto& name : missing) texts.push_back(name + ": not there");
  return texts;
}

double RdmaPorts::rate_of(const Hca& hca) const {
  const auto port = std::ranges::find_if(node->fabric, [&](const FabricPort& one) { return one.name == hca.name || (!hca.netdev.empty() && one.name == hca.netdev); });
  return port == node->fabric.end() ? 0 : port->rate_gbps;
}

std::optional<CheckResult> RdmaPorts::verdict(const Check& check) const {
  if (hcas.empty() && missing.empty()) return skipped(check, "no RDMA port here");
  return std::nullopt;
}

RdmaPorts rdma_ports(const Expectation& expectation) {
  RdmaPorts ports{.node = &expectation.node};
  auto names = list_option(expectation, "ports");
  ports.declared = !names.empty();
  if (names.empty()) {
    // A fabric of plain Ethernet names interfaces without RDMA: then nothing is said of RDMA ports.
    for (const auto& port : expectation.node.fabric) {
      if (find_hca(expectation.facts, port.name) != nullptr) names.push_back(port.name);
    }
    ports.declared = !names.empty() && names.size() == expectation.node.fabric.size();
    if (!ports.declared) names.clear();
  }
  for (const auto& name : names) {
    const auto* hca = find_hca(expectation.facts, name);
    if (hca == nullptr) ports.missing.push_back(name);
    else ports.hcas.push_back(hca);
  }
  if (!ports.declared) {
    for (const auto& hca : expectation.facts.hcas) ports.hcas.push_back(&hca);
  }
  return ports;
}

std::vector<Field> rdma_port_options() {
  return {{.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric (mlx5_0, or their interfaces); default: the node's fabric in cluster.toml, else all"}};
}

bool differs_from_class(const Expectation& expectation, const std::function<std::string(const Facts&)>& value) {
  const auto all = peers(expectation);
  if (all.size() < 2) return false;
  const auto usual = vote(all, value);
  return usual.clear && usual.usual != value(expectation.facts);
}

bool is_port(const Hca& hca, std::string_view device, std::string_view port) {
  return hca.name == device || hca.name == fmt::format("{}:{}", device, port);
}

bool is_ethernet(const Hca& hca) { return hca.link_layer == "Ethernet"; }

}  // namespace podwright::judging
