#include "engine/render_context.hpp"

#include "engine/node_expectations.hpp"
#include "base/json.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.hpp"
#include "config/json.hpp"

namespace podwright {

namespace {

constexpr std::uint64_t mebibyte = 1024 * 1024;
/// Slurm refuses a node that has less than slurm.conf says; kernels of one machine differ by a few
/// pages from boot to boot.
constexpr double slurm_memory_share = 0.95;

/// "10.98.0.11/16" -> "10.98.0.0/16"; empty for what is not IPv4.
std::string network_of(const std::string& cidr) {
  const auto slash = cidr.find('/');
  if (slash == std::string::npos) return {};
  in_addr address{};
  const auto prefix = to_int(std::string_view(cidr).substr(slash + 1));
  if (::inet_pton(AF_INET, cidr.substr(0, slash).c_str(), &address) != 1 || !prefix || *prefix < 0 ||
      *prefix > 32) {
    return {};
  }
  const std::uint32_t mask = *prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - *prefix);
  address.s_addr = htonl(ntohl(address.s_addr) & mask);
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, &address, text.data(), text.size());
  return fmt::format("{}/{}", text.data(), *prefix);
}

/// The interface that carries an address, and its network.
std::pair<std::string, std::string> interface_of(const Facts& facts, const std::string& address) {
  for (const auto& nic : facts.nics) {
    for (const auto& cidr : nic.addresses) {
      if (cidr.substr(0, cidr.find('/')) == address) return {nic.name, network_of(cidr)};
    }
  }
  return {};
}

bool is_address(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 || ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

/// Where a file wants an address and the inventory has a host name: the first address of the node that
/// others can reach and that is not of its fabric; the host name while its facts are unknown.
std::string ip_of(const Node& node, const Facts* facts) {
  if (facts == nullptr || is_address(node.address)) return node.address;
  const auto of_fabric = [&](const Nic& nic) {
    return std::ranges::any_of(node.fabric, [&](const FabricPort& port) { return port.name == nic.name; });
  };
  for (const auto& nic : facts->nics) {
    if (nic.name == "lo" || nic.state == "down" || of_fabric(nic)) continue;
    for (const auto& cidr : nic.addresses) {
      const auto address = cidr.substr(0, cidr.find('/'));
      in_addr v4{};
      if (::inet_pton(AF_INET, address.c_str(), &v4) == 1 && !address.starts_with("169.254.")) return address;
    }
  }
  return node.address;
}

/// "NVIDIA H100 80GB HBM3" -> "h100": the word with a digit, as sites write it in GRES types.
std::string gres_type(const std::string& model) {
  for (const auto word : words(model)) {
    std::string lower;
    for (const char c : word) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const bool letters_and_digits =
        std::ranges::all_of(lower, [](unsigned char c) { return std::isalnum(c) != 0; }) &&
        std::ranges::any_of(lower, [](unsigned char c) { return std::isdigit(c) != 0; });
    if (letters_and_digits) return lower;
  }
  return "gpu";
}

/// Where a driver puts the device, also before it is installed.
std::string device_file(const Accelerator& gpu, std::size_t index) {
  if (!gpu.device_file.empty()) return gpu.device_file;
  if (gpu.vendor == "nvidia") return fmt::format("/dev/nvidia{}", index);
  if (gpu.vendor == "ascend") return fmt::format("/dev/davinci{}", index);
  return fmt::format("/dev/dri/renderD{}", 128 + index);
}

Json gpu_list(const Facts& facts) {
  Json gpus = Json::array();
  for (std::size_t i = 0; i < facts.gpus.size(); ++i) {
    gpus.push_back({{"index", i},
                    {"device_file", device_file(facts.gpus[i], i)},
                    {"type", gres_type(facts.gpus[i].model)}});
  }
  return gpus;
}

std::uint64_t slurm_memory_mb(const Facts& facts) {
  return static_cast<std::uint64_t>(static_cast<double>(facts.memory_bytes / mebibyte) *
                                    slurm_memory_share);
}

Json node_entry(const Node& node, const Facts* facts, const std::string& host_key) {
  Json entry;
  entry["name"] = node.name;
  entry["address"] = node.address;
  entry["ip"] = ip_of(node, facts);
  entry["roles"] = node.roles;
  entry["is_head"] = node.has_role("head");
  entry["is_compute"] = node.has_role("compute");
  entry["labels"] = Json::object();
  for (const auto& [name, value] : node.labels) entry["labels"][name] = value;
  entry["has_fabric"] = !node.fabric.empty();
  entry["fabric_address"] = node.fabric.empty() ? node.address : node.fabric.front().address;
  entry["host_key"] = host_key;
  entry["has_host_key"] = !host_key.empty();
  entry["known"] = facts != nullptr;
  entry["hostname"] = node.name;
  if (facts == nullptr) return entry;
  if (!facts->hostname.empty()) entry["hostname"] = facts->hostname.substr(0, facts->hostname.find('.'));
  const auto [interface, network] = interface_of(*facts, entry["ip"].get<std::string>());
  entry["interface"] = interface;
  entry["network"] = network;
  const auto [fabric, fabric_network] =
      interface_of(*facts, entry["fabric_address"].get<std::string>());
  entry["fabric_interface"] = !fabric.empty() || node.fabric.empty() ? fabric : node.fabric.front().name;
  entry["fabric_network"] = fabric_network;
  entry["cpus"] = facts->cpu.logical;
  entry["sockets"] = facts->cpu.sockets;
  entry["cores_per_socket"] = facts->cpu.cores_per_socket;
  entry["threads_per_core"] = facts->cpu.threads_per_core;
  entry["memory_mb"] = facts->memory_bytes / mebibyte;
  entry["slurm_memory_mb"] = slurm_memory_mb(*facts);
  entry["arch"] = facts->arch;
  entry["os"] = fmt::format("{} {}", facts->os.id, facts->os.version);
  entry["gpu_count"] = facts->gpus.size();
  entry["has_gpus"] = !facts->gpus.empty();
  entry["gpu_vendor"] = facts->gpus.empty() ? "" : facts->gpus.front().vendor;
  entry["gpu_type"] = facts->gpus.empty() ? "" : gres_type(facts->gpus.front().model);
  entry["gpus"] = gpu_list(*facts);
  return entry;
}

/// The compute nodes below each leaf switch that a label names, as topology.conf wants them.
Json leaves_of(const Inventory& inventory) {
  std::map<std::string, std::string> nodes_of;
  for (const auto* node : inventory.with_role("compute")) {
    const auto leaf = node->labels.find("leaf");
    if (leaf == node->labels.end()) continue;
    auto& list = nodes_of[leaf->second];
    list += (list.empty() ? "" : ",") + node->name;
  }
  Json leaves = Json::array();
  for (const auto& [name, nodes] : nodes_of) {
    leaves.push_back({{"name", name}, {"nodes", nodes}, {"comma", leaves.empty() ? "" : ","}});
  }
  return leaves;
}

}  // namespace

