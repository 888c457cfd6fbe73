// lldpctl -f keyvalue: "lldp.eth1.chassis.name=leaf01". An interface may hear several neighbours, and its
// name may hold dots (eth1.100).
#include "catalog/parsers/lldp.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"
#include "catalog/parsers/tool_lines.hpp"
#include "catalog/registry.hpp"

namespace podwright::parsing {

namespace {

Result<Json> parse(std::string_view text) {
  const auto neighbours = read_lldp(text);
  if (!neighbours) return fail(neighbours.error());
  if (neighbours->empty()) return nothing_found("lldpctl", "neighbour", text);
  Json all = Json::array();
  for (const auto& one : *neighbours) {
    all.push_back({{"interface", one.interface}, {"system", one.system}, {"port", one.port}});
  }
  return Json{{"neighbours", std::move(all)}};
}

const Registered lldp{Parser{.kind = "lldpctl", .summary = "which switch is at the other end of an interface", .command = "lldpctl -f keyvalue", .parse = parse}};

}  // namespace

Result<std::vector<LldpNeighbour>> read_lldp(std::string_view text) {
  std::vector<LldpNeighbour> all;
  for (const auto& line : numbered_lines(text)) {
    if (line.text.empty()) continue;
    const auto equals = line.text.find('=');
    if (!line.text.starts_with("lldp.") || equals == std::string_view::npos) {
      // Values of several lines (system descriptions) go on without a key.
      if (!all.empty()) continue;
      return unreadable("lldpctl", line, "this is no key of lldpctl -f keyvalue");
    }
    const auto key = line.text.substr(5, equals - 5);
    const auto value = std::string(line.text.substr(equals + 1));
    for (const std::string_view what : {".chassis.", ".port.", ".via"}) {
      const auto at = key.find(what);
      if (at == std::string_view::npos) continue;
      const auto interface = std::string(key.substr(0, at));
      // "via" begins a neighbour.
      if (what == ".via" || all.empty() || all.back().interface != interface) {
        if (what != ".via" || all.empty() || all.back().interface != interface || !all.back().system.empty()) {
          all.push_back({.interface = interface, .system = {}, .port = {}});
        }
      }
      const auto leaf = key.substr(at);
      auto& now = all.back();
      if (leaf == ".chassis.name") now.system = value;
      if ((leaf == ".chassis.mac" || leaf == ".chassis.local" || leaf == ".chassis.ip") && now.system.empty()) now.system = value;
      if (leaf == ".port.ifname" || (leaf.starts_with(".port.") && now.port.empty())) now.port = value;
      break;
    }
  }
  std::erase_if(all, [](const LldpNeighbour& one) { return one.system.empty(); });
  return all;
}

}  // namespace podwright::parsing
