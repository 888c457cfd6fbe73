#include "catalog/parsers/ascend.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/parsers/json_of.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright::parsing {

namespace {

std::vector<std::string_view> cells_of(std::string_view row) {
  auto cells = split(row.substr(1, row.size() - 2), '|');
  for (auto& cell : cells) cell = trim(cell);
  return cells;
}

/// "3338 / 65536", "51255/ 65536", "0    / 0": pairs of numbers, however they are spaced.
std::vector<std::pair<std::int64_t, std::int64_t>> usages(std::string_view text) {
  std::vector<std::pair<std::int64_t, std::int64_t>> all;
  for (std::size_t slash = text.find('/'); slash != std::string_view::npos; slash = text.find('/', slash + 1)) {
    const auto before = words(text.substr(0, slash));
    if (before.empty()) continue;
    const auto used = to_int(before.back());
    const auto total = leading_int(text.substr(slash + 1));
    if (used && total) all.emplace_back(*used, *total);
  }
  return all;
}

Result<AscendChip> read_first_row(const Line& line, const std::vector<std::string_view>& cells) {
  const auto parts = words(cells[0]);
  const auto npu = parts.size() == 2 ? to_int(parts[0]) : std::nullopt;
  if (!npu || *npu < 0) return malformed(line, "does not begin with the number and name of an NPU");
  AscendChip chip;
  chip.npu = *npu;
  chip.name = parts[1];
  chip.health = cells[1];
  const auto figures = words(cells[2]);
  if (figures.size() < 2) return malformed(line, "tells neither power nor temperature");
  chip.power_w = leading_number(figures[0]);  // "-" on systems on a chip
  chip.temperature_c = leading_number(figures[1]);
  if (chip.health.empty()) return malformed(line, "tells no health");
  return chip;
}

Status read_second_row(const Line& line, const std::vector<std::string_view>& cells, AscendChip& chip) {
  const auto parts = words(cells[0]);
  const auto number = parts.empty() ? std::nullopt : to_int(parts[0]);
  if (!number || *number < 0) return malformed(line, "does not begin with the number of a chip");
  chip.chip = *number;
  if (!is_absent(cells[1])) {
    chip.slot = pci_slot(cells[1]);
    if (!reading::is_pci_slot(chip.slot)) return malformed(line, "its Bus-Id is not a PCI address");
  }
  chip.aicore_percent = leading_number(cells[2]);
  const auto all = usages(cells[2]);
  if (!all.empty()) std::tie(chip.memory_used_mb, chip.memory_mb) = all[0];
  if (all.size() > 1) std::tie(chip.hbm_used_mb, chip.hbm_mb) = all[1];
  return {};
}

}  // namespace

Result<NpuSmi> parse_npu_smi_info(std::string_view text) {
  NpuSmi smi;
  enum class Part { head, chips, processes } part = Part::head;
  std::optional<AscendChip> open;
  Line last{};
  for (const auto& line : numbered(text)) {
    const auto row = trim(line.text);
    if (row.starts_with('+')) continue;
    if (row.size() < 3 || row.front() != '|' || row.back() != '|') return malformed(line, "is not a row of the table");
    last = line;
    const auto cells = cells_of(row);
    if (cells[0].starts_with("npu-smi")) {
      const auto at = row.find("Version:");
      if (at != std::string_view::npos && !words(row.substr(at + 8)).empty()) smi.version = words(row.substr(at + 8))[0];
      continue;
    }
    if (cells.size() == 1) continue;  // "No running processes found in NPU 0"
    if (cells[0].starts_with("NPU")) {
      part = cells[1].starts_with("Process") ? Part::processes : Part::chips;
      continue;
    }
    if (cells[0].starts_with("Chip")) continue;
    if (part == Part::head) return malformed(line, "stands before the head '| NPU  Name | Health | …'");
    if (part == Part::processes) {
      const auto numbers = words(cells[0]);
      const auto npu = numbers.empty() ? std::nullopt : to_int(numbers[0]);
      const auto pid = cells.size() > 2 ? to_int(cells[1]) : std::nullopt;
      if (!npu || !pid) return malformed(line, "is not a process of an NPU");
      smi.processes.push_back({.npu = *npu, .pid = *pid, .name = std::string(cells[2])});
      continue;
    }
    if (cells.size() < 3) return malformed(line, "has fewer than three cells");
    if (!open) {
      auto chip = read_first_row(line, cells);
      if (!chip) return fail(chip.error());
      open = std::move(*chip);
      continue;
    }
    if (auto read = read_second_row(line, cells, *open); !read) return fail(read.error());
    smi.chips.push_back(std::move(*open));
    open.reset();
  }
  if (open) return malformed(last, "is the last one: the second row of this NPU is cut off");
  if (part == Part::head) return nothing_known(text, "no table of npu-smi info");
  return smi;
}