Json shared_context(const Inventory& inventory, const Profile& profile, const ContextInputs& inputs) {
  Json context;
  for (const auto& [name, value] : profile.vars) context[name] = to_json(value);
  context["cluster"] = {{"name", inventory.name}};
  context["nodes"] = Json::array();
  context["compute"] = Json::array();
  std::optional<std::uint64_t> memory_per_cpu;
  for (const auto& node : inventory.nodes) {
    const auto facts = inputs.facts.find(node.name);
    const auto key = inputs.host_keys.find(node.name);
    const auto entry = node_entry(node, facts == inputs.facts.end() ? nullptr : &facts->second,
                                  key == inputs.host_keys.end() ? "" : key->second);
    context["nodes"].push_back(entry);
    if (entry["is_head"] == true && !context.contains("head")) context["head"] = entry;
    if (entry["is_compute"] == true && entry["known"] == true) {
      context["compute"].push_back(entry);
      const auto cpus = static_cast<std::uint64_t>(std::max(1, facts->second.cpu.logical));
      const auto share = std::max<std::uint64_t>(1, slurm_memory_mb(facts->second) / cpus);
      memory_per_cpu = memory_per_cpu ? std::min(*memory_per_cpu, share) : share;
    }
  }
  context["has_nvidia"] = std::ranges::any_of(
      context["compute"], [](const Json& entry) { return entry["gpu_vendor"] == "nvidia"; });
  context["leaves"] = leaves_of(inventory);
  context["has_leaves"] = context["leaves"].size() > 1;
  context["compute_count"] = context["compute"].size();
  context["compute_min_memory_per_cpu_mb"] = memory_per_cpu.value_or(1);
  context["secrets"] = Json::object();
  for (const auto& [name, line] : inputs.public_keys) context["secrets"][name] = {{"public", line}};
  return context;
}

bool is_container(const Facts& facts) {
  constexpr std::array containers = {"systemd-nspawn", "docker", "podman", "lxc", "container-other"};
  return std::ranges::find(containers, facts.virtualization) != containers.end();
}

Json node_context(Json shared, const Node& node, const Facts& facts) {
  for (const auto& entry : shared["nodes"]) {
    if (entry["name"] == node.name) {
      shared["node"] = entry;
      shared["node"]["expectations"] = expectations_mark;
      break;
    }
  }
  shared["os"] = {{"id", facts.os.id}, {"version", facts.os.version}, {"codename", facts.os.codename}};
  shared["cpu"] = {{"sockets", facts.cpu.sockets},
                   {"cores_per_socket", facts.cpu.cores_per_socket},
                   {"threads_per_core", facts.cpu.threads_per_core},
                   {"logical", facts.cpu.logical},
                   {"vendor", facts.cpu.vendor},
                   {"model", facts.cpu.model}};
  shared["gpu"] = {{"vendor", facts.gpus.empty() ? "" : facts.gpus.front().vendor},
                   {"model", facts.gpus.empty() ? "" : facts.gpus.front().model},
                   {"count", facts.gpus.size()}};
  shared["memory_mb"] = facts.memory_bytes / mebibyte;
  shared["arch"] = facts.arch;
  shared["kernel"] = facts.kernel;
  shared["arm64"] = facts.arch == "aarch64";
  shared["package_manager"] = facts.package_manager;
  shared["virtualization"] = facts.virtualization;
  shared["container"] = is_container(facts);
  shared["cgroup"] = {{"version", facts.cgroup_version}};
  return shared;
}

}  // namespace podwright
