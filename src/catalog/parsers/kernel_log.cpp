#include "catalog/parsers/kernel_log.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/parsers/json_of.hpp"
#include "catalog/parsers/text.hpp"
#include "catalog/vendors/nvidia_errors.hpp"

namespace podwright::parsing {

namespace {

bool has(std::string_view text, std::string_view what) { return text.find(what) != std::string_view::npos; }

/// "Jan 31 12:00:00", "2026-01-31T12:00:00+0000", "Fri Jan 31 12:00:00 2026" before the message.
bool looks_like_stamp(std::string_view word) {
  return word.size() >= 19 && word[4] == '-' && word[7] == '-' && word[10] == 'T';
}

bool is_month(std::string_view word) {
  for (const auto* month : {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}) {
    if (word == month) return true;
  }
  return false;
}

/// The first PCI address in the text, normalised.
std::string first_slot(std::string_view text) {
  for (std::size_t i = 0; i + 7 <= text.size(); ++i) {
    const bool after_name = i >= 4 && text.substr(i - 4, 4) == "PCI:";
    if (!after_name && i > 0 && std::string_view("0123456789abcdefABCDEF:.").find(text[i - 1]) != std::string_view::npos) continue;
    const auto end = text.find_first_not_of("0123456789abcdefABCDEF:.", i);
    auto word = text.substr(i, end == std::string_view::npos ? end : end - i);
    while (word.ends_with(':') || word.ends_with('.')) word.remove_suffix(1);
    if (std::ranges::count(word, ':') == 2 && reading::is_pci_slot(pci_slot(word))) return pci_slot(word);
    // NVRM names no function: "PCI:0000:9b:00"
    if (std::ranges::count(word, ':') == 2 && word.find('.') == std::string_view::npos) {
      const auto slot = pci_slot(std::string(word) + ".0");
      if (reading::is_pci_slot(slot)) return slot;
    }
  }
  return {};
}

/// "NVRM: Xid (PCI:0000:9b:00): 119, pid=…", "nvidia-nvswitch0: SXid (PCI:0000:86:00.0): 20034, Fatal, Link 30 …"
std::optional<KernelEvent> nvidia_event(std::string_view text) {
  const bool switch_error = has(text, "SXid (PCI:");
  const auto at = text.find(switch_error ? "SXid (PCI:" : "Xid (PCI:");
  if (at == std::string_view::npos) return {};
  const auto close = text.find("):", at);
  const auto code = close == std::string_view::npos ? std::nullopt : leading_int(text.substr(close + 2));
  if (!code || *code < 0) return {};
  KernelEvent event{.kind = switch_error ? "sxid" : "xid", .device = first_slot(text.substr(at)), .code = code, .fatal = true,
                    .meaning = "unknown to this release", .action = "look it up in NVIDIA's list of errors, and drain the node until then", .text = {}, .uptime = {}, .stamp = {}};
  if (const auto* known = switch_error ? nvidia_sxid(*code) : nvidia_xid(*code)) {
    event.fatal = known->fatal;
    event.meaning = known->meaning;
    event.action = known->action;
  }
  // The switch's driver says itself of what it can't recover from.
  if (switch_error && has(text.substr(close), "Non-fatal")) event.fatal = false;
  if (switch_error && has(text.substr(close), ", Fatal")) event.fatal = true;
  return event;
}

struct Pattern {
  std::string_view kind;
  std::string_view first;   ///< must be in it
  std::string_view second;  ///< this, too; empty: nothing more
  bool fatal;
  std::string_view meaning;
};

constexpr Pattern patterns[] = {
    {"gpu-lost", "GPU has fallen off the bus", "", true, "a GPU has fallen off the bus"},
    {"gpu-lost", "RmInitAdapter failed", "", true, "a GPU could not be initialised"},
    {"aer", "severity=Uncorrected (Fatal)", "", true, "a fatal PCIe error"},
    {"aer", "severity=Fatal", "", true, "a fatal PCIe error"},
    {"aer", "severity=Uncorrected (Non-Fatal)", "", false, "an uncorrected PCIe error"},
    {"aer", "severity=Corrected", "", false, "a corrected PCIe error"},
    {"aer", "AER:", "Fatal", true, "a fatal PCIe error"},
    {"pcie-limited", "available PCIe bandwidth, limited by", "", true, "a device sits in a slot that is too slow for it"},
    {"mce", "Hardware Error", "", false, "the processor reports a hardware error"},
    {"mce", "mce: [Hardware Error]: Machine check events logged", "", false, "the processor reports a hardware error"},
    {"edac", "EDAC ", " UE ", true, "an uncorrected memory error"},
    {"edac", "EDAC ", " CE ", false, "a corrected memory error"},
    {"lockup", "BUG: soft lockup", "", true, "a processor was stuck"},
    {"lockup", "ard LOCKUP", "", true, "a processor was stuck"},
    {"lockup", "detected stalls on CPUs", "", true, "a processor was stuck"},
    {"lockup", "self-detected stall", "", true, "a processor was stuck"},
    {"hung-task", "blocked for more than", "seconds", true, "a task was stuck, most often waiting for storage"},
    {"oom", "Out of memory", "", false, "memory ran out and a program was killed"},
    {"oom", "oom-kill:", "", false, "memory ran out and a program was killed"},
    {"panic", "Kernel panic - not syncing", "", true, "the kernel gave up"},
    {"nvme", "nvme", "I/O timeout", true, "an NVMe disk did not answer"},
    {"nvme", "nvme", "controller is down", true, "an NVMe disk went away"},
    {"nvme", "nvme", "Removing after probe failure", true, "an NVMe disk went away"},
    {"disk", "I/O error, dev", "", true, "a disk failed to read or write"},
    {"disk", "critical medium error", "", true, "a disk failed to read or write"},
    {"disk", "log I/O error", "", true, "a file system could not write its journal"},
    {"disk", "Remounting filesystem read-only", "", true, "a file system became read-only"},
    {"link", "mlx5_core", "Link down", false, "a network link went down"},
    {"link", "mlx5_core", "Link up", false, "a network link came up"},
    {"link", "mlx5_core", "health compromised", true, "a network adapter reports that it is ill"},
    {"link", "mlx5_core", "device's health compromised", true, "a network adapter reports that it is ill"},
    {"link", "mlx5_core", "Port module event", false, "a cable or transceiver was unplugged or failed"},
    {"link", "mlx5_core", "High temperature", true, "a network adapter is too hot"},
    {"thermal", "temperature above threshold, cpu clock throttled", "", false, "a processor is too hot"},
};

/// "nvme2n1" after "dev ", "nvme0" before ":", "mlx5_core 0000:0c:00.0".
std::string device_of(std::string_view text) {
  if (const auto slot = first_slot(text); !slot.empty()) return slot;
  const auto dev = text.find("dev ");
  if (dev != std::string_view::npos) {
    const auto name = text.substr(dev + 4);
    return std::string(name.substr(0, name.find_first_of(", ")));
  }
  const auto nvme = text.find("nvme");
  if (nvme != std::string_view::npos) return std::string(text.substr(nvme, text.find_first_of(": ,", nvme) - nvme));
  return {};
}

}  // namespace

KernelLine read_kernel_line(int number, std::string_view line) {
  KernelLine result{.number = number, .text = trim(line), .uptime = {}, .stamp = {}};
  auto& text = result.text;
  // /dev/kmsg: "6,3973,227996636,-;message"
  if (const auto semicolon = text.find(';'); semicolon != std::string_view::npos) {
    const auto head = split(text.substr(0, semicolon), ',');
    if (head.size() >= 4 && to_int(head[0]) && to_int(head[1]) && to_int(head[2])) {
      result.uptime = static_cast<double>(*to_int(head[2])) / 1e6;
      text = text.substr(semicolon + 1);
      return result;
    }
  }
  // dmesg --decode: "kern  :warn  : 2025-01-21T…"
  if (text.starts_with("kern ") || text.starts_with("kern:") || text.starts_with("daemon") || text.starts_with("user  ")) {
    const auto second = text.find(':', text.find(':') + 1);
    if (second != std::string_view::npos && second < 20) text = trim(text.substr(second + 1));
  }
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return result;
    const auto inside = trim(text.substr(1, close - 1));
    if (const auto seconds = reading::finite_number(inside)) result.uptime = *seconds;
    else result.stamp = inside;
    text = trim(text.substr(close + 1));
    // journalctl -o short-monotonic: "[ 12.3] HOST kernel: message"
    const auto named = words(text.substr(0, 200));
    if (named.size() > 2 && named[1] == "kernel:") text = trim(text.substr(static_cast<std::size_t>(named[2].data() - text.data())));
    return result;
  }
  auto parts = words(text);
  std::size_t skipped = 0;
  if (!parts.empty() && looks_like_stamp(parts[0])) skipped = 1;
  else if (parts.size() > 3 && is_month(parts[0]) && to_int(parts[1]) && has(parts[2], ":")) skipped = 3;
  if (skipped == 0) return result;
  std::vector<std::string> stamp(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(skipped));
  result.stamp = join(stamp, " ");
  // journalctl and syslog: "… HOST kernel: message"
  if (parts.size() > skipped + 1 && (parts[skipped + 1] == "kernel:" || parts[skipped + 1].starts_with("kernel["))) skipped += 2;
  text = skipped < parts.size() ? text.substr(static_cast<std::size_t>(parts[skipped].data() - text.data())) : std::string_view{};
  if (text.starts_with('[') && text.find(']') != std::string_view::npos) {  // "kernel: [  12.3] message"
    if (const auto seconds = reading::finite_number(trim(text.substr(1, text.find(']') - 1)))) {
      result.uptime = *seconds;
      text = trim(text.substr(text.find(']') + 1));
    }
  }
  return result;
}

