// pcie.link: accelerators and network adapters run at the full width and speed of their links.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"
#include "catalog/probes/reading.hpp"
#include "catalog/vendors/accelerators.hpp"

namespace podwright {

namespace {

/// "16.0 GT/s PCIe" and "8 GT/s" -> 16, 8; nothing for "Unknown".
std::optional<double> gigatransfers(std::string_view speed) {
  const auto blank = speed.find(' ');
  if (blank == std::string_view::npos || !speed.substr(blank + 1).starts_with("GT/s")) return {};
  return reading::finite_number(speed.substr(0, blank));
}

struct Link {
  double speed = 0;
  int width = 0;
};

/// "32 GT/s x16"
std::optional<Link> parse_link(std::string_view text) {
  const auto parts = words(text);
  if (parts.size() != 3 || !parts[1].starts_with("GT/s") || !parts[2].starts_with('x')) return {};
  const auto speed = reading::finite_number(parts[0]);
  const auto width = to_int(parts[2].substr(1));
  if (!speed || !width || *width < 1 || *width > 32) return {};
  return Link{.speed = *speed, .width = static_cast<int>(*width)};
}

bool is_accelerator(const PciDevice& device) {
  return !accelerator_vendor(device.vendor, device.device, device.klass).empty();
}

/// InfiniBand controllers, and Ethernet ones of NVIDIA (Mellanox): the rest of the network is not judged,
/// on-board ports often sit in slots narrower than they could use.
bool is_hca(const PciDevice& device) {
  return device.klass.starts_with("0207") || (device.vendor == "15b3" && device.klass.starts_with("02"));
}

struct Finding {
  std::vector<std::string> wrong{};
  std::vector<std::string> slow{};  ///< maybe only asleep
};

void judge_device(const PciDevice& device, const std::optional<Link>& declared, Finding& finding) {
  const auto name = fmt::format("{} {}", device.slot,
                                is_accelerator(device) ? accelerator_model(device.vendor, device.device) : "HCA");
  const auto speed = gigatransfers(device.link_speed);
  // All bits set is what the bus returns for a device that is not there any more.
  if (device.link_width == 63 || (device.link_width == 255 && !speed)) {
    finding.wrong.push_back(name + " does not answer: it fell off the bus");
    return;
  }
  const auto most = declared ? std::optional(declared->speed) : gigatransfers(device.max_link_speed);
  const int width = declared ? declared->width : device.max_link_width;
  if (device.link_width != width) finding.wrong.push_back(fmt::format("{} x{} instead of x{}", name, device.link_width, width));
  if (!speed || !most || *speed >= *most) return;
  auto text = fmt::format("{} at {:g} GT/s instead of {:g}", name, *speed, *most);
  // Display cards slow their link down when idle; those of data centres keep it.
  (device.klass.starts_with("0300") ? finding.slow : finding.wrong).push_back(std::move(text));
}

std::vector<CheckResult> judge(const Check& check, const Observed&, const Expectation& expectation) {
  const auto ignored = judging::list_option(expectation, "ignore");
  std::optional<Link> declared[2];
  const std::string_view keys[2] = {"gpu", "hca"};
  for (int i = 0; i < 2; ++i) {
    const auto text = judging::text_option(expectation, keys[i]);
    if (!text) continue;
    declared[i] = parse_link(*text);
    if (!declared[i]) {
      return {judging::failed_to_run(check, fmt::format("'{}' is not a link", *text), fmt::format("write {} = \"32 GT/s x16\" in [[check]] pcie.link", keys[i]))};
    }
  }
  Finding finding;
  std::size_t judged = 0;
  for (const auto& device : expectation.facts.pci) {
    const bool gpu = is_accelerator(device);
    if ((!gpu && !is_hca(device)) || std::ranges::find(ignored, device.slot) != ignored.end()) continue;
    // Guests and devices within the processor show no link.
    if (device.max_link_width == 0 && device.link_width == 0) continue;
    ++judged;
    judge_device(device, declared[gpu ? 0 : 1], finding);
  }
  if (judged == 0) return {judging::skipped(check, "no accelerator or HCA shows a PCIe link here")};
  const std::string expected = declared[0] || declared[1] ? "the declared width and speed" : "the greatest width and speed of each device";
  const std::string remedy = "reseat the card and its riser or cable, look for the slot's settings in the firmware, and power the node off "
                             "and on; lspci -vv -s ADDRESS shows LnkCap and LnkSta. Right as it is? [[check]] id = \"pcie.link\", gpu = \"… GT/s x…\"";
  auto all = finding.wrong;
  all.insert(all.end(), finding.slow.begin(), finding.slow.end());
  if (!finding.wrong.empty()) return {judging::broken(check, human_list(all), expected, remedy)};
  if (!finding.slow.empty()) return {judging::warned(check, human_list(all) + " (maybe idle)", expected, remedy)};
  return {judging::passed(check, count_of(judged, "device") + " at full width and speed", expected)};
}

const Registered check{Check{
    .id = "pcie.link",
    .summary = "Accelerators and HCAs run at the full width and speed of their PCIe links, or as declared",
    .severity = Severity::fatal,
    .source = "facebookresearch/gcm, OCI oci-dr-hpc (pcie_width_missing_lanes_check)",
    .options = {{.name = "gpu", .type = FieldType::text, .doc = "link of every accelerator: \"32 GT/s x16\""},
                {.name = "hca", .type = FieldType::text, .doc = "link of every HCA"},
                {.name = "ignore", .type = FieldType::list, .doc = "PCI addresses that are not judged"}},
    .needs = {"pci"},
    .judge = judge}};

}  // namespace

}  // namespace podwright
