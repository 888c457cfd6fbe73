// What the tools of a plain Linux say: processors, memory modules, PCI, file systems, the clock, interfaces.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/parsers/json_of.hpp"
#include "catalog/parsers/json_text.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright::parsing {

namespace {

// --- lscpu -----------------------------------------------------------------------------------------

/// Of machines with unlike cores a block for each: the counts of the blocks are kept as lists.
Result<Json> lscpu_as_json(std::string_view text) {
  Json result = {{"cpus", nullptr}};
  Json models = Json::array();
  for (const auto& line : numbered(text)) {
    const auto row = trim(line.text);
    if (row.starts_with('#')) break;  // lscpu -p behind it
    const auto pair = key_value(row);
    if (!pair) {
      if (models.empty()) return malformed(line, "is not 'name: value'");
      continue;  // flags go on over several lines
    }
    const auto& [key, value] = *pair;
    if (key == "Architecture") result["architecture"] = std::string(value);
    if (key == "CPU(s)") result["cpus"] = optional_json(to_int(value));
    if (key == "On-line CPU(s) list") result["online"] = std::string(value);
    if (key == "Vendor ID" && !result.contains("vendor")) result["vendor"] = std::string(value);
    if (key == "Model name") models.push_back({{"model", std::string(value)}});
    if (key == "NUMA node(s)") result["numa_nodes"] = optional_json(to_int(value));
    if (key == "Hypervisor vendor") result["hypervisor"] = std::string(value);
    if (key.starts_with("NUMA node") && key.ends_with("CPU(s)") && key != "NUMA node(s)") {
      result["numa"][std::string(words(key.substr(9))[0])] = std::string(value);
    }
    for (const auto& [name, to] : {std::pair{"Thread(s) per core", "threads_per_core"}, {"Core(s) per socket", "cores_per_socket"},
                                   {"Core(s) per cluster", "cores_per_cluster"}, {"Socket(s)", "sockets"}, {"Cluster(s)", "clusters"}}) {
      if (key != name) continue;
      // "-": firmware that does not tell.
      if (!is_absent(value) && !to_int(value)) return malformed(line, "its count is no number");
      if (models.empty()) models.push_back({{"model", ""}});
      models.back()[to] = optional_json(to_int(value));
    }
  }
  if (result["cpus"].is_null()) return nothing_known(text, "no 'CPU(s): N'");
  result["models"] = models;
  return result;
}

// --- dmidecode -------------------------------------------------------------------------------------

/// "Handle 0x…, DMI type N, …" begins a block; -q leaves those lines out. What is said of it is indented; in
/// version 2.2 by one level more.
Result<Json> dmidecode_as_json(std::string_view text) {
  Json blocks = Json::array();
  bool begun = false;
  bool titled = false;
  for (const auto& line : numbered(text)) {
    auto row = trim(line.text);
    // A copy in which the tabs are written out.
    int deep = 0;
    while (row.starts_with("\\t")) {
      row.remove_prefix(2);
      ++deep;
    }
    if (row.starts_with("# dmidecode") || row.starts_with("SMBIOS") || row.starts_with("Getting SMBIOS") || row.find("structures occupying") != std::string_view::npos ||
        row.starts_with("Table at") || row.starts_with("End Of Table")) {
      begun = true;
      continue;
    }
    if (row.starts_with("Handle 0x")) {
      const auto at = row.find("DMI type ");
      blocks.push_back({{"type", at == std::string_view::npos ? Json(nullptr) : optional_json(leading_int(row.substr(at + 9)))}, {"title", ""}, {"fields", Json::object()}});
      begun = true;
      titled = false;
      continue;
    }
    if (row.starts_with("DMI type ") && !blocks.empty()) {
      blocks.back()["type"] = optional_json(leading_int(row.substr(9)));
      continue;
    }
    const auto pair = key_value(row);
    const bool indented = deep > 0 || indent_of(line.text) > 0;
    if (!indented && !pair && !titled) {
      if (!begun && row != "Memory Device" && row != "System Information" && row != "BIOS Information" && row != "Base Board Information" && row != "Processor Information") {
        return malformed(line, "stands before any block of dmidecode");
      }
      if (blocks.empty()) blocks.push_back({{"type", nullptr}, {"title", ""}, {"fields", Json::object()}});
      blocks.back()["title"] = std::string(row);
      titled = begun = true;
      continue;
    }
    if (!indented && !pair) {  // -q: a title begins the next block
      blocks.push_back({{"type", nullptr}, {"title", std::string(row)}, {"fields", Json::object()}});
      continue;
    }
    if (blocks.empty()) return malformed(line, "belongs to no block");
    if (!titled && !pair) {
      blocks.back()["title"] = std::string(row);
      titled = true;
      continue;
    }
    if (pair) blocks.back()["fields"][std::string(pair->first)] = std::string(pair->second);
  }
  if (blocks.empty()) return nothing_known(text, "no block of dmidecode");
  Json modules = Json::array();
  for (const auto& block : blocks) {
    if (block["title"] != "Memory Device") continue;
    const auto size = text_member(block["fields"], "Size");
    const bool filled = !size.empty() && size != "No Module Installed" && size != "Not Installed";
    auto speed = text_member(block["fields"], "Configured Memory Speed");
    for (const auto* key : {"Configured Clock Speed", "Speed"}) {
      if (is_absent(speed)) speed = text_member(block["fields"], key);
    }
    modules.push_back({{"slot", text_member(block["fields"], "Locator")}, {"size_bytes", filled ? optional_json(bytes_of(size)) : Json(0)}, {"speed", speed}});
  }
  return Json{{"blocks", blocks}, {"memory_modules", modules}};
}

// --- lspci -----------------------------------------------------------------------------------------

/// "16GT/s (downgraded)", "x8 (ok)" of LnkSta and "16GT/s", "x16" of LnkCap.
Json link_of(std::string_view row) {
  Json link = Json::object();
  for (const auto& [word, key] : {std::pair{"Speed ", "gts"}, {"Width x", "width"}}) {
    const auto at = row.find(word);
    if (at == std::string_view::npos) continue;
    const auto value = row.substr(at + std::string_view(word).size());
    link[key] = word[0] == 'W' ? optional_json(leading_int(value)) : optional_json(leading_number(value));
  }
  link["downgraded"] = row.find("(downgraded)") != std::string_view::npos;
  return link;
}

Result<Json> lspci_as_json(std::string_view text) {
  Json devices = Json::array();
  for (const auto& line : numbered(text)) {
    if (indent_of(line.text) > 0 && !devices.empty()) {
      auto& device = devices.back();
      const auto pair = key_value(line.text);
      if (!pair) continue;
      const auto& [key, value] = *pair;
      if (key == "Kernel driver in use") device["driver"] = std::string(value);
      if (key == "NUMA node") device["numa"] = optional_json(leading_int(value));
      if (key == "Subsystem") device["subsystem"] = std::string(value);
      if (key == "LnkCap") device["link_max"] = link_of(value);
      if (key == "LnkSta") device["link"] = link_of(value);
      if (key == "ACSCtl") device["acs_source_validation"] = value.find("SrcValid+") != std::string_view::npos;
      continue;
    }
    const auto row = trim(line.text);
    if (row.starts_with("pcilib:") || row.starts_with("lspci:")) continue;  // a warning between the devices
    const auto blank = row.find(' ');
    const auto slot = pci_slot(row.substr(0, blank));
    if (blank == std::string_view::npos || !reading::is_pci_slot(slot)) return malformed(line, "does not begin with a PCI address");
    const auto rest = row.substr(blank + 1);
    const auto colon = rest.find(": ");
    if (colon == std::string_view::npos) return malformed(line, "is not 'ADDRESS class: device'");
    Json device = {{"slot", slot}, {"class", std::string(rest.substr(0, colon))}, {"name", std::string(rest.substr(colon + 2))}};
    // -nn: "3D controller [0302]: NVIDIA … [10de:20b2] (rev a1)"
    const auto ids = rest.rfind('[');
    const auto code = rest.substr(0, colon).rfind('[');
    if (code != std::string_view::npos && reading::is_hex(rest.substr(code + 1, 4), 4)) {
      device["class_id"] = std::string(rest.substr(code + 1, 4));
      if (ids > colon && rest.size() >= ids + 10 && rest[ids + 5] == ':') {
        device["vendor"] = std::string(rest.substr(ids + 1, 4));
        device["device"] = std::string(rest.substr(ids + 6, 4));
      }
    }
    // All bits set is what the bus returns for a device that is not there any more.
    if (rest.find("(rev ff)") != std::string_view::npos) device["off_the_bus"] = true;
    devices.push_back(std::move(device));
  }
  if (devices.empty()) return nothing_known(text, "no device");
  return Json{{"devices", devices}};
}

// --- file systems ----------------------------------------------------------------------------------

/// df, in blocks (-k, -P, -B1), for people (-h) or inodes (-i), with or without -T. A long name of a device
/// stands on a line of its own without -P.
Result<Json> df_as_json(std::string_view text) {
  Json all = Json::array();
  std::vector<std::string> head;
  std::string carried;
  for (const auto& line : numbered(text)) {
    if (head.empty()) {
      if (!trim(line.text).starts_with("Filesystem")) return malformed(line, "is not the head of df: Filesystem …");
      for (const auto word : words(line.text)) head.emplace_back(word);
      if (head.back() == "on") head.pop_back();
      if (head.size() < 6 || head.back() != "Mounted") return malformed(line, "is a head of df without 'Mounted on'");
      continue;
    }
    auto cells = words(line.text);
    std::string whole(line.text);
    if (cells.size() == 1 && carried.empty()) {
      carried = cells[0];
      continue;
    }
    if (!carried.empty()) {
      whole = carried + " " + whole;
      carried.clear();
      cells = words(whole);
    }
    if (cells.size() < head.size()) return malformed(line, fmt::format("has fewer than {} columns", head.size()));
    const auto percent = cells[head.size() - 2];
    if (percent != "-" && !percent.ends_with('%')) return malformed(line, "has no percentage before its mount point");
    std::string path(cells[head.size() - 1]);
    for (std::size_t i = head.size(); i < cells.size(); ++i) (path += ' ') += cells[i];  // blanks in it
    Json one = {{"source", std::string(cells[0])}, {"path", path}, {"used_percent", optional_json(leading_int(percent))}};
    const bool typed = head[1] == "Type";
    if (typed) one["type"] = std::string(cells[1]);
    for (const auto& [at, name] : {std::pair<std::size_t, const char*>{typed ? 2 : 1, "size"}, {typed ? 3 : 2, "used"}, {typed ? 4 : 3, "available"}}) {
      one[name] = to_int(cells[at]) ? Json(*to_int(cells[at])) : Json(std::string(cells[at]));
    }
    one["unit"] = head[typed ? 2 : 1];
    all.push_back(std::move(one));
  }
  if (!carried.empty()) return malformed({.number = 0, .text = carried}, "is the last one: its figures are cut off");
  if (head.empty()) return nothing_known(text, "no table of df");
  return Json{{"filesystems", all}};
}

/// findmnt -J nests what is mounted below; the list is flat.
void collect_mounts(const Json& list, Json& all, int depth) {
  if (!list.is_array() || depth > 60) return;
  for (const auto& one : list) {
    if (!one.is_object()) continue;
    const auto options = text_member(one, "options");
    all.push_back({{"path", text_member(one, "target")}, {"source", text_member(one, "source")}, {"type", text_member(one, "fstype")}, {"options", options},
                   {"read_only", options == "ro" || options.starts_with("ro,")}});
    if (const auto* children = member(one, "children")) collect_mounts(*children, all, depth + 1);
  }
}

Result<Json> findmnt_as_json(std::string_view text) {
  const auto document = parse_json_text(text);
  if (!document) return fail(document.error());
  const auto* list = member(*document, "filesystems");
  if (list == nullptr || !list->is_array()) return nothing_known(text, "no \"filesystems\" of findmnt -J");
  Json all = Json::array();
  collect_mounts(*list, all, 0);
  return Json{{"mounts", all}};
}

/// /proc/self/mountinfo (5): "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw"
Result<Json> mountinfo_as_json(std::string_view text) {
  Json all = Json::array();
  for (const auto& line : numbered(text)) {
    const auto cells = words(line.text);
    const auto dash = std::ranges::find(cells, "-");
    if (cells.size() < 9 || !to_int(cells[0]) || !to_int(cells[1]) || dash - cells.begin() < 6 || cells.end() - dash < 3) {
      return malformed(line, "is not a line of mountinfo");
    }
    const auto options = std::string(cells[5]);
    all.push_back({{"path", reading::unescape_octal(cells[4])}, {"source", reading::unescape_octal(*(dash + 2))}, {"type", std::string(*(dash + 1))},
                   {"options", options}, {"read_only", options == "ro" || options.starts_with("ro,")}});
  }
  if (all.empty()) return nothing_known(text, "no mount");
  return Json{{"mounts", all}};
}

// --- the clock -------------------------------------------------------------------------------------

Result<Json> timedatectl_as_json(std::string_view text) {
  Json result = {{"synchronized", nullptr}, {"service_active", nullptr}};
  for (const auto& line : numbered(text)) {
    const auto pair = key_value(line.text);
    if (!pair) continue;  // the rules of summer time, a warning
    const auto& [key, value] = *pair;
    if (key == "System clock synchronized" || key == "NTP synchronized") result["synchronized"] = optional_json(truth(value));
    if (key == "NTP service" || key == "NTP enabled" || key.ends_with(".service active") || key == "Network time on") result["service_active"] = optional_json(truth(value));
    if (key == "Time zone" || key == "Timezone") result["zone"] = std::string(words(value).empty() ? std::string_view{} : words(value)[0]);
    if (key == "RTC in local TZ") result["rtc_local"] = optional_json(truth(value));
    if (key == "Universal time") result["utc"] = std::string(value);
  }
  if (result["synchronized"].is_null()) return nothing_known(text, "neither 'System clock synchronized' nor 'NTP synchronized'");
  return result;
}

/// chronyc tracking, as text or (-c) between commas.
Result<Json> chronyc_as_json(std::string_view text) {
  const auto all = numbered(text);
  if (all.size() == 1 && std::ranges::count(all[0].text, ',') == 13) {
    const auto cells = split(trim(all[0].text), ',');
    const auto stratum = to_int(cells[2]);
    const auto offset = reading::finite_number(cells[4]);
    if (!stratum || !offset) return malformed(all[0], "its stratum or offset is no number");
    return Json{{"reference", std::string(cells[1])}, {"stratum", *stratum}, {"offset_seconds", *offset}, {"leap", std::string(cells[13])},
                {"synchronized", *stratum > 0 && cells[13] != "Not synchronised"}};
  }
  Json result = Json::object();
  for (const auto& line : all) {
    const auto pair = key_value(line.text);
    if (!pair) return malformed(line, "is not 'name : value'");
    const auto& [key, value] = *pair;
    if (result.empty() && key != "Reference ID") return malformed(line, "is not 'Reference ID : …', with which chronyc tracking begins");
    if (key == "Reference ID") {
      const auto open = value.find('(');
      result["reference"] = std::string(open == std::string_view::npos ? value : value.substr(open + 1, value.find(')') - open - 1));
    }
    if (key == "Stratum") {
      if (!to_int(value)) return malformed(line, "its stratum is no number");
      result["stratum"] = *to_int(value);
    }
    if (key == "System time") {
      const auto seconds = leading_number(value);
      if (!seconds) return malformed(line, "its offset is no number");
      result["offset_seconds"] = value.find("slow") != std::string_view::npos ? -*seconds : *seconds;
    }
    if (key == "Leap status") result["leap"] = std::string(value);
  }
  if (!result.contains("leap")) return nothing_known(text, "no 'Leap status' of chronyc tracking");
  result["synchronized"] = result["leap"] != "Not synchronised";
  return result;
}

/// ntpq -p: "*" before the one that is followed.
Result<Json> ntpq_as_json(std::string_view text) {
  Json peers = Json::array();
  bool begun = false;
  for (const auto& line : numbered(text)) {
    const auto cells = words(line.text);
    if (cells[0] == "remote") {
      begun = true;
      continue;
    }
    if (cells[0].starts_with("====")) continue;
    if (!begun) return malformed(line, "stands before the head 'remote refid st …'");
    if (cells.size() < 10 || !reading::finite_number(cells[8])) return malformed(line, "is not a peer with ten columns");
    const char mark = cells[0][0];
    const bool marked = std::string_view("*+-#xo.").find(mark) != std::string_view::npos;
    peers.push_back({{"remote", std::string(marked ? cells[0].substr(1) : cells[0])}, {"followed", mark == '*' || mark == 'o'}, {"stratum", optional_json(to_int(cells[2]))},
                     {"reach", std::string(cells[6])}, {"offset_ms", *reading::finite_number(cells[8])}});
  }
  if (!begun) return nothing_known(text, "no table of ntpq -p");
  return Json{{"peers", peers}};
}

// --- interfaces ------------------------------------------------------------------------------------

/// ethtool DEVICE and its -i, -S, -k, -g, -c: "Heading for DEVICE:", then indented "name: value".
Result<Json> ethtool_as_json(std::string_view text) {
  Json result = {{"about", ""}, {"device", ""}, {"fields", Json::object()}};
  auto& fields = result["fields"];
  std::string heading;
  bool begun = false;
  for (const auto& line : numbered(text)) {
    const auto row = trim(line.text);
    const auto about = row.find(" for ");
    if (!begun && row.ends_with(':') && (about != std::string_view::npos || row == "NIC statistics:")) {
      if (about != std::string_view::npos) result["device"] = std::string(row.substr(about + 5, row.size() - about - 6));
      result["about"] = std::string(row.substr(0, std::min(about, row.size() - 1)));
      begun = true;
      continue;
    }
    const auto pair = key_value(row);
    if (!begun && !(pair && pair->first == "driver")) return malformed(line, "is neither 'Settings for DEVICE:' nor 'driver: NAME'");
    if (!begun) result["about"] = "driver";
    begun = true;
    if (!pair) continue;  // further link modes, or a sentence
    if (pair->second.empty() && row.ends_with(':')) {
      heading = std::string(pair->first) + "/";  // "Pre-set maximums:"
      if (heading != "Pre-set maximums/" && heading != "Current hardware settings/") heading.clear();
      if (!heading.empty()) continue;
    }
    fields[heading + std::string(pair->first)] = std::string(pair->second);
  }
  if (!begun) return nothing_known(text, "nothing of ethtool");
  if (fields.contains("Speed")) {
    const auto speed = leading_number(fields["Speed"].get<std::string>());
    result["speed_gbps"] = speed ? Json(*speed / 1000) : Json(nullptr);
  }
  if (fields.contains("Link detected")) result["link"] = optional_json(truth(fields["Link detected"].get<std::string>()));
  return result;
}

/// lsmod: "Module Size Used by".
Result<Json> lsmod_as_json(std::string_view text) {
  Json modules = Json::object();
  bool begun = false;
  for (const auto& line : numbered(text)) {
    const auto cells = words(line.text);
    if (cells[0] == "Module" && !begun) {
      begun = true;
      continue;
    }
    const auto size = cells.size() >= 3 ? to_int(cells[1]) : std::nullopt;
    const auto used = cells.size() >= 3 ? to_int(cells[2]) : std::nullopt;
    if (!begun || !size || !used) return malformed(line, "is not 'Module Size Used by'");
    modules[std::string(cells[0])] = {{"bytes", *size}, {"users", *used}};
  }
  if (!begun) return nothing_known(text, "no table of lsmod");
  return Json{{"modules", modules}};
}

const Registered lscpu{Parser{.kind = "lscpu", .summary = "processors, cores, threads and NUMA nodes", .command = "lscpu", .parse = lscpu_as_json}};
const Registered dmidecode{Parser{.kind = "dmidecode", .summary = "what the firmware tells of the machine and its memory modules", .command = "dmidecode", .parse = dmidecode_as_json}};
const Registered lspci{Parser{.kind = "lspci", .summary = "PCI devices, with -vv their links and access control", .command = "lspci -Dnn", .parse = lspci_as_json}};
const Registered df{Parser{.kind = "df", .summary = "how full file systems are", .command = "df -PT", .parse = df_as_json}};
const Registered findmnt{Parser{.kind = "findmnt", .summary = "what is mounted", .command = "findmnt -J", .parse = findmnt_as_json}};
const Registered mountinfo{Parser{.kind = "mountinfo", .summary = "what is mounted, as the kernel tells it", .command = "cat /proc/self/mountinfo", .parse = mountinfo_as_json}};
const Registered timedatectl{Parser{.kind = "timedatectl", .summary = "whether the clock is synchronised", .command = "timedatectl", .parse = timedatectl_as_json}};
const Registered chronyc{Parser{.kind = "chronyc-tracking", .summary = "chrony's reference and the offset from it", .command = "chronyc tracking", .parse = chronyc_as_json}};
const Registered ntpq{Parser{.kind = "ntpq", .summary = "the peers of ntpd and the offsets from them", .command = "ntpq -pn", .parse = ntpq_as_json}};
const Registered ethtool{Parser{.kind = "ethtool", .summary = "an interface's speed and link; its driver, counters, features or rings", .command = "ethtool eth0", .parse = ethtool_as_json}};
const Registered lsmod{Parser{.kind = "lsmod", .summary = "the kernel's modules", .command = "lsmod", .parse = lsmod_as_json}};

}  // namespace

}  // namespace podwright::parsing