std::optional<KernelEvent> event_of(const KernelLine& line) {
  const auto text = line.text;
  auto event = nvidia_event(text);
  if (!event) {
    const auto found = std::ranges::find_if(patterns, [&](const Pattern& one) { return has(text, one.first) && (one.second.empty() || has(text, one.second)); });
    if (found == std::end(patterns)) return {};
    event = KernelEvent{.kind = std::string(found->kind), .device = device_of(text), .code = {}, .fatal = found->fatal, .meaning = std::string(found->meaning),
                        .action = {}, .text = {}, .uptime = {}, .stamp = {}};
  }
  event->text = beginning(text, 300);
  event->uptime = line.uptime;
  event->stamp = line.stamp;
  return event;
}

std::vector<KernelEvent> kernel_events(std::string_view text) {
  std::vector<KernelEvent> events;
  for (const auto& line : numbered(text)) {
    if (auto event = event_of(read_kernel_line(line.number, line.text))) events.push_back(std::move(*event));
  }
  return events;
}

namespace {

Result<Json> dmesg_as_json(std::string_view text) {
  Json all = Json::array();
  for (const auto& event : kernel_events(text)) {
    all.push_back({{"kind", event.kind}, {"device", event.device}, {"code", optional_json(event.code)}, {"fatal", event.fatal}, {"meaning", event.meaning},
                   {"action", event.action}, {"uptime", optional_json(event.uptime)}, {"stamp", event.stamp}, {"text", valid_utf8(event.text)}});
  }
  return Json{{"lines", numbered(text).size()}, {"events", all}};
}

const Registered parser{Parser{.kind = "dmesg", .summary = "what matters in the kernel's log: Xid, PCIe, memory, disks, links", .command = "dmesg; journalctl -k", .parse = dmesg_as_json}};

}  // namespace

}  // namespace podwright::parsing
