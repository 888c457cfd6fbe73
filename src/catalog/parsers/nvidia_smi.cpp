#include "catalog/parsers/nvidia_smi.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <pugixml.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "catalog/parsers/json_of.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright::parsing {

namespace {

/// A field of a GPU by its place: "ecc errors/volatile/dram uncorrectable". In the text the place is made of
/// the headings above it, in XML of the elements around it; both are lower case.
struct Field {
  std::string place;
  std::string value;
};
using Fields = std::vector<Field>;

/// The value at the first of these places that is there: names differ between the forms and releases.
std::string value_of(const Fields& fields, std::initializer_list<std::string_view> places) {
  for (const auto place : places) {
    const auto found = std::ranges::find(fields, place, &Field::place);
    if (found != fields.end()) return is_absent(found->value) ? std::string{} : found->value;
  }
  return {};
}

std::optional<std::int64_t> int_of(const Fields& fields, std::initializer_list<std::string_view> places) {
  return leading_int(value_of(fields, places));
}

std::optional<double> number_of(const Fields& fields, std::initializer_list<std::string_view> places) {
  return leading_number(value_of(fields, places));
}

std::optional<bool> truth_of(const Fields& fields, std::initializer_list<std::string_view> places) {
  return truth(value_of(fields, places));
}

/// The sum of all counters right below one of these headings whose names hold `word`.
std::optional<std::int64_t> sum_of(const Fields& fields, std::initializer_list<std::string_view> headings, bool uncorrected) {
  std::optional<std::int64_t> sum;
  for (const auto& field : fields) {
    for (const auto heading : headings) {
      if (!field.place.starts_with(heading)) continue;
      const auto name = std::string_view(field.place).substr(heading.size());
      // Before Turing: "single bit/total", "double_bit/total".
      const bool old = name.starts_with("single") || name.starts_with("double");
      if (old && !name.ends_with("/total")) continue;
      if (!old && name.find('/') != std::string_view::npos) continue;
      if (!old && name.find("correctable") == std::string_view::npos) continue;
      const bool is_uncorrected = name.find("uncorrectable") != std::string_view::npos || name.starts_with("double");
      const auto count = leading_int(field.value);
      if (is_uncorrected == uncorrected && count && *count >= 0 && *count < INT64_MAX / 16) sum = sum.value_or(0) + *count;
    }
  }
  return sum;
}

/// "hw_thermal_slowdown", "HW Thermal Slowdown" -> "HW Thermal Slowdown"
std::string reason_name(std::string name) {
  for (const auto* prefix : {"clocks_event_reason_", "clocks_throttle_reason_"}) {
    if (name.starts_with(prefix)) name.erase(0, std::string_view(prefix).size());
  }
  std::ranges::replace(name, '_', ' ');
  bool begins = true;
  for (auto& c : name) {
    if (begins && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    begins = c == ' ';
  }
  for (const auto& [word, right] : {std::pair{"Hw ", "HW "}, {"Sw ", "SW "}, {"Gpu ", "GPU "}}) {
    if (name.starts_with(word)) name.replace(0, 3, right);
  }
  if (name == "GPU Idle") return "Idle";
  return name;
}

void read_reasons(const Fields& fields, NvidiaGpu& gpu) {
  for (const auto& field : fields) {
    for (const auto* heading : {"clocks event reasons/", "clocks throttle reasons/", "clocks_event_reasons/", "clocks_throttle_reasons/"}) {
      if (!field.place.starts_with(heading) || field.value != "Active") continue;
      const auto name = field.place.substr(field.place.rfind('/') + 1);
      if (!name.ends_with("idle")) gpu.slowdowns.push_back(reason_name(name));
    }
  }
}

void read_processes(const Fields& fields, NvidiaGpu& gpu) {
  for (const auto& field : fields) {
    const auto& place = field.place;
    if (place == "processes/process id" || place == "processes/process_info/pid") {
      gpu.processes.push_back({.pid = leading_int(field.value).value_or(0), .type = {}, .name = {}, .memory_bytes = {}});
    }
    if (gpu.processes.empty()) continue;
    auto& process = gpu.processes.back();
    if (place == "processes/process id/type" || place == "processes/process_info/type") process.type = field.value;
    if (place == "processes/process id/name" || place == "processes/process_info/process_name") process.name = field.value;
    if (place == "processes/process id/used gpu memory" || place == "processes/process_info/used_memory") {
      process.memory_bytes = bytes_of(field.value);
    }
  }
}

bool is_unreadable(std::string_view value) {
  const auto text = lower(value);
  return text.find("unknown error") != std::string::npos || text.find("gpu is lost") != std::string::npos || text == "err!" ||
         text.find("gpu requires reset") != std::string::npos;
}

NvidiaGpu gpu_of(std::string_view id, const Fields& fields) {
  NvidiaGpu gpu;
  gpu.slot = pci_slot(id);
  gpu.name = value_of(fields, {"product name", "product_name"});
  gpu.uuid = value_of(fields, {"gpu uuid", "uuid"});
  gpu.serial = value_of(fields, {"serial number", "serial"});
  gpu.vbios = value_of(fields, {"vbios version", "vbios_version"});
  gpu.minor = int_of(fields, {"minor number", "minor_number"});
  gpu.persistence = truth_of(fields, {"persistence mode", "persistence_mode"});
  gpu.mig_mode = value_of(fields, {"mig mode/current", "mig_mode/current_mig"});
  gpu.mig_pending = value_of(fields, {"mig mode/pending", "mig_mode/pending_mig"});
  for (const auto& field : fields) {
    if (field.place == "mig device/index" || field.place == "mig_devices/mig_device/index") ++gpu.mig_devices;
    if (is_unreadable(field.value)) gpu.unreadable.push_back(field.place.empty() ? field.value : field.place + ": " + field.value);
  }
  gpu.ecc_mode = value_of(fields, {"ecc mode/current", "ecc_mode/current_ecc"});
  gpu.ecc_pending = value_of(fields, {"ecc mode/pending", "ecc_mode/pending_ecc"});
  gpu.corrected_volatile = sum_of(fields, {"ecc errors/volatile/", "ecc_errors/volatile/"}, false);
  gpu.uncorrected_volatile = sum_of(fields, {"ecc errors/volatile/", "ecc_errors/volatile/"}, true);
  gpu.corrected_aggregate = sum_of(fields, {"ecc errors/aggregate/", "ecc_errors/aggregate/"}, false);
  gpu.uncorrected_aggregate = sum_of(fields, {"ecc errors/aggregate/", "ecc_errors/aggregate/"}, true);
  gpu.sram_threshold_exceeded = truth_of(fields, {"ecc errors/aggregate/sram threshold exceeded", "ecc_errors/aggregate/sram_threshold_exceeded"});
  gpu.channel_repair_pending = truth_of(fields, {"ecc errors/channel repair pending", "ecc_errors/channel_repair_pending"});
  gpu.tpc_repair_pending = truth_of(fields, {"ecc errors/tpc repair pending", "ecc_errors/tpc_repair_pending"});
  gpu.unrepairable_memory = truth_of(fields, {"ecc errors/unrepairable memory", "ecc_errors/unrepairable_memory"});
  gpu.retired_single_bit = int_of(fields, {"retired pages/single bit ecc", "retired_pages/multiple_single_bit_retirement/retired_count"});
  gpu.retired_double_bit = int_of(fields, {"retired pages/double bit ecc", "retired_pages/double_bit_retirement/retired_count"});
  gpu.retirement_pending = truth_of(fields, {"retired pages/pending page blacklist", "retired pages/pending", "retired_pages/pending_retirement",
                                             "retired_pages/pending_blacklist"});
  gpu.remapped_correctable = int_of(fields, {"remapped rows/correctable error", "remapped_rows/remapped_row_corr"});
  gpu.remapped_uncorrectable = int_of(fields, {"remapped rows/uncorrectable error", "remapped_rows/remapped_row_unc"});
  gpu.remap_pending = truth_of(fields, {"remapped rows/pending", "remapped_rows/remapped_row_pending"});
  gpu.remap_failed = truth_of(fields, {"remapped rows/remapping failure occurred", "remapped_rows/remapped_row_failure"});
  gpu.pcie_generation = int_of(fields, {"pci/gpu link info/pcie generation/current", "pci/pci_gpu_link_info/pcie_gen/current_link_gen"});
  gpu.pcie_generation_max = int_of(fields, {"pci/gpu link info/pcie generation/max", "pci/pci_gpu_link_info/pcie_gen/max_link_gen"});
  gpu.pcie_width = int_of(fields, {"pci/gpu link info/link width/current", "pci/pci_gpu_link_info/link_widths/current_link_width"});
  gpu.pcie_width_max = int_of(fields, {"pci/gpu link info/link width/max", "pci/pci_gpu_link_info/link_widths/max_link_width"});
  gpu.pcie_replays = int_of(fields, {"pci/replays since reset", "pci/replay_counter"});
  read_reasons(fields, gpu);
  gpu.temperature_c = number_of(fields, {"temperature/gpu current temp", "temperature/gpu_temp"});
  gpu.margin_c = number_of(fields, {"temperature/gpu t.limit temp", "temperature/gpu_temp_tlimit"});
  gpu.slowdown_at_c = number_of(fields, {"temperature/gpu slowdown temp", "temperature/gpu_temp_slow_threshold"});
  gpu.max_operating_c = number_of(fields, {"temperature/gpu max operating temp", "temperature/gpu_temp_max_gpu_threshold"});
  gpu.memory_c = number_of(fields, {"temperature/memory current temp", "temperature/memory_temp"});
  gpu.memory_max_c = number_of(fields, {"temperature/memory max operating temp", "temperature/gpu_temp_max_mem_threshold"});
  gpu.power_w = number_of(fields, {"gpu power readings/average power draw", "gpu power readings/power draw", "power readings/power draw",
                                   "gpu_power_readings/average_power_draw", "gpu_power_readings/power_draw", "power_readings/power_draw"});
  gpu.power_limit_w = number_of(fields, {"gpu power readings/current power limit", "power readings/power limit",
                                         "gpu_power_readings/current_power_limit", "power_readings/power_limit"});
  gpu.power_limit_default_w = number_of(fields, {"gpu power readings/default power limit", "power readings/default power limit",
                                                 "gpu_power_readings/default_power_limit", "power_readings/default_power_limit"});
  gpu.sm_mhz = int_of(fields, {"clocks/sm", "clocks/sm_clock"});
  gpu.sm_max_mhz = int_of(fields, {"max clocks/sm", "max_clocks/sm_clock"});
  gpu.application_graphics_mhz = int_of(fields, {"applications clocks/graphics", "applications_clocks/graphics_clock"});
  gpu.application_memory_mhz = int_of(fields, {"applications clocks/memory", "applications_clocks/mem_clock"});
  gpu.default_graphics_mhz = int_of(fields, {"default applications clocks/graphics", "default_applications_clocks/graphics_clock"});
  gpu.default_memory_mhz = int_of(fields, {"default applications clocks/memory", "default_applications_clocks/mem_clock"});
  gpu.memory_bytes = bytes_of(value_of(fields, {"fb memory usage/total", "fb_memory_usage/total"}));
  gpu.memory_used_bytes = bytes_of(value_of(fields, {"fb memory usage/used", "fb_memory_usage/used"}));
  gpu.compute_mode = value_of(fields, {"compute mode", "compute_mode"});
  gpu.fabric_state = value_of(fields, {"fabric/state"});
  gpu.fabric_status = value_of(fields, {"fabric/status"});
  // "None" is the answer here, not its absence.
  for (const auto& field : fields) {
    if (field.place == "gpu recovery action" || field.place == "gpu_recovery_action") gpu.recovery_action = field.value;
  }
  gpu.reset_required = truth_of(fields, {"gpu reset status/reset required", "gpu_reset_status/reset_required"});
  read_processes(fields, gpu);
  return gpu;
}

/// The headings above a line, by their indentation.
class Headings {
 public:
  /// The place of a line at this indentation with this name.
  std::string place(std::size_t indent, std::string_view name) {
    while (!open_.empty() && open_.back().indent >= indent) open_.pop_back();
    std::string all;
    for (const auto& heading : open_) all += heading.name + "/";
    open_.push_back({indent, lower(name)});
    return all + open_.back().name;
  }
  void clear() { open_.clear(); }

 private:
  struct Heading {
    std::size_t indent;
    std::string name;
  };
  std::vector<Heading> open_;  // no deeper than the longest line has columns
};

/// A tool that has no driver or no device to ask says so in a sentence.
bool is_complaint(std::string_view line) {
  return line.starts_with("Unable to determine the device handle") || line.starts_with("NVIDIA-SMI has failed") ||
         line.starts_with("Failed to initialize NVML") || line.starts_with("No devices were found") || line.starts_with("WARNING:");
}

}  // namespace

Result<NvidiaSmi> parse_nvidia_smi_q(std::string_view text) {
  NvidiaSmi smi;
  bool begun = false;
  std::optional<std::string> id;
  Fields fields;
  Headings headings;
  Line last{};
  const auto finish = [&] {
    if (id) smi.gpus.push_back(gpu_of(*id, fields));
    id.reset();
    fields.clear();
    headings.clear();
  };
  for (const auto& line : numbered(text)) {
    const auto words_of_line = trim(line.text);
    if (words_of_line.starts_with("====")) {
      if (words_of_line.find("NVSMI LOG") == std::string_view::npos) return malformed(line, "is not the head of nvidia-smi -q");
      begun = true;
      continue;
    }
    if (is_complaint(words_of_line)) {
      smi.complaints.push_back(beginning(words_of_line, 300));
      continue;
    }
    if (!begun) return malformed(line, "stands before the head '==============NVSMI LOG=============='");
    const auto indent = indent_of(line.text);
    if (indent > 200) return malformed(line, "is indented more than any heading");
    if (indent == 0 && words_of_line.starts_with("GPU ") && words_of_line.find(" : ") == std::string_view::npos) {
      finish();
      id = words_of_line.substr(4);
      if (!reading::is_pci_slot(pci_slot(*id))) return malformed(line, "names a GPU without a PCI address");
      last = line;
      continue;
    }
    const auto pair = key_value(words_of_line);
    if (indent == 0) {
      if (!pair) return malformed(line, "is neither 'name : value' nor a GPU");
      if (pair->first == "Driver Version") smi.driver = pair->second;
      if (pair->first.ends_with("CUDA Version") || pair->first == "CUDA UMD Version") smi.cuda = pair->second;
      if (pair->first == "Attached GPUs") {
        const auto count = reading::number(line, pair->second, "the number of GPUs", 0, 4096);
        if (!count) return fail(count.error());
        smi.attached = *count;
      }
      continue;
    }
    if (!id) return malformed(line, "belongs to no GPU");
    last = line;
    auto place = headings.place(indent, pair ? pair->first : words_of_line);
    fields.push_back({.place = std::move(place), .value = std::string(pair ? pair->second : std::string_view{})});
  }
  // A whole query ends with its processes; one of a part (-d ECC) has no product names either.
  const bool whole = std::ranges::find(fields, "product name", &Field::place) != fields.end();
  const bool ended = std::ranges::any_of(fields, [](const Field& field) { return field.place == "processes"; });
  if (id && whole && !ended) return malformed(last, "is the last one: what follows of this GPU is cut off");
  finish();
  if (!begun && smi.complaints.empty()) return nothing_known(text, "no head '==============NVSMI LOG=============='");
  if (static_cast<std::size_t>(smi.attached) < smi.gpus.size()) {
    return malformed(last, fmt::format("{} GPUs are told of, and {} attached", smi.gpus.size(), smi.attached));
  }
  return smi;
}

namespace {

void collect(const pugi::xml_node& node, const std::string& place, Fields& fields, int depth) {
  if (depth > 32) return;
  for (const auto child : node.children()) {
    if (child.type() != pugi::node_element) continue;
    const auto own = place.empty() ? lower(child.name()) : place + "/" + lower(child.name());
    if (child.first_child().type() == pugi::node_element) collect(child, own, fields, depth + 1);
    else fields.push_back({.place = own, .value = std::string(trim(child.text().get()))});
  }
}

/// The line in which a byte of the text is.
Line line_at(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const auto before = text.substr(0, offset);
  const auto begin = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return {.number = static_cast<int>(std::ranges::count(before, '\n')) + 1, .text = text.substr(begin, text.find('\n', begin) - begin)};
}

}  // namespace

Result<NvidiaSmi> parse_nvidia_smi_xml(std::string_view text) {
  pugi::xml_document document;
  const auto loaded = document.load_buffer(text.data(), text.size());
  if (!loaded) return malformed(line_at(text, static_cast<std::size_t>(loaded.offset)), fmt::format("is not XML: {}", loaded.description()));
  const auto log = document.child("nvidia_smi_log");
  if (!log) return nothing_known(text, "no element <nvidia_smi_log>");
  NvidiaSmi smi;
  smi.driver = log.child("driver_version").text().get();
  for (const auto* name : {"cuda_version", "cuda_umd_version"}) {
    if (smi.cuda.empty()) smi.cuda = log.child(name).text().get();
  }
  const auto count = log.child("attached_gpus");
  const auto attached = to_int(trim(count.text().get()));
  if (!attached || *attached < 0 || *attached > 4096) {
    return malformed(line_at(text, static_cast<std::size_t>(std::max<std::ptrdiff_t>(count.offset_debug(), 0))), "<attached_gpus> is no number");
  }
  smi.attached = *attached;
  for (const auto gpu : log.children("gpu")) {
    const std::string id = gpu.attribute("id").value();
    if (!reading::is_pci_slot(pci_slot(id))) {
      return malformed(line_at(text, static_cast<std::size_t>(std::max<std::ptrdiff_t>(gpu.offset_debug(), 0))), "names a GPU without a PCI address");
    }
    Fields fields;
    collect(gpu, "", fields, 0);
    smi.gpus.push_back(gpu_of(id, fields));
  }
  return smi;
}

namespace {

Json json_of(const NvidiaGpu& gpu) {
  Json processes = Json::array();
  for (const auto& process : gpu.processes) {
    processes.push_back({{"pid", process.pid}, {"type", process.type}, {"name", process.name}, {"memory_bytes", optional_json(process.memory_bytes)}});
  }
  return {{"slot", gpu.slot},
          {"name", gpu.name},
          {"uuid", gpu.uuid},
          {"serial", gpu.serial},
          {"vbios", gpu.vbios},
          {"minor", optional_json(gpu.minor)},
          {"persistence", optional_json(gpu.persistence)},
          {"mig", {{"mode", gpu.mig_mode}, {"pending", gpu.mig_pending}, {"devices", gpu.mig_devices}}},
          {"ecc", {{"mode", gpu.ecc_mode}, {"pending", gpu.ecc_pending},
                   {"corrected_volatile", optional_json(gpu.corrected_volatile)}, {"uncorrected_volatile", optional_json(gpu.uncorrected_volatile)},
                   {"corrected_aggregate", optional_json(gpu.corrected_aggregate)}, {"uncorrected_aggregate", optional_json(gpu.uncorrected_aggregate)},
                   {"sram_threshold_exceeded", optional_json(gpu.sram_threshold_exceeded)},
                   {"channel_repair_pending", optional_json(gpu.channel_repair_pending)},
                   {"tpc_repair_pending", optional_json(gpu.tpc_repair_pending)},
                   {"unrepairable_memory", optional_json(gpu.unrepairable_memory)}}},
          {"retired_pages", {{"single_bit", optional_json(gpu.retired_single_bit)}, {"double_bit", optional_json(gpu.retired_double_bit)},
                             {"pending", optional_json(gpu.retirement_pending)}}},
          {"remapped_rows", {{"correctable", optional_json(gpu.remapped_correctable)}, {"uncorrectable", optional_json(gpu.remapped_uncorrectable)},
                             {"pending", optional_json(gpu.remap_pending)}, {"failed", optional_json(gpu.remap_failed)}}},
          {"pcie", {{"generation", optional_json(gpu.pcie_generation)}, {"generation_max", optional_json(gpu.pcie_generation_max)},
                    {"width", optional_json(gpu.pcie_width)}, {"width_max", optional_json(gpu.pcie_width_max)},
                    {"replays", optional_json(gpu.pcie_replays)}}},
          {"slowdowns", gpu.slowdowns},
          {"temperature_c", {{"gpu", optional_json(gpu.temperature_c)}, {"margin", optional_json(gpu.margin_c)},
                             {"slowdown_at", optional_json(gpu.slowdown_at_c)}, {"max_operating", optional_json(gpu.max_operating_c)},
                             {"memory", optional_json(gpu.memory_c)}, {"memory_max", optional_json(gpu.memory_max_c)}}},
          {"power_w", {{"draw", optional_json(gpu.power_w)}, {"limit", optional_json(gpu.power_limit_w)}, {"default_limit", optional_json(gpu.power_limit_default_w)}}},
          {"clocks_mhz", {{"sm", optional_json(gpu.sm_mhz)}, {"sm_max", optional_json(gpu.sm_max_mhz)},
                          {"application_graphics", optional_json(gpu.application_graphics_mhz)}, {"default_graphics", optional_json(gpu.default_graphics_mhz)},
                          {"application_memory", optional_json(gpu.application_memory_mhz)}, {"default_memory", optional_json(gpu.default_memory_mhz)}}},
          {"memory_bytes", optional_json(gpu.memory_bytes)},
          {"memory_used_bytes", optional_json(gpu.memory_used_bytes)},
          {"compute_mode", gpu.compute_mode},
          {"fabric", {{"state", gpu.fabric_state}, {"status", gpu.fabric_status}}},
          {"recovery_action", gpu.recovery_action},
          {"reset_required", optional_json(gpu.reset_required)},
          {"processes", processes},
          {"unreadable", gpu.unreadable}};
}

Result<Json> as_json(const Result<NvidiaSmi>& smi) {
  if (!smi) return fail(smi.error());
  Json gpus = Json::array();
  for (const auto& gpu : smi->gpus) gpus.push_back(json_of(gpu));
  return Json{{"driver", smi->driver}, {"cuda", smi->cuda}, {"attached", smi->attached}, {"complaints", smi->complaints}, {"gpus", gpus}};
}

const Registered text_parser{Parser{.kind = "nvidia-smi-q",
                                    .summary = "NVIDIA GPUs: ECC, remapped rows, PCIe, slowdowns, fabric, processes",
                                    .command = "nvidia-smi -q",
                                    .parse = [](std::string_view text) { return as_json(parse_nvidia_smi_q(text)); }}};

const Registered xml_parser{Parser{.kind = "nvidia-smi-xml",
                                   .summary = "the same from XML",
                                   .command = "nvidia-smi -q -x",
                                   .parse = [](std::string_view text) { return as_json(parse_nvidia_smi_xml(text)); }}};

}  // namespace

}  // namespace podwright::parsing
