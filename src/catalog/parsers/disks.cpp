#include "catalog/parsers/disks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/parsers/json_of.hpp"
#include "catalog/parsers/json_text.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright::parsing {

namespace {

/// ATA attributes by number; raw values may carry more ("41 (Min/Max 21/41)").
void read_ata(const Json& document, DiskHealth& disk) {
  const auto* attributes = member(document, "ata_smart_attributes");
  const auto* table = attributes == nullptr ? nullptr : member(*attributes, "table");
  if (table == nullptr || !table->is_array()) return;
  for (const auto& one : *table) {
    const auto* raw = member(one, "raw");
    const auto value = raw == nullptr ? std::nullopt : int_member(*raw, "value");
    switch (int_member(one, "id").value_or(0)) {
      case 5: disk.reallocated = value; break;
      case 197: disk.pending = value; break;
      case 198: disk.uncorrectable = value; break;
      default: break;
    }
  }
}

Result<DiskHealth> disk_of(const Json& document, std::string_view text) {
  DiskHealth disk;
  const auto* smartctl = member(document, "smartctl");
  if (smartctl == nullptr) return nothing_known(text, "no \"smartctl\" in it, with which smartctl -j begins");
  if (const auto* messages = member(*smartctl, "messages"); messages != nullptr && messages->is_array()) {
    for (const auto& one : *messages) {
      if (text_member(one, "severity") == "error") disk.complaints.push_back(beginning(text_member(one, "string"), 200));
    }
  }
  if (const auto* device = member(document, "device")) disk.device = text_member(*device, "name");
  disk.model = text_member(document, "model_name");
  if (disk.model.empty()) disk.model = text_member(document, "scsi_model_name");
  disk.serial = text_member(document, "serial_number");
  disk.firmware = text_member(document, "firmware_version");
  if (const auto* status = member(document, "smart_status")) disk.passed = flag_member(*status, "passed");
  if (const auto* log = member(document, "nvme_smart_health_information_log")) {
    disk.critical_warning = int_member(*log, "critical_warning");
    disk.spare_percent = int_member(*log, "available_spare");
    disk.spare_threshold_percent = int_member(*log, "available_spare_threshold");
    disk.used_percent = int_member(*log, "percentage_used");
    disk.media_errors = int_member(*log, "media_errors");
  }
  if (const auto* temperature = member(document, "temperature")) disk.temperature_c = number_member(*temperature, "current");
  read_ata(document, disk);
  return disk;
}

}  // namespace

Result<std::vector<DiskHealth>> parse_smartctl_json(std::string_view text) {
  std::vector<DiskHealth> disks;
  std::size_t begin = 0;
  while (true) {
    begin = text.find('{', begin);
    if (begin == std::string_view::npos) break;
    const auto end = end_of_json(text, begin);
    const auto document = parse_json_text(text.substr(0, end), begin);
    if (!document) return fail(document.error());
    auto disk = disk_of(*document, text.substr(begin, end - begin));
    if (!disk) return fail(disk.error());
    disks.push_back(std::move(*disk));
    begin = end;
  }
  if (disks.empty()) return nothing_known(text, "no JSON of smartctl -j");
  return disks;
}

