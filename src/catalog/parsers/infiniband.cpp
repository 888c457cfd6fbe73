#include "catalog/parsers/infiniband.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/parsers/json_of.hpp"
#include "catalog/parsers/json_text.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright::parsing {

namespace {

/// ibstat: "CA 'mlx5_0'", its fields, "Port 1:", the port's fields.
Result<Json> ibstat_as_json(std::string_view text) {
  Json devices = Json::array();
  Json complaints = Json::array();
  Json* port = nullptr;
  for (const auto& line : numbered(text)) {
    const auto row = trim(line.text);
    if (row.starts_with("CA '") && row.ends_with('\'') && row.size() > 5) {
      devices.push_back({{"name", std::string(row.substr(4, row.size() - 5))}, {"ports", Json::array()}});
      port = nullptr;
      continue;
    }
    if (row.starts_with("ibpanic:") || row.starts_with("ibwarn:") || row.find(": iberror:") != std::string_view::npos) {
      complaints.push_back(beginning(row, 300));
      continue;
    }
    if (devices.empty()) return malformed(line, "stands before the first CA 'NAME'");
    const auto pair = key_value(row);
    if (!pair) return malformed(line, "is not 'name: value'");
    auto& device = devices.back();
    const std::string value(pair->second);
    if (pair->first.starts_with("Port ") && value.empty()) {
      const auto number = to_int(pair->first.substr(5));
      if (!number || *number < 0 || *number > 255) return malformed(line, "is not 'Port N:'");
      device["ports"].push_back({{"port", *number}});
      port = &device["ports"].back();
      continue;
    }
    if (port == nullptr) {
      for (const auto& [key, name] : {std::pair{"CA type", "type"}, {"Firmware version", "firmware"}, {"Hardware version", "hardware"},
                                      {"Node GUID", "node_guid"}, {"System image GUID", "system_guid"}}) {
        if (pair->first == key) device[name] = value;
      }
      continue;
    }
    if (pair->first == "Rate") {
      const auto rate = leading_number(value);
      if (!rate || *rate < 0 || *rate > 1e6) return malformed(line, "its rate is no number");
      (*port)["rate_gbps"] = *rate;
    }
    for (const auto& [key, name] : {std::pair{"State", "state"}, {"Physical state", "physical_state"}, {"Link layer", "link_layer"}, {"Port GUID", "guid"}}) {
      if (pair->first == key) (*port)[name] = value;
    }
    for (const auto& [key, name] : {std::pair{"Base lid", "lid"}, {"SM lid", "sm_lid"}}) {
      if (pair->first == key) (*port)[name] = optional_json(leading_int(value));
    }
  }
  if (devices.empty()) return nothing_known(text, "no CA 'NAME'");
  return Json{{"devices", devices}, {"complaints", complaints}};
}

/// ibstatus: "Infiniband device 'mlx5_0' port 1 status:", then its fields.
Result<Json> ibstatus_as_json(std::string_view text) {
  Json ports = Json::array();
  for (const auto& line : numbered(text)) {
    const auto row = trim(line.text);
    const auto parts = words(row);
    if (row.starts_with("Infiniband device '")) {
      const auto number = parts.size() >= 6 ? to_int(parts[4]) : std::nullopt;
      if (!number || parts[2].size() < 3) return malformed(line, "is not Infiniband device 'NAME' port N status:");
      ports.push_back({{"device", std::string(parts[2].substr(1, parts[2].size() - 2))}, {"port", *number}});
      continue;
    }
    if (ports.empty()) return malformed(line, "stands before the first \"Infiniband device 'NAME' port N status:\"");
    const auto pair = key_value(row);
    if (!pair) return malformed(line, "is not 'name: value'");
    auto& port = ports.back();
    auto value = std::string(pair->second);
    // "4: ACTIVE"
    const auto text_of_state = value.find(": ") == std::string::npos ? value : value.substr(value.find(": ") + 2);
    if (pair->first == "state") port["state"] = text_of_state;
    if (pair->first == "phys state") port["physical_state"] = text_of_state;
    if (pair->first == "rate") port["rate_gbps"] = optional_json(leading_number(value));
    if (pair->first == "link_layer") port["link_layer"] = value;
    if (pair->first == "default gid") port["gid"] = value;
  }
  if (ports.empty()) return nothing_known(text, "no port of an InfiniBand device");
  return Json{{"ports", ports}};
}

/// ibv_devinfo, with or without -v: "hca_id:", fields, "port:", fields.
Result<Json> devinfo_as_json(std::string_view text) {
  Json devices = Json::array();
  Json* port = nullptr;
  for (const auto& line : numbered(text)) {
    const auto pair = key_value(line.text);
    if (pair && pair->first == "hca_id") {
      if (pair->second.empty()) return malformed(line, "names no device");
      devices.push_back({{"name", std::string(pair->second)}, {"ports", Json::array()}});
      port = nullptr;
      continue;
    }
    if (devices.empty()) return malformed(line, "stands before the first 'hca_id: NAME'");
    if (!pair) continue;  // flags of -v, one a line
    const std::string value(pair->second);
    if (pair->first == "port") {
      const auto number = to_int(value);
      if (!number || *number < 0 || *number > 255) return malformed(line, "is not 'port: N'");
      devices.back()["ports"].push_back({{"port", *number}});
      port = &devices.back()["ports"].back();
      continue;
    }
    auto& place = port == nullptr ? devices.back() : *port;
    for (const auto& [key, name] : {std::pair{"fw_ver", "firmware"}, {"board_id", "board"}, {"transport", "transport"}, {"node_guid", "node_guid"},
                                    {"state", "state"}, {"link_layer", "link_layer"}, {"vendor_id", "vendor"}, {"vendor_part_id", "part"}}) {
      if (pair->first == key) place[name] = value;
    }
    for (const auto* key : {"max_mtu", "active_mtu", "port_lid", "sm_lid"}) {
      if (pair->first == key) place[key] = optional_json(leading_int(value));
    }
  }
  if (devices.empty()) return nothing_known(text, "no 'hca_id: NAME'");
  return Json{{"devices", devices}};
}

}  // namespace

