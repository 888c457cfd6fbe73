// Disks: hardware, not what is built from it (no loop, RAM, device-mapper or RAID devices).
#include <algorithm>

#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

constexpr std::string_view script = R"sh(
get() { v=; { read -r v; } 2>/dev/null <"$1"; }
for d in /sys/block/*; do
  n=${d##*/}
  case $n in loop*|ram*|zram*|sr*|fd*|dm-*|md*|nbd*) continue ;; esac
  [ -e "$d/device" ] || continue
  get "$d/hidden"; [ "$v" != 1 ] || continue
  get "$d/size"; size=${v:-0}
  [ "$size" != 0 ] || continue
  get "$d/queue/rotational"; rotational=${v:-0}
  get "$d/device/model"
  printf '%s\t%s\t%s\t%s\n' "$n" "$size" "$rotational" "${v:--}"
done
echo end
)sh";

Status parse_disks(const Observed& observed, Facts& facts) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  std::vector<Disk> disks;
  for (const auto& line : *lines) {
    const auto fields = reading::fields(line, 4);
    if (!fields) return fail(fields.error());
    const auto& f = *fields;
    if (f[0].empty()) return reading::malformed(line, "the disk has no name");
    const auto sectors = reading::number(line, f[1], "its size", 1, INT64_C(1) << 53);
    if (!sectors) return fail(sectors.error());
    const auto rotational = reading::number(line, f[2], "'rotational'", 0, 1);
    if (!rotational) return fail(rotational.error());
    disks.push_back({.name = std::string(f[0]),
                     // Sysfs counts in units of 512 bytes whatever the disk's own sector is.
                     .bytes = static_cast<std::uint64_t>(*sectors) * 512,
                     .model = std::string(f[3]),
                     .rotational = *rotational == 1});
  }
  std::ranges::sort(disks, {}, &Disk::name);
  facts.disks = std::move(disks);
  return {};
}

const Registered probe{Probe{.id = "disks",
                             .summary = "Disks: size, model, rotational",
                             .script = script,
                             .parse = parse_disks}};

}  // namespace

}  // namespace podwright
