/// Which RDMA ports are the fabric: those that are declared, and all where nothing is. Adapters beside the fabric
/// (the ConnectX ports of NVSwitch trays, those of storage or management) must not count.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/checks/judging.hpp"

namespace podwright::judging {

struct RdmaPorts {
  std::vector<const Hca*> hcas{};
  bool declared = false;
  std::vector<std::string> missing{};  ///< declared, and not there
  const Node* node = nullptr;

  /// "mlx5_3: not there"
  [[nodiscard]] std::vector<std::string> missing_texts() const;
  /// As cluster.toml gives it for this port; 0: it does not.
  [[nodiscard]] double rate_of(const Hca& hca) const;
  /// skip where there is nothing to judge.
  [[nodiscard]] std::optional<CheckResult> verdict(const Check& check) const;
};
/// Option "ports", else the node's fabric in cluster.toml where it names RDMA devices or their interfaces, else all.
RdmaPorts rdma_ports(const Expectation& expectation);
std::vector<Field> rdma_port_options();

/// Whether most nodes like this one have another value.
bool differs_from_class(const Expectation& expectation, const std::function<std::string(const Facts&)>& value);

/// A port by the names of the facts: "mlx5_0", or "mlx4_0:1" of a device with several.
bool is_port(const Hca& hca, std::string_view device, std::string_view port);
/// RoCE rather than InfiniBand.
bool is_ethernet(const Hca& hca);

}  // namespace podwright::judging
