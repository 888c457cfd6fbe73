#include "catalog/parsers/amd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "catalog/parsers/json_of.hpp"
#include "catalog/parsers/json_text.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright::parsing {

namespace {

/// "1 (16.0GT/s x16)", "16.0GT/s x16 *" -> 16, 16
void read_link(const std::string& text, std::optional<double>& speed, std::optional<std::int64_t>& width) {
  const auto unit = text.find("GT/s");
  const auto cross = text.find('x', unit == std::string::npos ? 0 : unit);
  if (unit == std::string::npos || cross == std::string::npos) return;
  const auto begin = text.find_last_not_of("0123456789.", unit == 0 ? 0 : unit - 1);
  const auto number = leading_number(text.substr(begin == std::string::npos ? 0 : begin + 1));
  const auto lanes = leading_int(text.substr(cross + 1));
  if (number) speed = std::max(speed.value_or(0), *number);
  if (lanes) width = std::max(width.value_or(0), *lanes);
}

template <class T>
void take(std::optional<T>& into, std::optional<T> value) {
  if (value) into = value;
}

template <class T>
void add(std::optional<T>& into, std::optional<T> value) {
  if (value && *value >= 0 && *value < (std::int64_t{1} << 56)) into = into.value_or(0) + *value;
}

void hottest(AmdGpu& gpu, std::optional<double> celsius) {
  if (celsius) gpu.temperature_c = std::max(gpu.temperature_c.value_or(-300), *celsius);
}

// --- rocm-smi --------------------------------------------------------------------------------------

/// The keys are sentences: "Temperature (Sensor edge) (C)", "GPU memory vendor", "Card series" (in 6.2
/// "Card Series").
void read_rocm_card(const Json& card, AmdGpu& gpu) {
  for (const auto& [written, value] : card.items()) {
    const auto key = lower(written);
    const auto text = value.is_string() ? value.get<std::string>() : value.is_number() ? value.dump() : std::string{};
    if (key == "pci bus") gpu.slot = pci_slot(text);
    else if (key == "card series" && !is_absent(text)) gpu.name = text;
    else if (key == "card model" && gpu.name.empty() && !is_absent(text)) gpu.name = text;
    else if (key == "serial number" && !is_absent(text)) gpu.serial = text;
    else if (key == "vbios version" && !is_absent(text)) gpu.vbios = text;
    else if (key.starts_with("temperature (sensor")) hottest(gpu, leading_number(text));
    else if (key.find("graphics package power (w)") != std::string::npos && !key.starts_with("max")) take(gpu.power_w, leading_number(text));
    else if (key == "pcie replay count") take(gpu.pcie_replays, leading_int(text));
    else if (key == "pcie clock level") read_link(text, gpu.pcie_gts, gpu.pcie_width);
    else if (text.find("GT/s x") != std::string::npos) read_link(text, gpu.pcie_gts_max, gpu.pcie_width_max);
    else if (key == "vram total memory (b)") take(gpu.memory_bytes, bytes_of(text));
    else if (key == "vram total used memory (b)") take(gpu.memory_used_bytes, bytes_of(text));
    else if (key.find("ras") != std::string::npos || key.find("ecc") != std::string::npos) {
      // --showrasinfo all: {"UMC": {"Correctable error count": 0, …}} or a table as text
      if (key.find("uncorrect") != std::string::npos) add(gpu.ecc_uncorrected, leading_int(text));
      else if (key.find("correct") != std::string::npos) add(gpu.ecc_corrected, leading_int(text));
    } else if (key.find("retired") != std::string::npos) {
      take(gpu.bad_pages, leading_int(text));
    } else if (key.find("xgmi error") != std::string::npos) {
      take(gpu.xgmi_errors, leading_int(text));
    }
  }
}

// --- amd-smi ---------------------------------------------------------------------------------------

/// "16" or {"value": 16, "unit": "GT/s"}
std::optional<double> amount(const Json* value) {
  if (value == nullptr) return {};
  if (value->is_object()) return number_member(*value, "value");
  if (value->is_number()) return value->get<double>();
  return value->is_string() ? leading_number(value->get<std::string>()) : std::nullopt;
}

std::optional<std::int64_t> whole(const Json* value) {
  const auto number = amount(value);
  return number && std::abs(*number) < 9e18 ? std::optional(static_cast<std::int64_t>(*number)) : std::nullopt;
}

const Json* at(const Json& object, std::initializer_list<std::string_view> path) {
  const Json* place = &object;
  for (const auto key : path) {
    place = member(*place, key);
    if (place == nullptr) return nullptr;
  }
  return place;
}

/// "64 KB", a list of pages, "No bad pages found."
std::optional<std::int64_t> page_count(const Json* pages) {
  if (pages == nullptr) return {};
  if (pages->is_array()) return static_cast<std::int64_t>(pages->size());
  if (pages->is_string()) {
    const auto text = lower(pages->get<std::string>());
    if (text.find("no bad pages") != std::string::npos) return 0;
    return leading_int(text);
  }
  return whole(pages);
}

void read_amd_gpu(const Json& object, AmdGpu& gpu) {
  for (const auto* key : {"bdf", "gpu_bdf"}) {
    if (const auto slot = text_member(object, key); !slot.empty()) gpu.slot = pci_slot(slot);
  }
  if (const auto* bus = at(object, {"bus", "bdf"}); bus != nullptr && bus->is_string()) gpu.slot = pci_slot(bus->get<std::string>());
  if (const auto* asic = member(object, "asic")) {
    if (const auto name = text_member(*asic, "market_name"); !is_absent(name)) gpu.name = name;
    if (const auto serial = text_member(*asic, "asic_serial"); !is_absent(serial)) gpu.serial = serial;
  }
  if (const auto* vbios = member(object, "vbios")) {
    for (const auto* key : {"version", "part_number"}) {
      if (const auto text = text_member(*vbios, key); gpu.vbios.empty() && !is_absent(text)) gpu.vbios = text;
    }
  }
  if (const auto* driver = member(object, "driver")) gpu.driver = text_member(*driver, "version");
  take(gpu.ecc_corrected, whole(at(object, {"ecc", "total_correctable_count"})));
  take(gpu.ecc_uncorrected, whole(at(object, {"ecc", "total_uncorrectable_count"})));
  for (const auto* key : {"bad_pages", "retired", "retired_bad_pages"}) take(gpu.bad_pages, page_count(member(object, key)));
  for (const auto* key : {"pending", "pending_bad_pages"}) take(gpu.bad_pages_pending, page_count(member(object, key)));
  take(gpu.pcie_width, whole(at(object, {"pcie", "width"})));
  take(gpu.pcie_gts, amount(at(object, {"pcie", "speed"})));
  take(gpu.pcie_replays, whole(at(object, {"pcie", "replay_count"})));
  for (const auto* key : {"max_pcie_width"}) take(gpu.pcie_width_max, whole(at(object, {"bus", key})));
  take(gpu.pcie_gts_max, amount(at(object, {"bus", "max_pcie_speed"})));
  for (const auto* sensor : {"edge", "hotspot", "mem"}) hottest(gpu, amount(at(object, {"temperature", sensor})));
  take(gpu.power_w, amount(at(object, {"power", "socket_power"})));
  for (const auto& [key, into] : {std::pair{"total_vram", &gpu.memory_bytes}, {"used_vram", &gpu.memory_used_bytes}}) {
    const auto mib = amount(at(object, {"mem_usage", key}));
    if (mib && *mib >= 0 && *mib < 1e9) *into = static_cast<std::uint64_t>(*mib * 1048576);
  }
  if (const auto* errors = at(object, {"xgmi_err"}); errors != nullptr && errors->is_string()) {
    gpu.xgmi_errors = lower(errors->get<std::string>()).find("no_errors") != std::string::npos ? 0 : 1;
  }
}

AmdGpu& gpu_at(std::vector<AmdGpu>& all, std::int64_t index) {
  const auto found = std::ranges::find(all, index, &AmdGpu::index);
  if (found != all.end()) return *found;
  all.push_back({.index = index, .slot = {}, .name = {}, .serial = {}, .vbios = {}, .driver = {}, .ecc_corrected = {}, .ecc_uncorrected = {},
                 .bad_pages = {}, .bad_pages_pending = {}, .pcie_width = {}, .pcie_width_max = {}, .pcie_gts = {}, .pcie_gts_max = {},
                 .pcie_replays = {}, .xgmi_errors = {}, .temperature_c = {}, .power_w = {}, .memory_bytes = {}, .memory_used_bytes = {}});
  return all.back();
}

bool read_document(const Json& document, std::vector<AmdGpu>& all) {
  bool any = false;
  if (document.is_object()) {
    std::string driver;
    if (const auto* system = member(document, "system")) driver = text_member(*system, "Driver version");
    for (const auto& [key, value] : document.items()) {
      const auto index = key.starts_with("card") ? to_int(std::string_view(key).substr(4)) : std::nullopt;
      if (!index || *index < 0 || !value.is_object()) continue;
      auto& gpu = gpu_at(all, *index);
      read_rocm_card(value, gpu);
      if (!driver.empty()) gpu.driver = driver;
      any = true;
    }
    // amd-smi 25 puts the list below "gpu_data".
    if (const auto* list = member(document, "gpu_data")) any = read_document(*list, all) || any;
    return any;
  }
  if (!document.is_array()) return false;
  for (const auto& one : document) {
    const auto index = int_member(one, "gpu");
    if (!index || *index < 0) continue;
    read_amd_gpu(one, gpu_at(all, *index));
    any = true;
  }
  return any;
}

}  // namespace

