#include "catalog/parsers/management.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/parsers/json_of.hpp"
#include "catalog/parsers/json_text.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright::parsing {

Result<std::vector<SelEvent>> parse_ipmi_sel(std::string_view text) {
  std::vector<SelEvent> events;
  bool empty = false;
  for (const auto& line : numbered(text)) {
    const auto row = trim(line.text);
    if (row.starts_with("SEL has no entries")) {
      empty = true;
      continue;
    }
    auto cells = split(row, '|');
    for (auto& cell : cells) cell = trim(cell);
    const bool numbered_in_hex = !cells[0].empty() && cells[0].size() <= 8 && cells[0].find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
    if (cells.size() < 4 || !numbered_in_hex) return malformed(line, "is not 'id | date | time | sensor | event | direction'");
    // Before the controller knows the time: "1 | Pre-Init |0000000012| sensor | event".
    SelEvent event{.id = std::string(cells[0]), .date = std::string(cells[1]), .time = std::string(cells[2]), .sensor = std::string(cells[3]), .event = {}, .direction = {}};
    if (cells.size() > 4) event.event = cells[4];
    if (cells.size() > 5) event.direction = cells[5];
    events.push_back(std::move(event));
  }
  if (events.empty() && !empty) return nothing_known(text, "neither an entry nor 'SEL has no entries'");
  return events;
}

Result<std::vector<std::map<std::string, std::string>>> parse_hl_smi(std::string_view text) {
  std::vector<std::map<std::string, std::string>> rows;
  std::vector<std::string> head;
  for (const auto& line : numbered(text)) {
    auto cells = split(trim(line.text), ',');
    for (auto& cell : cells) cell = trim(cell);
    if (head.empty()) {
      if (std::ranges::find(cells, "bus_id") == cells.end() && std::ranges::find(cells, "index") == cells.end()) {
        return malformed(line, "is not the head of hl-smi -Q: it names neither 'index' nor 'bus_id'");
      }
      for (const auto cell : cells) head.emplace_back(cell.substr(0, cell.find(" [")));
      continue;
    }
    if (cells.size() != head.size()) return malformed(line, fmt::format("has {} values under {} names", cells.size(), head.size()));
    std::map<std::string, std::string> row;
    for (std::size_t i = 0; i < head.size(); ++i) row[head[i]] = cells[i];
    rows.push_back(std::move(row));
  }
  if (head.empty()) return nothing_known(text, "no line of names");
  return rows;
}

