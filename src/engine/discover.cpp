#include "engine/discover.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "base/text.hpp"
#include "transport/scan.hpp"
#include "transport/ssh_transport.hpp"

namespace podwright {

namespace {

std::string status_of(ScanState state) {
  switch (state) {
    case ScanState::ssh: return "ok";
    case ScanState::open: return "no-ssh";
    case ScanState::refused: return "refused";
    case ScanState::no_answer:
    case ScanState::unreachable: return "unreachable";
  }
  return "unreachable";
}

std::string status_of(const Error& error) {
  if (error.fault == Fault::auth) return "auth";
  if (error.fault == Fault::unreachable || error.fault == Fault::timeout) return "unreachable";
  return "failed";
}

/// What a machine calls itself, as a name that cluster.toml takes: the first label of its host name.
/// Machines that still have an installer's name get one made from their address.
std::string name_for(const std::string& hostname, const std::string& address,
                     const std::set<std::string>& taken) {
  std::string name;
  for (const char c : hostname.substr(0, hostname.find('.'))) {
    const bool fits = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
    if (fits) name += c;
  }
  if (name.empty() || name == "localhost" || name == "localhost-live") {
    name = "node-" + address;
    std::ranges::replace_if(name, [](char c) { return c == '.' || c == ':'; }, '-');
  }
  auto unique = name;
  for (int i = 2; taken.contains(unique); ++i) unique = fmt::format("{}-{}", name, i);
  return unique;
}

const Node* known_by_address(const Inventory& inventory, const std::string& address, int port) {
  const auto found = std::ranges::find_if(inventory.nodes, [&](const Node& node) {
    return node.address == address && node.ssh.port == port;
  });
  return found == inventory.nodes.end() ? nullptr : &*found;
}

Result<std::vector<ScanTarget>> targets_of(const Inventory& inventory, const DiscoverOptions& options) {
  std::vector<ScanTarget> targets;
  if (options.targets.empty()) {
    for (const auto& node : inventory.nodes) targets.push_back({node.address, node.ssh.port});
    if (targets.empty()) {
      return fail(Fault::usage, "there is nothing to look for",
                  "name the network: podwright discover 10.0.0.0/24");
    }
    return targets;
  }
  std::set<std::string> seen;
  for (const auto& text : options.targets) {
    auto addresses = expand_targets(text);
    if (!addresses) return fail(addresses.error());
    for (auto& address : *addresses) {
      if (seen.insert(address).second) targets.push_back({std::move(address), inventory.ssh.port});
    }
  }
  return targets;
}

/// The inventory of a login to whatever answered: nodes are called by their address and port, because
/// they have no name yet.
Inventory candidates(const Inventory& inventory, const std::vector<ScanResult>& results) {
  Inventory all = inventory;
  all.nodes.clear();
  for (const auto& result : results) {
    if (result.state != ScanState::ssh) continue;
    Node node;
    if (const auto* known =
            known_by_address(inventory, result.target.address, result.target.port)) {
      node = *known;
    } else {
      node.address = result.target.address;
      node.ssh = inventory.ssh;
      node.ssh.port = result.target.port;
    }
    node.name = fmt::format("{}:{}", result.target.address, result.target.port);
    all.nodes.push_back(std::move(node));
  }
  return all;
}

}  // namespace

Result<Discovery> discover(const Inventory& inventory, const DiscoverOptions& options,
                           events::Bus& events, std::stop_token stop) {
  const auto targets = targets_of(inventory, options);
  if (!targets) return fail(targets.error());

  events.emit(events::PhaseStarted{"scan", targets->size()});
  std::size_t scanned = 0;
  ScanOptions scan_options;
  scan_options.rate = options.rate;
  scan_options.timeout = options.timeout;
  const auto results = scan(*targets, scan_options, stop, [&](const ScanResult& result) {
    events.emit(events::Progress{"scan", ++scanned, targets->size(), result.target.address});
  });
  events.emit(events::PhaseFinished{"scan", results.has_value(), {}});
  if (!results) return fail(results.error());

  const auto reached = candidates(inventory, *results);
  auto ssh = options.ssh;
  ssh.host_keys = HostKeyPolicy::pin_new;
  if (options.accept_changed_keys) {
    for (const auto& target : *targets) ssh.accept_new_keys.insert(target.address);
  }
  SshTransport transport(reached.nodes, ssh);
  Site site{reached, reached.names(), transport, events, stop};
  auto facts = gather_facts(site);
  if (stop.stop_requested()) return fail(Fault::cancelled, "interrupted");

  Discovery discovery;
  std::set<std::string> taken;
  for (const auto& node : inventory.nodes) taken.insert(node.name);
  std::map<std::string, std::string> machines;  // boot id -> node: one machine may have many addresses
  bool have_head = !inventory.with_role("head").empty();
  for (const auto& result : *results) {
    const auto& address = result.target.address;
    const auto* known = known_by_address(inventory, address, result.target.port);
    FoundNode found{.name = known == nullptr ? "" : known->name,
                    .address = address,
                    .status = status_of(result.state)};
    const auto label = fmt::format("{}:{}", address, result.target.port);
    const auto answer = facts.find(label);
    if (answer == facts.end()) {
      found.reason = result.detail;
      discovery.found.push_back(std::move(found));
      continue;
    }
    if (const auto key = transport.host_key(label)) found.host_key = key->fingerprint();
    if (!answer->second) {
      found.status = status_of(answer->second.error());
      found.reason = answer->second.error().what;
      if (!answer->second.error().hint.empty()) found.reason += " (" + answer->second.error().hint + ")";
      discovery.found.push_back(std::move(found));
      continue;
    }
    auto& machine = *answer->second;
    const auto twin = machines.find(machine.boot_id);
    if (twin != machines.end() && !machine.boot_id.empty() && known == nullptr) {
      found.status = "duplicate";
      found.name = twin->second;
      found.reason = fmt::format("another address of {}", twin->second);
      discovery.found.push_back(std::move(found));
      continue;
    }
    if (known == nullptr) {
      found.name = name_for(machine.hostname, address, taken);
      found.added = true;
      taken.insert(found.name);
      Node node;
      node.name = found.name;
      node.address = address;
      node.ssh = inventory.ssh;
      node.ssh.port = result.target.port;
      node.roles = {have_head ? "compute" : "head"};
      have_head = true;
      discovery.new_nodes.push_back(std::move(node));
    }
    machines.emplace(machine.boot_id, found.name);
    machine.node = found.name;
    discovery.facts.emplace(found.name, std::move(machine));
    discovery.found.push_back(std::move(found));
  }
  discovery.classes = classify(discovery.facts);
  for (auto& found : discovery.found) {
    for (const auto& one : discovery.classes) {
      if (found.status == "ok" && std::ranges::find(one.nodes, found.name) != one.nodes.end()) {
        found.hardware_class = one.id;
      }
    }
  }
  return discovery;
}

}  // namespace podwright