namespace {

Json json_of(const DiskHealth& disk) {
  return {{"device", disk.device}, {"model", disk.model}, {"serial", disk.serial}, {"firmware", disk.firmware}, {"passed", optional_json(disk.passed)},
          {"critical_warning", optional_json(disk.critical_warning)}, {"spare_percent", optional_json(disk.spare_percent)},
          {"spare_threshold_percent", optional_json(disk.spare_threshold_percent)}, {"used_percent", optional_json(disk.used_percent)},
          {"media_errors", optional_json(disk.media_errors)}, {"reallocated", optional_json(disk.reallocated)}, {"pending", optional_json(disk.pending)},
          {"uncorrectable", optional_json(disk.uncorrectable)}, {"temperature_c", optional_json(disk.temperature_c)}, {"complaints", disk.complaints}};
}

Result<Json> smartctl_json_as_json(std::string_view text) {
  const auto disks = parse_smartctl_json(text);
  if (!disks) return fail(disks.error());
  Json all = Json::array();
  for (const auto& disk : *disks) all.push_back(json_of(disk));
  return Json{{"disks", all}};
}

/// smartctl -a for people.
Result<Json> smartctl_as_json(std::string_view text) {
  DiskHealth disk;
  bool begun = false;
  for (const auto& line : numbered(text)) {
    const auto row = trim(line.text);
    if (row.starts_with("smartctl ")) {
      begun = true;
      continue;
    }
    if (!begun) return malformed(line, "stands before 'smartctl VERSION', with which it begins");
    if (row.starts_with("Device does not support SMART")) disk.complaints.emplace_back(row);
    const auto cells = words(row);
    if (cells.size() >= 10 && to_int(cells[0]) && cells[2].starts_with("0x")) {
      const auto raw = leading_int(cells[9]);
      if (cells[0] == "5") disk.reallocated = raw;
      if (cells[0] == "197") disk.pending = raw;
      if (cells[0] == "198") disk.uncorrectable = raw;
      if (cells[0] == "194" && raw) disk.temperature_c = static_cast<double>(*raw);
      continue;
    }
    const auto pair = key_value(row);
    if (!pair) continue;
    const auto& [key, value] = *pair;
    if (key == "Device Model" || key == "Model Number" || key == "Product") disk.model = value;
    if (lower(key) == "serial number") disk.serial = value;
    if (key == "Firmware Version" || key == "Revision") disk.firmware = value;
    if (key == "SMART overall-health self-assessment test result" || key == "SMART Health Status") disk.passed = value == "PASSED" || value == "OK";
    if (key == "Critical Warning") {
      const auto bits = value.starts_with("0x") ? value.substr(2) : std::string_view{};
      if (!reading::is_hex(bits, 2)) return malformed(line, "its bits are not 0xNN");
      disk.critical_warning = std::stoll(std::string(bits), nullptr, 16);
    }
    if (key == "Available Spare") disk.spare_percent = leading_int(value);
    if (key == "Available Spare Threshold") disk.spare_threshold_percent = leading_int(value);
    if (key == "Percentage Used") disk.used_percent = leading_int(value);
    if (key == "Media and Data Integrity Errors") disk.media_errors = leading_int(value);
    if (key == "Temperature") disk.temperature_c = leading_number(value);
  }
  if (!begun) return nothing_known(text, "nothing of smartctl");
  return Json{{"disks", Json::array({json_of(disk)})}};
}

/// nvme list -o json, in the form of nvme-cli 1 and 2 ("Devices": […]) and of 2.11 (subsystems, controllers).
Result<Json> nvme_list_as_json(std::string_view text) {
  const auto document = parse_json_text(text);
  if (!document) return fail(document.error());
  const auto* devices = member(*document, "Devices");
  if (devices == nullptr || !devices->is_array()) return nothing_known(text, "no \"Devices\" of nvme list -o json");
  Json all = Json::array();
  const auto add = [&](const Json& one) {
    all.push_back({{"device", text_member(one, "DevicePath")}, {"model", text_member(one, "ModelNumber")}, {"serial", text_member(one, "SerialNumber")},
                   {"firmware", text_member(one, "Firmware")}, {"bytes", optional_json(int_member(one, "PhysicalSize"))}});
  };
  for (const auto& one : *devices) {
    if (member(one, "DevicePath") != nullptr) add(one);
    const auto* subsystems = member(one, "Subsystems");
    if (subsystems == nullptr || !subsystems->is_array()) continue;
    for (const auto& subsystem : *subsystems) {
      const auto* controllers = member(subsystem, "Controllers");
      if (controllers == nullptr || !controllers->is_array()) continue;
      for (const auto& controller : *controllers) {
        const auto name = text_member(controller, "Controller");
        all.push_back({{"device", name.empty() ? name : "/dev/" + name}, {"model", text_member(controller, "ModelNumber")},
                       {"serial", text_member(controller, "SerialNumber")}, {"firmware", text_member(controller, "Firmware")}, {"bytes", nullptr}});
      }
    }
  }
  return Json{{"disks", all}};
}

/// nvme smart-log -o json.
Result<Json> nvme_smart_as_json(std::string_view text) {
  const auto document = parse_json_text(text);
  if (!document) return fail(document.error());
  if (member(*document, "critical_warning") == nullptr) return nothing_known(text, "no \"critical_warning\" of nvme smart-log -o json");
  DiskHealth disk;
  // From nvme-cli 2.? on with -v an object of bits.
  const auto* warning = member(*document, "critical_warning");
  disk.critical_warning = warning->is_object() ? int_member(*warning, "value") : int_member(*document, "critical_warning");
  disk.spare_percent = int_member(*document, "avail_spare");
  disk.spare_threshold_percent = int_member(*document, "spare_thresh");
  disk.used_percent = int_member(*document, "percent_used");
  disk.media_errors = int_member(*document, "media_errors");
  if (const auto kelvin = number_member(*document, "temperature")) disk.temperature_c = *kelvin - 273;
  return Json{{"disks", Json::array({json_of(disk)})}};
}

void collect_blocks(const Json& list, Json& all, int depth) {
  if (!list.is_array() || depth > 60) return;
  for (const auto& one : list) {
    if (!one.is_object()) continue;
    all.push_back({{"name", text_member(one, "name")}, {"type", text_member(one, "type")}, {"bytes", optional_json(int_member(one, "size"))},
                   {"model", std::string(trim(text_member(one, "model")))}, {"serial", text_member(one, "serial")}, {"fstype", text_member(one, "fstype")},
                   {"path", text_member(one, "mountpoint")}, {"rotational", optional_json(flag_member(one, "rota"))}});
    if (const auto* children = member(one, "children")) collect_blocks(*children, all, depth + 1);
  }
}

/// NAME="/dev/sda" TYPE="disk" …
Result<Json> lsblk_pair(const Line& line) {
  Json fields = Json::object();
  auto rest = trim(line.text);
  while (!rest.empty()) {
    const auto at = rest.find("=\"");
    const auto end = at == std::string_view::npos ? at : rest.find('"', at + 2);
    if (end == std::string_view::npos || at == 0) return malformed(line, "is not KEY=\"value\" …");
    fields[lower(rest.substr(0, at))] = std::string(rest.substr(at + 2, end - at - 2));
    rest = trim(rest.substr(end + 1));
  }
  return fields;
}

/// The columns of a table whose values may hold blanks are cut where their names stand: names are at the left of
/// text and at the right of numbers, so only the first six, which have no blanks, are read.
Result<Json> lsblk_table(std::string_view text) {
  Json all = Json::array();
  bool begun = false;
  for (const auto& line : numbered(text)) {
    auto cells = words(line.text);
    if (!begun) {
      if (cells.size() < 6 || cells[0] != "NAME" || cells[1] != "MAJ:MIN" || cells[5] != "TYPE") return malformed(line, "is not the head of lsblk: NAME MAJ:MIN RM SIZE RO TYPE …");
      begun = true;
      continue;
    }
    if (cells.size() < 6 || cells[1].find(':') == std::string_view::npos) return malformed(line, "is not a device of lsblk");
    const auto name = cells[0].find_first_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (name == std::string_view::npos) return malformed(line, "names no device");
    all.push_back({{"name", std::string(cells[0].substr(name))}, {"type", std::string(cells[5])}, {"size", std::string(cells[3])}, {"read_only", cells[4] == "1"}});
  }
  if (!begun) return nothing_known(text, "no table of lsblk");
  return Json{{"disks", all}};
}

Result<Json> lsblk_as_json(std::string_view text) {
  const auto all_lines = numbered(text);
  if (all_lines.empty()) return nothing_known(text, "no device");
  const auto first = trim(all_lines.front().text);
  Json all = Json::array();
  if (first.starts_with('{')) {
    const auto document = parse_json_text(text);
    if (!document) return fail(document.error());
    const auto* list = member(*document, "blockdevices");
    if (list == nullptr || !list->is_array()) return nothing_known(text, "no \"blockdevices\" of lsblk -J");
    collect_blocks(*list, all, 0);
  } else if (first.starts_with("NAME=\"")) {
    for (const auto& line : all_lines) {
      const auto fields = lsblk_pair(line);
      if (!fields) return fail(fields.error());
      collect_blocks(Json::array({*fields}), all, 0);
    }
  } else {
    return lsblk_table(text);
  }
  return Json{{"disks", all}};
}

const Registered smartctl_json{Parser{.kind = "smartctl-json", .summary = "a disk's own verdict on its health", .command = "smartctl -a -j /dev/nvme0", .parse = smartctl_json_as_json}};
const Registered smartctl{Parser{.kind = "smartctl", .summary = "the same, from text", .command = "smartctl -a /dev/sda", .parse = smartctl_as_json}};
const Registered nvme_list{Parser{.kind = "nvme-list", .summary = "the NVMe disks", .command = "nvme list -o json", .parse = nvme_list_as_json}};
const Registered nvme_smart{Parser{.kind = "nvme-smart-log", .summary = "an NVMe disk's SMART log", .command = "nvme smart-log /dev/nvme0 -o json", .parse = nvme_smart_as_json}};
const Registered lsblk{Parser{.kind = "lsblk", .summary = "block devices and what is on them", .command = "lsblk -J -b -O", .parse = lsblk_as_json}};

}  // namespace

}  // namespace podwright::parsing
