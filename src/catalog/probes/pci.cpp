// PCI devices that matter to training: accelerators, network controllers, NVMe disks, NVSwitches.
#include <algorithm>

#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

// `cd -P` resolves the link to the driver without a process. Virtual functions are left out: their
// physical function stands for the device; in a guest they are seen as devices of their own.
constexpr std::string_view script = R"sh(
get() { v=; { read -r v; } 2>/dev/null <"$1"; }
for d in /sys/bus/pci/devices/*; do
  get "$d/class"
  class=${v#0x}
  case $class in 02*|03*|0108*|0680*|0b40*|12*) ;; *) continue ;; esac
  [ ! -e "$d/physfn" ] || continue
  get "$d/vendor"; vendor=${v#0x}
  case $class$vendor in 068010de|0680??10de) ;; 0680*) continue ;; esac
  get "$d/device"; device=${v#0x}
  driver=-; { cd -P "$d/driver"; } 2>/dev/null && driver=${PWD##*/}
  get "$d/numa_node"; numa=${v:--1}
  get "$d/current_link_speed"; speed=${v:--}
  get "$d/current_link_width"; width=${v:--}
  get "$d/max_link_speed"; max_speed=${v:--}
  get "$d/max_link_width"
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "${d##*/}" "$class" "$vendor" "$device" \
    "$driver" "$numa" "$speed" "$width" "$max_speed" "${v:--}"
done
echo end
)sh";

Result<PciDevice> read_device(const reading::Line& line) {
  const auto fields = reading::fields(line, 10);
  if (!fields) return fail(fields.error());
  const auto& f = *fields;
  if (!reading::is_pci_slot(f[0])) return reading::malformed(line, "does not begin with a PCI address");
  if (!reading::is_hex(f[1], 6)) return reading::malformed(line, "its class is not six hexadecimal digits");
  if (!reading::is_hex(f[2], 4) || !reading::is_hex(f[3], 4)) {
    return reading::malformed(line, "its vendor or device is not four hexadecimal digits");
  }
  const auto numa = reading::number(line, f[5], "its NUMA node", -1, 1 << 16);
  if (!numa) return fail(numa.error());
  // Sysfs says 63 (all bits set) of a device that does not answer, 255 of one whose width is unknown.
  const auto width = reading::number_or(line, f[7], "its link width", 0, 255, 0);
  if (!width) return fail(width.error());
  const auto most = reading::number_or(line, f[9], "its greatest link width", 0, 255, 0);
  if (!most) return fail(most.error());
  return PciDevice{.slot = std::string(f[0]),
                   .vendor = std::string(f[2]),
                   .device = std::string(f[3]),
                   .klass = std::string(f[1]),
                   .driver = std::string(f[4]),
                   .numa = static_cast<int>(*numa),
                   .link_speed = std::string(f[6]),
                   .link_width = static_cast<int>(*width),
                   .max_link_speed = std::string(f[8]),
                   .max_link_width = static_cast<int>(*most)};
}

Status parse_pci(const Observed& observed, Facts& facts) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  std::vector<PciDevice> devices;
  for (const auto& line : *lines) {
    auto device = read_device(line);
    if (!device) return fail(device.error());
    devices.push_back(std::move(*device));
  }
  std::ranges::sort(devices, {}, &PciDevice::slot);
  facts.pci = std::move(devices);
  return {};
}

const Registered probe{Probe{.id = "pci",
                             .summary = "Accelerators, network controllers and NVMe disks on PCI, with their links",
                             .script = script,
                             .parse = parse_pci}};

}  // namespace

}  // namespace podwright
