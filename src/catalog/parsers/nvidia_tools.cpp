#include "catalog/parsers/nvidia_tools.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/parsers/json_of.hpp"
#include "catalog/parsers/json_text.hpp"
#include "catalog/parsers/text.hpp"

namespace podwright::parsing {

namespace {

struct Named {
  std::int64_t index = 0;
  std::string name;
  std::string uuid;
};

/// "GPU 0: NVIDIA H200 (UUID: GPU-…)"
Result<Named> read_gpu_line(const Line& line) {
  const auto text = trim(line.text);
  const auto colon = text.find(':');
  const auto index = colon == std::string_view::npos ? std::nullopt : to_int(trim(text.substr(4, colon - 4)));
  if (!index || *index < 0) return malformed(line, "is not 'GPU N: name (UUID: …)'");
  const auto open = text.rfind("(UUID:");
  if (open == std::string_view::npos || !text.ends_with(')') || open < colon) return malformed(line, "has no (UUID: …)");
  const auto uuid = trim(text.substr(open + 6, text.size() - open - 7));
  if (uuid.empty()) return malformed(line, "its UUID is empty: the GPU does not answer");
  return Named{.index = *index, .name = std::string(trim(text.substr(colon + 1, open - colon - 1))), .uuid = std::string(uuid)};
}

Result<Json> list_as_json(std::string_view text) {
  Json gpus = Json::array();
  for (const auto& line : numbered(text)) {
    const auto words_of_line = trim(line.text);
    if (words_of_line.starts_with("GPU ")) {
      const auto gpu = read_gpu_line(line);
      if (!gpu) return fail(gpu.error());
      gpus.push_back({{"index", gpu->index}, {"name", gpu->name}, {"uuid", gpu->uuid}, {"mig", Json::array()}});
    } else if (words_of_line.starts_with("MIG ") && !gpus.empty()) {
      const auto open = words_of_line.rfind("(UUID:");
      const auto device = words_of_line.find("Device");
      if (open == std::string_view::npos || device == std::string_view::npos || device > open) return malformed(line, "is not a MIG device");
      gpus.back()["mig"].push_back({{"profile", std::string(trim(words_of_line.substr(4, device - 4)))},
                                    {"uuid", std::string(trim(words_of_line.substr(open + 6, words_of_line.find(')', open) - open - 6)))}});
    } else {
      return malformed(line, "is neither a GPU nor a MIG device");
    }
  }
  if (gpus.empty()) return nothing_known(text, "no line 'GPU N: …'");
  return Json{{"gpus", gpus}};
}

}  // namespace

Result<std::vector<NvlinkGpu>> parse_nvlink(std::string_view text) {
  std::vector<NvlinkGpu> gpus;
  for (const auto& line : numbered(text)) {
    const auto words_of_line = trim(line.text);
    if (words_of_line.starts_with("GPU ")) {
      const auto gpu = read_gpu_line(line);
      if (!gpu) return fail(gpu.error());
      gpus.push_back({.index = gpu->index, .name = gpu->name, .uuid = gpu->uuid, .links = {}});
      continue;
    }
    if (gpus.empty()) return malformed(line, "stands before the first 'GPU N: …'");
    if (lower(words_of_line).find("all links are inactive") != std::string::npos) {
      gpus.back().all_inactive = true;
      continue;
    }
    const auto pair = key_value(words_of_line);
    const auto parts = pair ? words(pair->first) : std::vector<std::string_view>{};
    const auto number = parts.size() >= 2 && parts[0] == "Link" ? to_int(parts[1]) : std::nullopt;
    if (!number || *number < 0 || *number > 1000) return malformed(line, "is not 'Link N: …'");
    auto& links = gpus.back().links;
    auto link = std::ranges::find(links, *number, &NvlinkGpu::Link::number);
    if (link == links.end()) {
      links.push_back({.number = *number, .gbytes_per_s = {}, .errors = {}});
      link = links.end() - 1;
    }
    // -e: "Link 0: Replay Errors: 0"
    if (const auto error = key_value(pair->second); error && to_int(error->second)) {
      link->errors.emplace_back(error->first, *to_int(error->second));
      link->active = true;
      continue;
    }
    if (const auto speed = leading_number(pair->second); speed && *speed >= 0 && pair->second.ends_with("GB/s")) {
      link->gbytes_per_s = *speed;
      link->active = *speed > 0;
    } else if (!is_absent(pair->second) && lower(pair->second).find("inactive") == std::string::npos) {
      return malformed(line, "tells neither a speed in GB/s, nor <inactive>, nor an error counter");
    }
  }
  if (gpus.empty()) return nothing_known(text, "no line 'GPU N: …'");
  return gpus;
}

namespace {

Result<Json> nvlink_as_json(std::string_view text) {
  const auto gpus = parse_nvlink(text);
  if (!gpus) return fail(gpus.error());
  Json all = Json::array();
  for (const auto& gpu : *gpus) {
    Json links = Json::array();
    for (const auto& link : gpu.links) {
      Json errors = Json::object();
      for (const auto& [name, count] : link.errors) errors[name] = count;
      links.push_back({{"link", link.number}, {"active", link.active}, {"gbytes_per_s", optional_json(link.gbytes_per_s)}, {"errors", errors}});
    }
    all.push_back({{"index", gpu.index}, {"name", gpu.name}, {"uuid", gpu.uuid}, {"all_inactive", gpu.all_inactive}, {"links", links}});
  }
  return Json{{"gpus", all}};
}

/// What may stand between two devices of the matrix.
bool is_connection(std::string_view cell) {
  for (const auto* known : {"X", "SYS", "NODE", "PHB", "PXB", "PIX", "PSB", "SOC", "N/A", "ERR"}) {
    if (cell == known) return true;
  }
  return cell.starts_with("NV") && to_int(cell.substr(2)).has_value();
}

/// The matrix of `nvidia-smi topo -m`: columns between tabs, or between runs of blanks where somebody has
/// copied it from a page. NICs may come between the GPUs, their names in a legend below.
Result<Json> topo_as_json(std::string_view text) {
  std::vector<std::string> columns;
  Json devices = Json::array();
  Json nics = Json::object();
  bool in_legend = false;
  for (const auto& line : numbered(text)) {
    const auto words_of_line = trim(line.text);
    if (words_of_line.starts_with("Legend:") || words_of_line.starts_with("NIC Legend:")) {
      in_legend = true;
      continue;
    }
    if (in_legend) {
      const auto pair = key_value(words_of_line);
      if (pair && pair->first.starts_with("NIC")) nics[std::string(pair->first)] = std::string(pair->second);
      continue;
    }
    if (columns.empty()) {
      if (words_of_line.starts_with("$")) continue;  // the command, in a copy of a terminal
      for (const auto name : words(line.text)) {
        if (name == "CPU" || name == "NUMA" || name == "GPU") break;  // "CPU Affinity", "NUMA Affinity", "GPU NUMA ID"
        columns.emplace_back(name);
      }
      if (columns.empty() || !columns[0].starts_with("GPU")) return malformed(line, "is not the head of the matrix: GPU0 GPU1 … CPU Affinity");
      continue;
    }
    const auto cells = words(line.text);
    if (cells.size() < columns.size() + 1) return malformed(line, fmt::format("has fewer than {} connections", columns.size()));
    Json to = Json::object();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (!is_connection(cells[i + 1])) return malformed(line, fmt::format("'{}' is not a kind of connection", clean_output(cells[i + 1].substr(0, 20))));
      to[columns[i]] = std::string(cells[i + 1]);
    }
    const auto rest = [&](std::size_t at) { return cells.size() > columns.size() + at ? std::string(cells[columns.size() + at]) : std::string{}; };
    devices.push_back({{"name", std::string(cells[0])}, {"to", to}, {"cpus", rest(1)}, {"numa", optional_json(to_int(rest(2)))}});
  }
  if (devices.empty()) return nothing_known(text, "no row of a matrix");
  return Json{{"devices", devices}, {"nics", nics}};
}

/// A line of comma separated values; nvidia-smi quotes nothing, and a comma is always followed by a blank.
std::vector<std::string> csv_cells(std::string_view line) {
  std::vector<std::string> cells;
  while (true) {
    const auto at = line.find(", ");
    cells.emplace_back(trim(line.substr(0, at)));
    if (at == std::string_view::npos) return cells;
    line.remove_prefix(at + 2);
  }
}

Result<Json> csv_as_json(std::string_view text) {
  std::vector<std::string> head;
  Json rows = Json::array();
  for (const auto& line : numbered(text)) {
    const auto cells = csv_cells(line.text);
    if (head.empty()) {
      static constexpr std::string_view known[] = {"timestamp", "name", "index", "uuid", "gpu_uuid", "gpu_name", "pci.bus_id", "gpu_bus_id", "pid",
                                                   "driver_version", "count", "serial", "gpu_serial"};
      if (std::ranges::none_of(cells, [&](const auto& cell) { return std::ranges::find(known, cell) != std::end(known); })) {
        return malformed(line, "is not the head of nvidia-smi --query-…=… --format=csv");
      }
      head = cells;
      continue;
    }
    if (cells.size() != head.size()) return malformed(line, fmt::format("has {} values under {} names", cells.size(), head.size()));
    Json row = Json::object();
    for (std::size_t i = 0; i < head.size(); ++i) row[head[i]] = is_absent(cells[i]) && cells[i] != "None" ? Json(nullptr) : Json(cells[i]);
    rows.push_back(std::move(row));
  }
  if (head.empty()) return nothing_known(text, "no line of names");
  return Json{{"columns", head}, {"rows", rows}};
}

// --- DCGM ------------------------------------------------------------------------------------------

/// "info", "warnings": a text, or a list of texts or of {"warning": …}.
std::string message_of(const Json& result) {
  std::vector<std::string> parts;
  for (const auto* key : {"warnings", "warning", "error", "info"}) {
    if (!result.contains(key)) continue;
    const auto& value = result[key];
    if (value.is_string()) parts.push_back(value.get<std::string>());
    if (!value.is_array()) continue;
    for (const auto& one : value) parts.push_back(one.is_string() ? one.get<std::string>() : text_member(one, "warning"));
  }
  return beginning(join(parts, "; "), 500);
}

void read_results(const Json& results, const DcgmTest& test, std::vector<DcgmTest>& all) {
  if (!results.is_array()) return;
  for (const auto& result : results) {
    if (!result.is_object()) continue;
    auto one = test;
    one.status = text_member(result, "status");
    one.gpu = text_member(result, "gpu_id").empty() ? text_member(result, "gpu_ids") : text_member(result, "gpu_id");
    if (one.gpu.empty() && text_member(result, "entity_group") == "GPU") one.gpu = text_member(result, "entity_id");
    one.message = message_of(result);
    if (!one.status.empty()) all.push_back(std::move(one));
  }
}

Result<std::vector<DcgmTest>> dcgm_table(std::string_view text) {
  std::vector<DcgmTest> all;
  std::string category;
  bool is_table = false;
  for (const auto& line : numbered(text)) {
    const auto row = trim(line.text);
    const bool boxed = row.size() > 2 && (row.front() == '|' || row.front() == '+');
    if (!boxed) continue;
    const auto cells = split(row.substr(1, row.size() - 2), row.find('|', 1) == row.size() - 1 || row[0] == '+' ? '+' : '|');
    auto first = trim(cells[0]);
    if (first.starts_with("-----")) {  // |-----  Deployment  --------+----|
      const auto inner = first.find_first_not_of('-');
      if (inner == std::string_view::npos) continue;
      first = trim(first.substr(inner));
      category = trim(first.substr(0, first.find("  ")));
      continue;
    }
    if (first.starts_with("=") || cells.size() < 2) continue;
    const auto value = trim(cells[1]);
    if (first == "Diagnostic") {
      is_table = true;
      continue;
    }
    if (!is_table) return malformed(line, "stands before the head '| Diagnostic | Result |'");
    if (category == "Metadata" || category.empty()) continue;
    const auto parts = words(value);
    const auto status = parts.empty() ? std::string_view{} : parts[0];
    if (first.empty() || first == "Warning" || first == "Error" || first == "Info") {
      if (!all.empty()) (all.back().message += all.back().message.empty() ? "" : " ") += value;
      continue;
    }
    if (status != "Pass" && status != "Fail" && status != "Warn" && status != "Skip") return malformed(line, "its result is neither Pass, Fail, Warn nor Skip");
    all.push_back({.category = category, .name = std::string(first), .gpu = {}, .status = std::string(status), .message = {}});
  }
  if (!is_table) return nothing_known(text, "neither JSON nor a table of dcgmi diag");
  return all;
}

}  // namespace

