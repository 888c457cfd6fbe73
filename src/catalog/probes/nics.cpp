// Network interfaces, all but loopback, with their addresses.
#include <arpa/inet.h>

#include <algorithm>
#include <bit>
#include <map>

#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

// Without `ip`, the kernel's tables are printed and put together by the parser: which addresses are
// local, and which network lies behind which interface.
constexpr std::string_view script = R"sh(
get() { v=; { read -r v; } 2>/dev/null <"$1"; }
for d in /sys/class/net/*; do
  n=${d##*/}
  [ -d "$d" ] && [ "$n" != lo ] || continue
  get "$d/address"; mac=${v:--}
  get "$d/operstate"; state=${v:--}
  get "$d/carrier"; carrier=${v:--}
  get "$d/speed"; speed=${v:--1}
  get "$d/mtu"; mtu=${v:-0}
  driver=-; { cd -P "$d/device/driver"; } 2>/dev/null && driver=${PWD##*/}
  printf 'nic\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$n" "$mac" "$state" "$carrier" "$speed" "$mtu" "$driver"
done
if command -v ip >/dev/null 2>&1; then
  ip -o addr show
else
  while read -r n to via flags a b c mask rest; do
    [ "$via" != 00000000 ] || printf 'route\t%s\t%s\t%s\n' "$n" "$to" "$mask"
  done </proc/net/route
  while read -r a b c rest; do
    case "$a $c" in
      '|-- ') address=$b ;;
      '/32 LOCAL') printf 'local\t%s\n' "$address" ;;
    esac
  done </proc/net/fib_trie
  [ ! -r /proc/net/if_inet6 ] || while read -r address index prefix scope flags n; do
    printf 'inet6\t%s\t%s\t%s\n' "$n" "$address" "$prefix"
  done </proc/net/if_inet6
fi
echo end
)sh";

using Addresses = std::map<std::string, std::vector<std::string>, std::less<>>;

/// Addresses of one link are everybody's ("fe80::…") and say nothing about a node.
bool is_link_local(std::string_view address) {
  return starts_with_any(address, {"fe8", "fe9", "fea", "feb", "FE8"}) && address.find(':') != std::string_view::npos;
}

void add_address(Addresses& addresses, std::string_view nic, std::string address) {
  if (is_link_local(address)) return;
  auto& known = addresses[std::string(nic)];
  if (std::ranges::find(known, address) == known.end()) known.push_back(std::move(address));
}

bool is_address(std::string_view text) {
  const std::string address(text.substr(0, text.find('/')));
  in6_addr bytes{};
  return inet_pton(AF_INET, address.c_str(), &bytes) == 1 || inet_pton(AF_INET6, address.c_str(), &bytes) == 1;
}

Result<Nic> read_nic(const reading::Line& line) {
  const auto fields = reading::fields(line, 8);
  if (!fields) return fail(fields.error());
  const auto& f = *fields;
  if (f[1].empty()) return reading::malformed(line, "the interface has no name");
  const auto speed = reading::number(line, f[5], "its speed", -1, INT64_C(1) << 32);
  if (!speed) return fail(speed.error());
  const auto mtu = reading::number(line, f[6], "its MTU", 0, INT64_C(1) << 32);
  if (!mtu) return fail(mtu.error());
  // Some drivers never report an operational state; then the carrier tells.
  const bool up = f[3] == "up" || (f[3] == "unknown" && f[4] == "1");
  return Nic{.name = std::string(f[1]),
             .mac = std::string(f[2]),
             .state = up ? "up" : "down",
             // 2^32 - 1, -1 and 0 Mbit/s are the ways in which drivers say that they don't know.
             .speed_gbps = *speed > 0 && *speed < 0xFFFFFFFF ? static_cast<double>(*speed) / 1000 : 0,
             .mtu = static_cast<int>(std::min<std::int64_t>(*mtu, 1 << 30)),
             .driver = std::string(f[7]),
             .addresses = {}};
}

/// "2: eth0    inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0\ …", as `ip -o addr` prints it.
Status read_ip_line(const reading::Line& line, Addresses& addresses) {
  const auto parts = words(line.text);
  if (parts.size() < 4 || !parts[0].ends_with(':')) return reading::malformed(line, "is not a line of ip -o addr");
  if (parts[2] != "inet" && parts[2] != "inet6") return {};  // busybox prints the link, too
  const auto name = parts[1].substr(0, parts[1].find_first_of("@:"));
  if (name == "lo") return {};
  if (!is_address(parts[3])) return reading::malformed(line, "has no address");
  std::string address(parts[3]);
  if (address.find('/') == std::string::npos) address += parts[2] == "inet" ? "/32" : "/128";
  add_address(addresses, name, std::move(address));
  return {};
}

