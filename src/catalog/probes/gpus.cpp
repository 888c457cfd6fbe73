// Accelerators, GPUs and NPUs alike, by their PCI ids: known before any driver is installed.
#include <algorithm>

#include "base/text.hpp"
#include "catalog/probes/reading.hpp"
#include "catalog/vendors/accelerators.hpp"

namespace podwright {

namespace {

// NVIDIA's driver names model and minor number in /proc; the drivers of AMD and Intel show their render
// node below the PCI device; Ascend's shows only /dev/davinciN.
constexpr std::string_view script = R"sh(
get() { v=; { read -r v; } 2>/dev/null <"$1"; }
for d in /sys/bus/pci/devices/*; do
  get "$d/class"
  class=${v#0x}
  case $class in 03*|0b40*|12*) ;; *) continue ;; esac
  [ ! -e "$d/physfn" ] || continue
  get "$d/vendor"; vendor=${v#0x}
  get "$d/device"; device=${v#0x}
  get "$d/numa_node"; numa=${v:--1}
  slot=${d##*/} model=- file=-
  case $vendor in
    10de)
      if [ -r "/proc/driver/nvidia/gpus/$slot/information" ]; then
        while read -r a b c; do
          case $a$b in
            Model:*) model="$b${c:+ $c}" ;;
            DeviceMinor:) [ ! -e "/dev/nvidia$c" ] || file=/dev/nvidia$c ;;
          esac
        done <"/proc/driver/nvidia/gpus/$slot/information"
      fi ;;
    1da3)
      for n in "$d"/accel/accel[0-9]*; do [ ! -e "/dev/accel/${n##*/}" ] || file=/dev/accel/${n##*/}; done ;;
    *)
      for n in "$d"/drm/renderD*; do [ ! -e "/dev/dri/${n##*/}" ] || file=/dev/dri/${n##*/}; done ;;
  esac
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$slot" "$class" "$vendor" "$device" "$numa" "$model" "$file"
done
for n in /dev/davinci[0-9]*; do [ ! -e "$n" ] || printf 'davinci\t%s\n' "$n"; done
echo end
)sh";

Result<std::optional<Accelerator>> read_accelerator(const reading::Line& line) {
  const auto fields = reading::fields(line, 7);
  if (!fields) return fail(fields.error());
  const auto& f = *fields;
  if (!reading::is_pci_slot(f[0])) return reading::malformed(line, "does not begin with a PCI address");
  if (!reading::is_hex(f[1], 6)) return reading::malformed(line, "its class is not six hexadecimal digits");
  if (!reading::is_hex(f[2], 4) || !reading::is_hex(f[3], 4)) {
    return reading::malformed(line, "its vendor or device is not four hexadecimal digits");
  }
  const auto numa = reading::number(line, f[4], "its NUMA node", -1, 1 << 16);
  if (!numa) return fail(numa.error());
  if (!f[6].empty() && !f[6].starts_with("/dev/")) return reading::malformed(line, "its file is not in /dev");
  const auto vendor = accelerator_vendor(f[2], f[3], f[1]);
  if (vendor.empty()) return std::nullopt;
  return Accelerator{.vendor = std::string(vendor),
                     .model = f[5].empty() ? accelerator_model(f[2], f[3]) : std::string(f[5]),
                     .slot = std::string(f[0]),
                     .numa = static_cast<int>(*numa),
                     .device_file = std::string(f[6])};
}

/// Ascend's driver numbers its devices in the order of their addresses, and says so nowhere: the files
/// are given out only when there is one for each.
void give_davinci_files(std::vector<Accelerator>& all, std::vector<std::string> files) {
  const auto is_ascend = [](const Accelerator& one) { return one.vendor == "ascend"; };
  if (static_cast<std::size_t>(std::ranges::count_if(all, is_ascend)) != files.size()) return;
  std::ranges::sort(files, [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  auto file = files.begin();
  for (auto& one : all) {
    if (is_ascend(one)) one.device_file = *file++;
  }
}

Status parse_gpus(const Observed& observed, Facts& facts) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  std::vector<Accelerator> all;
  std::vector<std::string> davinci;
  for (const auto& line : *lines) {
    if (line.text.starts_with("davinci\t")) {
      const auto fields = reading::fields(line, 2);
      if (!fields) return fail(fields.error());
      davinci.emplace_back((*fields)[1]);
      continue;
    }
    auto one = read_accelerator(line);
    if (!one) return fail(one.error());
    if (*one) all.push_back(std::move(**one));
  }
  std::ranges::sort(all, {}, &Accelerator::slot);
  give_davinci_files(all, std::move(davinci));
  facts.gpus = std::move(all);
  return {};
}

const Registered probe{Probe{.id = "gpus",
                             .summary = "GPUs and NPUs with their models and device files",
                             .script = script,
                             .parse = parse_gpus}};

}  // namespace

}  // namespace podwright