Result<std::vector<DcgmTest>> parse_dcgm_diag(std::string_view text) {
  const auto brace = text.find('{');
  if (brace == std::string_view::npos) return dcgm_table(text);
  // Warnings may come before the document.
  const auto document = parse_json_text(text, brace);
  if (!document) return fail(document.error());
  const Json* root = nullptr;
  for (const auto* name : {"DCGM GPU Diagnostic", "DCGM Diagnostic"}) {
    if (document->contains(name)) root = &(*document)[name];
  }
  if (root == nullptr || !root->contains("test_categories") || !(*root)["test_categories"].is_array()) {
    return nothing_known(text, "no 'test_categories' of a DCGM diagnostic");
  }
  std::vector<DcgmTest> all;
  for (const auto& category : (*root)["test_categories"]) {
    if (!category.is_object() || !category.contains("tests") || !category["tests"].is_array()) continue;
    for (const auto& test : category["tests"]) {
      if (!test.is_object()) continue;
      DcgmTest named{.category = text_member(category, "category"), .name = text_member(test, "name"), .gpu = {}, .status = {}, .message = {}};
      const auto before = all.size();
      if (test.contains("results")) read_results(test["results"], named, all);
      // DCGM 4 tells of the whole test besides.
      if (all.size() == before && test.contains("test_summary") && test["test_summary"].is_object()) {
        named.status = text_member(test["test_summary"], "status");
        named.message = message_of(test["test_summary"]);
        if (!named.status.empty()) all.push_back(std::move(named));
      }
    }
  }
  if (all.empty()) return nothing_known(text, "no result of any test");
  return all;
}