Result<std::map<std::int64_t, HccnDevice>> parse_hccn(std::string_view text) {
  std::map<std::int64_t, HccnDevice> devices;
  std::int64_t current = 0;
  bool in_optical = false;
  bool in_statistics = false;
  bool ours = true;  // the answers of other commands of a collection are passed over
  bool any = false;
  for (const auto& line : numbered(text)) {
    const auto row = trim(line.text);
    if (const auto tool = row.find("hccn_tool -i "); tool != std::string_view::npos) {
      const auto number = leading_int(row.substr(tool + 13));
      if (!number || *number < 0 || *number > 4096) return malformed(line, "names no device after hccn_tool -i");
      current = *number;
      in_optical = in_statistics = false;
      ours = any = true;
      devices[current];
      continue;
    }
    if (row.starts_with('/') || row.starts_with("cat ") || row.starts_with("lspci") || row.starts_with("pip ") || row.starts_with("Datetime:")) {
      ours = false;
      continue;
    }
    if (!ours) continue;
    auto body = row;
    auto number = current;
    if (row.starts_with("[devid ")) {
      const auto end = row.find(']');
      const auto id = end == std::string_view::npos ? std::nullopt : to_int(trim(row.substr(7, end - 7)));
      if (!id || *id < 0 || *id > 4096) return malformed(line, "names no device");
      number = *id;
      body = trim(row.substr(end + 1));
    }
    auto& device = devices[number];
    if (body.ends_with("LINK UP") || body.ends_with("LINK DOWN")) {
      const auto parts = words(body);
      device.link_events.push_back(join({parts.begin(), parts.end()}, " "));
      any = true;
      continue;
    }
    if (lower(body).find("failed") != std::string::npos && !body.starts_with("net health")) {
      device.complaints.push_back(beginning(body, 200));
      any = true;
      continue;
    }
    const auto pair = key_value(body);
    if (!pair) return malformed(line, "is no answer of hccn_tool");
    const std::string key(pair->first);
    const std::string value(pair->second);
    if (key == "link status") device.link = value;
    else if (key == "net health status") device.net_health = value;
    else if (key == "ipaddr") device.address = value;
    else if (key == "netmask") device.netmask = value;
    else if (key == "fec mode") device.fec = value;
    else if (key == "link up count") device.link_up_count = leading_int(value);
    else if (key == "current time" || key == "link change records" || key == "link down count") continue;
    else if (key == "optical info" || key == "packet statistics") {
      in_optical = key == "optical info";
      in_statistics = !in_optical;
    } else if (in_statistics || key.ends_with("_num")) {
      const auto count = to_int(value);
      if (!count) return malformed(line, "is a counter without a number");
      device.statistics[key] = *count;
    } else if (in_optical) {
      device.optical[key] = value;
    } else {
      return malformed(line, "is no answer of hccn_tool that is known");
    }
    any = true;
  }
  if (!any) return nothing_known(text, "no answer of hccn_tool");
  return devices;
}