Result<std::vector<PortCounters>> parse_perfquery(std::string_view text) {
  std::vector<PortCounters> ports;
  for (const auto& line : numbered(text)) {
    const auto row = trim(line.text);
    if (row.starts_with("# Port")) {
      const auto parts = words(row);
      const auto lid = std::ranges::find(parts, "Lid");
      const auto port = std::ranges::find(parts, "port");
      if (lid == parts.end() || port == parts.end() || lid + 1 == parts.end() || port + 1 == parts.end() || !to_int(*(lid + 1)) || !to_int(*(port + 1))) {
        return malformed(line, "is not '# Port … counters: Lid N port N'");
      }
      ports.push_back({.lid = *to_int(*(lid + 1)), .port = *to_int(*(port + 1)), .counters = {}});
      continue;
    }
    if (ports.empty()) return malformed(line, "stands before the first '# Port … counters'");
    const auto colon = row.find(":.");
    const auto dots = row.find_last_of('.');
    if (colon == std::string_view::npos || dots == std::string_view::npos || dots < colon) return malformed(line, "is not 'Name:....N'");
    const auto value = row.substr(dots + 1);
    const auto count = to_int(value);
    if (count) ports.back().counters[std::string(row.substr(0, colon))] = *count;
    else if (!value.starts_with("0x")) return malformed(line, "its counter is no number");
  }
  if (ports.empty()) return nothing_known(text, "no '# Port … counters'");
  return ports;
}

Result<Mlxlink> parse_mlxlink(std::string_view text) {
  const auto brace = text.find('{');
  if (brace == std::string_view::npos) return nothing_known(text, "no JSON of mlxlink --json");
  const auto before = trim(text.substr(0, brace));
  if (before.starts_with("Error") || before.starts_with("-E-")) return malformed(numbered(text).front(), "is an error of mlxlink");
  const auto document = parse_json_text(text, brace);
  if (!document) return fail(document.error());
  const auto* result = member(*document, "result");
  const auto* output = result == nullptr ? nullptr : member(*result, "output");
  if (output == nullptr || !output->is_object()) return nothing_known(text, "no result.output of mlxlink");
  Mlxlink link;
  const Json none = Json::object();
  const auto part = [&](const char* name) -> const Json& {
    const auto* found = member(*output, name);
    return found == nullptr ? none : *found;
  };
  const auto& operational = part("Operational Info");
  link.state = text_member(operational, "State");
  link.physical_state = text_member(operational, "Physical state");
  link.speed = text_member(operational, "Speed");
  link.width = text_member(operational, "Width");
  link.recommendation = text_member(part("Troubleshooting Info"), "Recommendation");
  const auto& counters = part("Physical Counters and BER Info");
  link.raw_ber = number_member(counters, "Raw Physical BER");
  link.effective_ber = number_member(counters, "Effective Physical BER");
  link.effective_errors = int_member(counters, "Effective Physical Errors");
  if (link.state.empty()) return nothing_known(text, "no 'State' below 'Operational Info'");
  return link;
}