namespace {

Result<Json> dcgm_as_json(std::string_view text) {
  const auto tests = parse_dcgm_diag(text);
  if (!tests) return fail(tests.error());
  Json all = Json::array();
  bool pass = !tests->empty();
  for (const auto& test : *tests) {
    pass = pass && test.status != "Fail" && test.status != "FAIL";
    all.push_back({{"category", test.category}, {"name", test.name}, {"gpu", test.gpu}, {"status", test.status}, {"message", test.message}});
  }
  return Json{{"pass", pass}, {"tests", all}};
}

const Registered list_parser{Parser{.kind = "nvidia-smi-list", .summary = "the GPUs and MIG devices that the driver has", .command = "nvidia-smi -L", .parse = list_as_json}};
const Registered nvlink_parser{Parser{.kind = "nvidia-smi-nvlink", .summary = "NVLinks: speeds (-s), or error counters (-e)", .command = "nvidia-smi nvlink -s", .parse = nvlink_as_json}};
const Registered topo_parser{Parser{.kind = "nvidia-smi-topo", .summary = "how GPUs and NICs are connected", .command = "nvidia-smi topo -m", .parse = topo_as_json}};
const Registered csv_parser{Parser{.kind = "nvidia-smi-csv", .summary = "any query of nvidia-smi, a row for each GPU or process", .command = "nvidia-smi --query-gpu=… --format=csv", .parse = csv_as_json}};
const Registered dcgm_parser{Parser{.kind = "dcgmi-diag", .summary = "the tests of a DCGM diagnosis and their results", .command = "dcgmi diag -r 1 -j", .parse = dcgm_as_json}};

}  // namespace

}  // namespace podwright::parsing
