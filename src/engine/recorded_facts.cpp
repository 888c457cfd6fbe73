#include "engine/recorded_facts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "catalog/registry.hpp"
#include "config/json.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

constexpr const char* kRemedy =
    "record them with `podwright facts --output json >FILE`, or unpack a `podwright snapshot`";

Result<Gathered> from_document(const fs::path& file) {
  const auto text = read_file(file);
  if (!text) return fail(Fault::usage, text.error().what, kRemedy);
  const auto document = Json::parse(*text, nullptr, false);
  if (!document.is_object() || !document.contains("nodes") || !document["nodes"].is_object()) {
    return fail(Fault::usage, fmt::format("{} does not hold facts: it has no \"nodes\"", file.string()),
                kRemedy);
  }
  Gathered recorded;
  for (const auto& [name, one] : document["nodes"].items()) {
    auto facts = facts_from_json(one);
    if (!facts) {
      return fail(Fault::usage, fmt::format("{}: node {}: {}", file.string(), name, facts.error().what),
                  kRemedy);
    }
    facts->node = name;
    recorded.facts.emplace(name, std::move(*facts));
  }
  if (document.contains("failed") && document["failed"].is_object()) {
    for (const auto& [name, error] : document["failed"].items()) {
      const auto what = error.is_object() ? error.value("what", "no reason was recorded") : "";
      recorded.failed.emplace(
          name, Error{.fault = Fault::unreachable, .what = "when the facts were recorded: " + what, .node = name});
    }
  }
  return recorded;
}

Observed snapshot_of_probe(const fs::path& folder, std::string_view id) {
  const auto part = [&](const char* suffix) {
    return read_file(folder / (std::string(id) + suffix)).value_or(std::string{});
  };
  const auto exit = to_int(trim(part(".exit")));
  return {.exit_status = exit ? static_cast<int>(*exit) : 255,
          .out = part(".out"),
          .err = exit ? part(".err") : "it is not in the snapshot\n"};
}

Result<Gathered> from_snapshot(const fs::path& folder) {
  std::error_code problem;
  Gathered recorded;
  for (const auto& entry : fs::directory_iterator(folder / "nodes", problem)) {
    const auto name = entry.path().filename().string();
    std::map<std::string_view, Observed> observed;
    for (const auto& probe : catalog<Probe>()) {
      observed[probe.id] = snapshot_of_probe(entry.path(), probe.id);
    }
    recorded.facts.emplace(name, facts_from_probes(name, observed));
  }
  if (!recorded.facts.empty()) return recorded;
  return fail(Fault::usage, fmt::format("{} is not an unpacked snapshot: nothing is in {}", folder.string(),
                                        (folder / "nodes").string()),
              kRemedy);
}

std::string address_of(const Facts& facts) {
  for (const auto& nic : facts.nics) {
    if (nic.name == "lo" || nic.addresses.empty()) continue;
    const auto& cidr = nic.addresses.front();
    return cidr.substr(0, cidr.find('/'));
  }
  return facts.node;
}

}  // namespace

Result<Gathered> recorded_facts(const fs::path& path) {
  return fs::is_directory(path) ? from_snapshot(path) : from_document(path);
}

Inventory inventory_of(const Gathered& recorded) {
  Inventory inventory;
  inventory.name = "recorded";
  inventory.directory = ".";
  for (const auto& [name, facts] : recorded.facts) {
    Node node;
    node.name = name;
    node.address = address_of(facts);
    node.roles = {"compute"};
    inventory.nodes.push_back(std::move(node));
  }
  if (inventory.nodes.empty()) return inventory;
  const auto named = std::ranges::find(inventory.nodes, "head", &Node::name);
  auto& head = named == inventory.nodes.end() ? inventory.nodes.front() : *named;
  head.roles = inventory.nodes.size() == 1 ? std::vector<std::string>{"head", "compute"}
                                           : std::vector<std::string>{"head"};
  std::iter_swap(inventory.nodes.begin(), inventory.nodes.begin() + (&head - inventory.nodes.data()));
  return inventory;
}

}  // namespace podwright