struct Route {
  std::string nic;
  std::uint32_t network = 0;  ///< as /proc/net/route prints it: network byte order read as a number
  std::uint32_t mask = 0;
};

Result<std::uint32_t> read_hex32(const reading::Line& line, std::string_view text) {
  if (!reading::is_hex(text, 8)) return reading::malformed(line, "has a number that is not eight hexadecimal digits");
  return static_cast<std::uint32_t>(std::stoul(std::string(text), nullptr, 16));
}

Status read_table_line(const reading::Line& line, std::vector<Route>& routes,
                       std::vector<std::uint32_t>& locals, Addresses& addresses) {
  const auto kind = line.text.substr(0, line.text.find('\t'));
  if (kind == "local") {
    const auto fields = reading::fields(line, 2);
    if (!fields) return fail(fields.error());
    in_addr bytes{};
    if (inet_pton(AF_INET, std::string((*fields)[1]).c_str(), &bytes) != 1) {
      return reading::malformed(line, "has no address");
    }
    locals.push_back(bytes.s_addr);
    return {};
  }
  const auto fields = reading::fields(line, 4);
  if (!fields) return fail(fields.error());
  const auto& f = *fields;
  if (kind == "route") {
    const auto network = read_hex32(line, f[2]);
    if (!network) return fail(network.error());
    const auto mask = read_hex32(line, f[3]);
    if (!mask) return fail(mask.error());
    routes.push_back({.nic = std::string(f[1]), .network = *network, .mask = *mask});
    return {};
  }
  if (!reading::is_hex(f[2], 32)) return reading::malformed(line, "has no address");
  if (!reading::is_hex(f[3], 2)) return reading::malformed(line, "has no length of its prefix");
  in6_addr bytes{};
  for (std::size_t i = 0; i < 16; ++i) {
    bytes.s6_addr[i] = static_cast<std::uint8_t>(std::stoul(std::string(f[2].substr(2 * i, 2)), nullptr, 16));
  }
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, &bytes, text, sizeof text);
  if (f[1] != "lo") {
    add_address(addresses, f[1], std::string(text) + "/" + std::to_string(std::stoul(std::string(f[3]), nullptr, 16)));
  }
  return {};
}

/// Gives each local address to the interface with the narrowest network around it.
void place_locals(const std::vector<Route>& routes, const std::vector<std::uint32_t>& locals,
                  Addresses& addresses) {
  for (const auto local : locals) {
    const Route* best = nullptr;
    for (const auto& route : routes) {
      if ((local & route.mask) != route.network || route.mask == 0) continue;
      if (best == nullptr || std::popcount(route.mask) > std::popcount(best->mask)) best = &route;
    }
    if (best == nullptr) continue;  // 127.0.0.1, and addresses without a network
    char text[INET_ADDRSTRLEN] = {};
    const in_addr bytes{.s_addr = local};
    inet_ntop(AF_INET, &bytes, text, sizeof text);
    add_address(addresses, best->nic, std::string(text) + "/" + std::to_string(std::popcount(best->mask)));
  }
}

Status parse_nics(const Observed& observed, Facts& facts) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  std::vector<Nic> nics;
  Addresses addresses;
  std::vector<Route> routes;
  std::vector<std::uint32_t> locals;
  for (const auto& line : *lines) {
    if (line.text.starts_with("nic\t")) {
      auto nic = read_nic(line);
      if (!nic) return fail(nic.error());
      nics.push_back(std::move(*nic));
      continue;
    }
    const auto read = starts_with_any(line.text, {"route\t", "local\t", "inet6\t"})
                          ? read_table_line(line, routes, locals, addresses)
                          : read_ip_line(line, addresses);
    if (!read) return read;
  }
  place_locals(routes, locals, addresses);
  for (auto& nic : nics) {
    if (const auto found = addresses.find(nic.name); found != addresses.end()) nic.addresses = found->second;
  }
  std::ranges::sort(nics, {}, &Nic::name);
  facts.nics = std::move(nics);
  return {};
}

const Registered probe{Probe{.id = "nics",
                             .summary = "Network interfaces: state, speed, MTU, driver, addresses",
                             .script = script,
                             .parse = parse_nics}};

}  // namespace

}  // namespace podwright
