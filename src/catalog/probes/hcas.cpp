// RDMA devices: InfiniBand and RoCE ports.
#include <algorithm>

#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

// The interface of a port is that of its first GID; before a link is up there is none, and the
// device's own list is taken; a software device (rxe, siw) names its parent.
constexpr std::string_view script = R"sh(
get() { v=; { read -r v; } 2>/dev/null <"$1"; }
for d in /sys/class/infiniband/*; do
  [ -d "$d/ports" ] || continue
  get "$d/board_id"; board=${v:--}
  get "$d/fw_ver"; firmware=${v:--}
  get "$d/device/numa_node"; numa=${v:--1}
  for p in "$d"/ports/*; do
    get "$p/state"; state=${v:--}
    get "$p/rate"; rate=${v:--}
    get "$p/link_layer"; layer=${v:--}
    get "$p/gid_attrs/ndevs/0"; netdev=$v
    [ -n "$netdev" ] || { get "$d/parent"; netdev=$v; }
    [ -n "$netdev" ] || for n in "$d"/device/net/*; do [ ! -e "$n" ] || { netdev=${n##*/}; break; }; done
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "${d##*/}" "${p##*/}" "$board" "$firmware" "$numa" \
      "$layer" "$state" "$rate" "${netdev:--}"
  done
done
echo end
)sh";

/// "400 Gb/sec (4X NDR)" -> 400
Result<double> read_rate(const reading::Line& line, std::string_view text) {
  if (text.empty()) return 0.0;
  const auto parts = words(text);
  const auto rate = parts.size() >= 2 && parts[1] == "Gb/sec" ? reading::finite_number(parts[0]) : std::nullopt;
  if (!rate || *rate < 0 || *rate > 1e6) return reading::malformed(line, "its rate is not 'N Gb/sec'");
  return *rate;
}

Status parse_hcas(const Observed& observed, Facts& facts) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  std::vector<Hca> all;
  std::vector<std::string> devices;  // of which a port was read, once for each port
  std::vector<std::int64_t> ports;
  for (const auto& line : *lines) {
    const auto fields = reading::fields(line, 9);
    if (!fields) return fail(fields.error());
    const auto& f = *fields;
    if (f[0].empty()) return reading::malformed(line, "the device has no name");
    const auto port = reading::number(line, f[1], "the port", 1, 255);
    if (!port) return fail(port.error());
    const auto numa = reading::number(line, f[4], "its NUMA node", -1, 1 << 16);
    if (!numa) return fail(numa.error());
    const auto rate = read_rate(line, f[7]);
    if (!rate) return fail(rate.error());
    devices.emplace_back(f[0]);
    ports.push_back(*port);
    all.push_back({.name = std::string(f[0]),
                   .board = std::string(f[2]),
                   .firmware = std::string(f[3]),
                   .link_layer = std::string(f[5]),
                   .state = std::string(f[6]),
                   .rate_gbps = *rate,
                   .netdev = std::string(f[8]),
                   .numa = static_cast<int>(*numa)});
  }
  // A device with several ports is named as NCCL and UCX name its ports: mlx4_0:1, mlx4_0:2.
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (std::ranges::count(devices, devices[i]) > 1) all[i].name += ":" + std::to_string(ports[i]);
  }
  std::ranges::sort(all, {}, &Hca::name);
  facts.hcas = std::move(all);
  return {};
}

const Registered probe{Probe{.id = "hcas",
                             .summary = "InfiniBand and RoCE ports: state, rate, firmware, interface",
                             .script = script,
                             .parse = parse_hcas}};

}  // namespace

}  // namespace podwright