Result<std::vector<Gid>> parse_show_gids(std::string_view text) {
  std::vector<Gid> all;
  bool begun = false;
  for (const auto& line : numbered(text)) {
    const auto cells = words(line.text);
    if (cells[0] == "DEV") {
      begun = true;
      continue;
    }
    if (cells[0].starts_with("---") || cells[0].starts_with("n_gids_found")) continue;
    if (!begun) return malformed(line, "stands before the head 'DEV PORT INDEX GID'");
    const auto port = cells.size() >= 4 ? to_int(cells[1]) : std::nullopt;
    const auto index = cells.size() >= 4 ? to_int(cells[2]) : std::nullopt;
    if (!port || !index) return malformed(line, "is not 'device port index gid'");
    Gid gid{.device = std::string(cells[0]), .port = *port, .index = *index, .gid = std::string(cells[3]), .ipv4 = {}, .version = {}, .netdev = {}};
    for (std::size_t i = 4; i < cells.size(); ++i) {
      if (cells[i] == "v1" || cells[i] == "v2") gid.version = cells[i];
      else if (gid.version.empty() && cells[i].find('.') != std::string_view::npos) gid.ipv4 = cells[i];
      else gid.netdev = cells[i];
    }
    all.push_back(std::move(gid));
  }
  if (!begun) return nothing_known(text, "no table of show_gids");
  return all;
}

namespace {

Result<Json> perfquery_as_json(std::string_view text) {
  const auto ports = parse_perfquery(text);
  if (!ports) return fail(ports.error());
  Json all = Json::array();
  for (const auto& port : *ports) all.push_back({{"lid", port.lid}, {"port", port.port}, {"counters", port.counters}});
  return Json{{"ports", all}};
}

Result<Json> mlxlink_as_json(std::string_view text) {
  const auto link = parse_mlxlink(text);
  if (!link) return fail(link.error());
  return Json{{"state", link->state}, {"physical_state", link->physical_state}, {"speed", link->speed}, {"width", link->width},
              {"recommendation", link->recommendation}, {"raw_ber", optional_json(link->raw_ber)},
              {"effective_ber", optional_json(link->effective_ber)}, {"effective_errors", optional_json(link->effective_errors)}};
}

Result<Json> gids_as_json(std::string_view text) {
  const auto gids = parse_show_gids(text);
  if (!gids) return fail(gids.error());
  Json all = Json::array();
  for (const auto& gid : *gids) {
    all.push_back({{"device", gid.device}, {"port", gid.port}, {"index", gid.index}, {"gid", gid.gid}, {"ipv4", gid.ipv4}, {"version", gid.version}, {"netdev", gid.netdev}});
  }
  return Json{{"gids", all}};
}

const Registered ibstat_parser{Parser{.kind = "ibstat", .summary = "InfiniBand adapters and the state and rate of their ports", .command = "ibstat", .parse = ibstat_as_json}};
const Registered ibstatus_parser{Parser{.kind = "ibstatus", .summary = "state and rate of InfiniBand ports", .command = "ibstatus", .parse = ibstatus_as_json}};
const Registered devinfo_parser{Parser{.kind = "ibv_devinfo", .summary = "RDMA devices: firmware, board, MTU", .command = "ibv_devinfo", .parse = devinfo_as_json}};
const Registered perfquery_parser{Parser{.kind = "perfquery", .summary = "the counters of InfiniBand ports", .command = "perfquery -x", .parse = perfquery_as_json}};
const Registered mlxlink_parser{Parser{.kind = "mlxlink", .summary = "a link's state and its bit error rates", .command = "mlxlink -d mlx5_0 -c --json", .parse = mlxlink_as_json}};
const Registered gids_parser{Parser{.kind = "show_gids", .summary = "the GID tables of RoCE ports", .command = "show_gids", .parse = gids_as_json}};

}  // namespace

}  // namespace podwright::parsing