Result<std::map<std::string, std::map<std::string, std::string>>> parse_version_info(std::string_view text) {
  std::map<std::string, std::map<std::string, std::string>> files;
  std::string current;
  bool ours = true;
  for (const auto& line : numbered(text)) {
    const auto row = trim(line.text);
    if (row.starts_with("cat ")) {
      current = trim(row.substr(4));
      ours = true;
      continue;
    }
    if (row.starts_with('/') || row.starts_with("pip ") || row.starts_with("Datetime:")) ours = false;
    if (!ours) continue;
    const auto at = row.find('=');
    if (at == std::string_view::npos || at == 0) return malformed(line, "is not key=value");
    files[current][std::string(trim(row.substr(0, at)))] = trim(row.substr(at + 1));
  }
  if (files.empty()) return nothing_known(text, "no line key=value");
  return files;
}

namespace {

Result<Json> info_as_json(std::string_view text) {
  const auto smi = parse_npu_smi_info(text);
  if (!smi) return fail(smi.error());
  Json chips = Json::array();
  for (const auto& chip : smi->chips) {
    chips.push_back({{"npu", chip.npu}, {"chip", chip.chip}, {"name", chip.name}, {"health", chip.health}, {"slot", chip.slot},
                     {"power_w", optional_json(chip.power_w)}, {"temperature_c", optional_json(chip.temperature_c)},
                     {"aicore_percent", optional_json(chip.aicore_percent)},
                     {"memory_used_mb", optional_json(chip.memory_used_mb)}, {"memory_mb", optional_json(chip.memory_mb)},
                     {"hbm_used_mb", optional_json(chip.hbm_used_mb)}, {"hbm_mb", optional_json(chip.hbm_mb)}});
  }
  Json processes = Json::array();
  for (const auto& process : smi->processes) processes.push_back({{"npu", process.npu}, {"pid", process.pid}, {"name", process.name}});
  return Json{{"version", smi->version}, {"chips", chips}, {"processes", processes}};
}

Result<Json> hccn_as_json(std::string_view text) {
  const auto devices = parse_hccn(text);
  if (!devices) return fail(devices.error());
  Json all = Json::array();
  for (const auto& [number, device] : *devices) {
    all.push_back({{"device", number}, {"link", device.link}, {"net_health", device.net_health}, {"address", device.address},
                   {"netmask", device.netmask}, {"statistics", device.statistics}, {"optical", device.optical},
                   {"link_up_count", optional_json(device.link_up_count)}, {"link_events", device.link_events}, {"fec", device.fec},
                   {"complaints", device.complaints}});
  }
  return Json{{"devices", all}};
}

Result<Json> versions_as_json(std::string_view text) {
  const auto files = parse_version_info(text);
  if (!files) return fail(files.error());
  return Json{{"files", *files}};
}

/// `npu-smi info -t board`, `-t health`, `-t usages`: "Name : value" lines, for one NPU.
Result<Json> npu_fields_as_json(std::string_view text) {
  Json fields = Json::object();
  for (const auto& line : numbered(text)) {
    const auto pair = key_value(line.text);
    if (!pair) return malformed(line, "is not 'name : value'");
    if (fields.empty() && pair->first != "NPU ID") return malformed(line, "is not 'NPU ID : N', with which the answer begins");
    fields[std::string(pair->first)] = is_absent(pair->second) ? Json(nullptr) : Json(std::string(pair->second));
  }
  if (fields.empty()) return nothing_known(text, "no line 'NPU ID : N'");
  return Json{{"fields", fields}};
}

const Registered info_parser{Parser{.kind = "npu-smi-info", .summary = "Ascend NPUs: health, temperature, memory, processes", .command = "npu-smi info", .parse = info_as_json}};
const Registered fields_parser{Parser{.kind = "npu-smi-board", .summary = "one Ascend NPU: its board, health or use", .command = "npu-smi info -i 0 -t board", .parse = npu_fields_as_json}};
const Registered hccn_parser{Parser{.kind = "hccn-tool", .summary = "the network ports of Ascend NPUs: link, address, counters, optics", .command = "hccn_tool -i 0 -link -g", .parse = hccn_as_json}};
const Registered version_parser{Parser{.kind = "ascend-version-info", .summary = "versions of Ascend's driver and firmware, and what they go with", .command = "cat /usr/local/Ascend/driver/version.info", .parse = versions_as_json}};

}  // namespace

}  // namespace podwright::parsing