namespace {

Result<Json> sel_as_json(std::string_view text) {
  const auto events = parse_ipmi_sel(text);
  if (!events) return fail(events.error());
  Json all = Json::array();
  for (const auto& event : *events) {
    all.push_back({{"id", event.id}, {"date", event.date}, {"time", event.time}, {"sensor", event.sensor}, {"event", event.event}, {"direction", event.direction}});
  }
  return Json{{"events", all}};
}

Result<Json> hl_smi_as_json(std::string_view text) {
  const auto rows = parse_hl_smi(text);
  if (!rows) return fail(rows.error());
  return Json{{"accelerators", *rows}};
}

/// ipmi-sensors of FreeIPMI: "70,PWR_PSU0,Power Supply,0.00,W,'OK'".
Result<Json> sensors_as_json(std::string_view text) {
  Json all = Json::array();
  for (const auto& line : numbered(text)) {
    const auto cells = split(trim(line.text), ',');
    if (cells.size() < 6 || !to_int(trim(cells[0]))) {
      if (trim(line.text).starts_with("ID,")) continue;
      return malformed(line, "is not 'id,name,type,reading,unit,event'");
    }
    const auto last = line.text.find('\'');
    all.push_back({{"id", *to_int(trim(cells[0]))}, {"name", std::string(cells[1])}, {"type", std::string(cells[2])}, {"reading", optional_json(leading_number(cells[3]))},
                   {"unit", is_absent(cells[4]) ? Json(nullptr) : Json(std::string(cells[4]))},
                   {"event", last == std::string_view::npos ? std::string(cells[5]) : std::string(trim(line.text.substr(last)))}});
  }
  if (all.empty()) return nothing_known(text, "no sensor");
  return Json{{"sensors", all}};
}

/// "IDLE+DRAIN", "down*" -> the words, lower case.
Json state_words(std::string_view state) {
  Json all = Json::array();
  for (auto part : split(state, '+')) {
    if (part.ends_with('*')) {
      part.remove_suffix(1);
      all.push_back("not_responding");
    }
    if (!part.empty()) all.push_back(lower(part));
  }
  return all;
}

/// sinfo, with its head (NODELIST … STATE …), and counts of nodes by state ("1224 ALLOCATED").
Result<Json> sinfo_as_json(std::string_view text) {
  Json all = Json::array();
  std::vector<std::string> head;
  for (const auto& line : numbered(text)) {
    const auto cells = words(line.text);
    if (cells.size() == 2 && to_int(cells[0]) && *to_int(cells[0]) >= 0) {
      all.push_back({{"count", *to_int(cells[0])}, {"states", state_words(cells[1])}});
      continue;
    }
    if (head.empty()) {
      if (std::ranges::find(cells, "STATE") == cells.end() && std::ranges::find(cells, "NODELIST") == cells.end()) {
        return malformed(line, "is neither the head of sinfo (… STATE … NODELIST) nor 'COUNT STATE'");
      }
      for (const auto cell : cells) head.push_back(lower(cell));
      continue;
    }
    if (cells.size() < head.size() && head.back() != "reason") return malformed(line, fmt::format("has fewer than {} columns", head.size()));
    Json row = Json::object();
    for (std::size_t i = 0; i < head.size() && i < cells.size(); ++i) row[head[i]] = std::string(cells[i]);
    if (row.contains("state")) row["states"] = state_words(row["state"].get<std::string>());
    all.push_back(std::move(row));
  }
  if (all.empty() && head.empty()) return nothing_known(text, "no line of sinfo");
  return Json{{"rows", all}};
}

Result<Json> scontrol_as_json(std::string_view text) {
  const auto parsed = parse_scontrol_nodes(text);
  if (!parsed) return fail(parsed.error());
  Json nodes = Json::array();
  for (const auto& fields : *parsed) {
    Json node = Json::object();
    for (const auto& [key, value] : fields) node[key] = value;
    if (node.contains("State")) node["states"] = state_words(node["State"].get<std::string>());
    nodes.push_back(std::move(node));
  }
  return Json{{"nodes", nodes}};
}

const Registered sel{Parser{.kind = "ipmi-sel", .summary = "the event log of the management controller", .command = "ipmitool sel elist", .parse = sel_as_json}};
const Registered sensors{Parser{.kind = "ipmi-sensors", .summary = "the sensors of the management controller", .command = "ipmi-sensors --comma-separated-output", .parse = sensors_as_json}};
const Registered hl_smi{Parser{.kind = "hl-smi", .summary = "Intel Gaudi accelerators", .command = "hl-smi -Q index,bus_id,name,driver_version,… -f csv", .parse = hl_smi_as_json}};
const Registered sinfo{Parser{.kind = "sinfo", .summary = "the nodes and their states in Slurm", .command = "sinfo -N -l", .parse = sinfo_as_json}};
const Registered scontrol{Parser{.kind = "scontrol-node", .summary = "what Slurm's controller knows of nodes", .command = "scontrol -o show node", .parse = scontrol_as_json}};

}  // namespace

/// "Key=value" with blanks only within OS= and Reason=; a node's lines are indented, an empty one ends it, and with
/// --oneliner all of it is one line.
Result<std::vector<SlurmFields>> parse_scontrol_nodes(std::string_view text) {
  std::vector<SlurmFields> nodes;
  std::string key;
  for (const auto& line : numbered(text)) {
    for (const auto word : words(line.text)) {
      const auto at = word.find('=');
      const bool is_key = at != std::string_view::npos && at > 0 &&
                          word.substr(0, at).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz:/_") == std::string_view::npos &&
                          (key != "Reason" || word.starts_with("NodeName="));
      if (is_key && word.starts_with("NodeName=")) nodes.emplace_back();
      if (nodes.empty()) return malformed(line, "stands before the first NodeName=");
      auto& fields = nodes.back();
      if (is_key) {
        key = word.substr(0, at);
        auto same = std::ranges::find(fields, key, &SlurmFields::value_type::first);
        if (same == fields.end()) fields.emplace_back(key, word.substr(at + 1));
        else same->second = word.substr(at + 1);
      } else if (!key.empty()) {
        std::ranges::find(fields, key, &SlurmFields::value_type::first)->second += " " + std::string(word);
      }
    }
    if (key == "Reason") key.clear();  // it ends with its line
  }
  if (nodes.empty()) return nothing_known(text, "no NodeName=");
  return nodes;
}

}  // namespace podwright::parsing