Result<std::vector<AmdGpu>> parse_amd(std::string_view text) {
  std::vector<AmdGpu> all;
  // rocm-smi writes warnings before its document, and one run after the other makes several.
  std::size_t begin = 0;
  bool any = false;
  while (true) {
    while (begin < text.size() && text[begin] != '{' && text[begin] != '[') {
      const auto newline = text.find('\n', begin);
      if (newline == std::string_view::npos) begin = text.size();
      else begin = newline + 1;
    }
    if (begin >= text.size()) break;
    const auto end = end_of_json(text, begin);
    const auto document = parse_json_text(text.substr(0, end), begin);
    if (!document) return fail(document.error());
    any = read_document(*document, all) || any;
    begin = end;
  }
  if (!any) return nothing_known(text, "neither \"card0\" of rocm-smi nor \"gpu\": 0 of amd-smi");
  std::ranges::sort(all, {}, &AmdGpu::index);
  return all;
}

namespace {

Result<Json> amd_as_json(std::string_view text) {
  const auto gpus = parse_amd(text);
  if (!gpus) return fail(gpus.error());
  Json all = Json::array();
  for (const auto& gpu : *gpus) {
    all.push_back({{"index", gpu.index}, {"slot", gpu.slot}, {"name", gpu.name}, {"serial", gpu.serial}, {"vbios", gpu.vbios}, {"driver", gpu.driver},
                   {"ecc", {{"corrected", optional_json(gpu.ecc_corrected)}, {"uncorrected", optional_json(gpu.ecc_uncorrected)}}},
                   {"bad_pages", optional_json(gpu.bad_pages)}, {"bad_pages_pending", optional_json(gpu.bad_pages_pending)},
                   {"pcie", {{"width", optional_json(gpu.pcie_width)}, {"width_max", optional_json(gpu.pcie_width_max)},
                             {"gts", optional_json(gpu.pcie_gts)}, {"gts_max", optional_json(gpu.pcie_gts_max)}, {"replays", optional_json(gpu.pcie_replays)}}},
                   {"xgmi_errors", optional_json(gpu.xgmi_errors)}, {"temperature_c", optional_json(gpu.temperature_c)}, {"power_w", optional_json(gpu.power_w)},
                   {"memory_bytes", optional_json(gpu.memory_bytes)}, {"memory_used_bytes", optional_json(gpu.memory_used_bytes)}});
  }
  return Json{{"gpus", all}};
}

/// `rocminfo`: agents, each with indented "Key: value" lines.
Result<Json> rocminfo_as_json(std::string_view text) {
  Json agents = Json::array();
  bool begun = false;
  for (const auto& line : numbered(text)) {
    const auto row = trim(line.text);
    if (row == "HSA System Attributes" || row == "HSA Agents") begun = true;
    const auto pair = key_value(row);
    if (!pair || indent_of(line.text) != 2) continue;
    if (!begun) return malformed(line, "stands before 'HSA Agents'");
    const std::string value(pair->second);
    if (pair->first == "Name") agents.push_back({{"name", value}});
    if (agents.empty()) continue;
    auto& agent = agents.back();
    if (pair->first == "Marketing Name") agent["model"] = value;
    if (pair->first == "Uuid") agent["uuid"] = value;
    if (pair->first == "Device Type") agent["type"] = value;
    if (pair->first == "Compute Unit") agent["compute_units"] = optional_json(leading_int(value));
    if (pair->first == "BDFID") {
      if (const auto id = leading_int(value); id && *id > 0 && *id < 65536) agent["slot"] = fmt::format("0000:{:02x}:{:02x}.{}", *id >> 8, (*id >> 3) & 31, *id & 7);
    }
  }
  if (agents.empty()) return nothing_known(text, "no agent of HSA");
  return Json{{"agents", agents}};
}

const Registered rocm_parser{Parser{.kind = "rocm-smi-json", .summary = "AMD GPUs, as rocm-smi tells of them", .command = "rocm-smi --showallinfo --json", .parse = amd_as_json}};
const Registered amd_parser{Parser{.kind = "amd-smi-json", .summary = "AMD GPUs, as amd-smi tells of them", .command = "amd-smi metric --json; amd-smi static --json; amd-smi bad-pages --json", .parse = amd_as_json}};
const Registered rocminfo_parser{Parser{.kind = "rocminfo", .summary = "processors and GPUs that ROCm can use", .command = "rocminfo", .parse = rocminfo_as_json}};

}  // namespace

}  // namespace podwright::parsing
