// Every node by its name: proven by asking the head's resolver for each.
#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/handoffs/proof_script.hpp"

namespace podwright {
namespace {

using namespace handoffs;

/// The nodes that are handed over, whatever their role.
std::vector<const Node*> known_nodes(const HandoffContext& context) {
  std::vector<const Node*> nodes;
  for (const auto& node : context.inventory.nodes) {
    if (context.facts.contains(node.name)) nodes.push_back(&node);
  }
  return nodes;
}

std::string proof(const HandoffContext& context) {
  std::string script(section_functions());
  // ahosts asks as programs do: all families, in the order of nsswitch.conf.
  script +=
      "look() {\n"
      "  begin \"$1 $2\"\n"
      "  timeout -k 2 20 getent ahosts \"$2\" </dev/null 2>&1\n"
      "  end\n"
      "}\n";
  for (const auto* node : known_nodes(context)) {
    script += fmt::format("look name {}\n", sh::quote(node->name));
    script += fmt::format("look address {}\n", sh::quote(node->address));
  }
  return script;
}

/// The addresses that getent printed: the first word of each line.
std::vector<std::string> addresses_in(const Section* section) {
  std::vector<std::string> addresses;
  if (section == nullptr) return addresses;
  for (const auto& line : section->lines) {
    const auto parts = words(line);
    if (parts.size() >= 2 && std::ranges::find(addresses, parts[0]) == addresses.end()) {
      addresses.emplace_back(parts[0]);
    }
  }
  return addresses;
}

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1";
}

ProofResult judge(const Observed& observed, const HandoffContext& context) {
  const auto sections = sections_of(observed.out);
  const auto nodes = known_nodes(context);
  std::vector<std::string> reasons;
  if (nodes.empty()) reasons.emplace_back("no node is healthy: there is nothing to prove");
  for (const auto* node : nodes) {
    const auto* asked = find_section(sections, "name " + node->name);
    if (asked == nullptr || !asked->exit_status) {
      reasons.push_back(fmt::format("{}: the head's resolver was not heard{}", node->name,
                                    observed.timed_out ? " before the deadline" : ""));
      continue;
    }
    const auto found = addresses_in(asked);
    if (found.empty()) {
      reasons.push_back(fmt::format("{} is not known to the head", node->name));
      continue;
    }
    auto wanted = addresses_in(find_section(sections, "address " + node->address));
    if (wanted.empty()) wanted.push_back(node->address);
    const auto loopback = std::ranges::find_if(found, is_loopback);
    if (loopback != found.end()) {
      reasons.push_back(
          fmt::format("{} is {} on the head, which leads nowhere from other nodes (a line "
                      "of the installer in /etc/hosts?)",
                      node->name, *loopback));
    } else if (std::ranges::find_first_of(found, wanted) == found.end()) {
      reasons.push_back(fmt::format("{} is {} on the head, not {}", node->name,
                                    join(found, " and "), join(wanted, " or ")));
    }
  }
  return conclude("hosts", "getent ahosts NODE", observed, reasons,
                  fmt::format("the head resolves {} to the addresses of the inventory",
                              count_of(nodes.size(), "name")));
}

const Registered hosts{Handoff{
    .name = "hosts",
    .summary = "Names and host keys of all nodes on all nodes",
    .component = "handoff/hosts",
    .proof = proof,
    .judge = judge,
    .deadline = std::chrono::seconds{120},
}};

}  // namespace
}  // namespace podwright
