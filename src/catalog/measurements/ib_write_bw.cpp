// perftest: RDMA bandwidth. The client writes to the server (ib_write_bw), then reads from it
// (ib_read_bw): each way once, with the ends where they are. Traps: the unit stands in the header
// of the table only (MB/sec, MiB/sec or Gb/sec); with a duration the peak column is 0.00; warnings
// about the processor's frequency stand within the table; RoCE needs the index of a GID, which
// differs from node to node.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/registry.hpp"

namespace podwright {

namespace {

/// What a client waits for its server to listen, as with the other tools.
constexpr int first_patience = 8;
constexpr int second_patience = 3;
/// Beyond the seconds of a test: opening the device, registering memory, exchanging keys.
constexpr int slack = 4;
/// Large enough that one queue pair fills any port of today.
constexpr int message_bytes = 8 << 20;
constexpr std::string_view marker = "== ";

int whole(double seconds) { return std::max(1, static_cast<int>(std::ceil(seconds))); }

/// An IPv4 address as it ends a GID: 10.1.0.11 is 0a01:000b. Nothing for other addresses.
std::optional<std::string> gid_tail(const std::string& address) {
  const auto parts = split(address, '.');
  if (parts.size() != 4) return std::nullopt;
  std::string tail;
  for (const auto part : parts) {
    const auto byte = to_int(part);
    if (!byte || *byte < 0 || *byte > 255) return std::nullopt;
    tail += fmt::format("{:02x}", *byte);
    if (tail.size() == 4) tail += ':';
  }
  return tail;
}

/// Sets $dev to the HCA (the end point may name its network interface), and $gid to the option for
/// its RoCE v2 GID: the one of the end point's address, else the first. Entries without a GID
/// cannot be read.
std::string preamble(const Endpoint& at) {
  return fmt::format(R"sh(for tool in ib_write_bw ib_read_bw timeout; do
  command -v "$tool" >/dev/null 2>&1 || {{ echo "$tool is not installed" >&2; exit 127; }}
done
name={device}
wanted={wanted}
dev=$name
[ -n "$dev" ] && [ -e "/sys/class/infiniband/$dev" ] ||
  dev=$(ls "/sys/class/net/$name/device/infiniband" 2>/dev/null | head -n 1)
[ -n "$dev" ] || {{ printf 'no RDMA device is or belongs to "%s"\n' "$name" >&2; exit 1; }}
port=/sys/class/infiniband/$dev/ports/1
gid=
if [ "$(cat "$port/link_layer" 2>/dev/null)" = Ethernet ]; then
  for type in "$port"/gid_attrs/types/*; do
    grep -q 'RoCE v2' "$type" 2>/dev/null || continue
    case $(cat "$port/gids/${{type##*/}}" 2>/dev/null) in
      *"$wanted") gid="-x ${{type##*/}}"; break ;;
    esac
  done
  [ -n "$gid" ] || {{ printf '%s has no RoCE v2 GID of %s\n' "$dev" {address} >&2; exit 1; }}
fi
)sh",
                     fmt::arg("device", sh::quote(at.device)),
                     fmt::arg("wanted", sh::quote(gid_tail(at.address).value_or(""))),
                     fmt::arg("address", sh::quote(at.address)));
}

std::string options(int port, double seconds) {
  return fmt::format("-F -s {} --report_gbits -D {} -d \"$dev\" $gid -p {}", message_bytes,
                     whole(seconds), port);
}

std::string server(const Endpoint& at, int port, double seconds) {
  return fmt::format(
      "{0}timeout {2} ib_write_bw {1} >/dev/null || exit $?\ntimeout {3} ib_read_bw {1} "
      ">/dev/null\n",
      preamble(at), options(port, seconds), first_patience + whole(seconds) + slack,
      second_patience + whole(seconds) + slack);
}

std::string client(const Endpoint& from, const Endpoint& to, int port, double seconds) {
  return fmt::format(R"sh({preamble}measure() {{
  patience=$1
  tool=$2
  begin=$(date +%s)
  while :; do
    answer=$(timeout {limit} "$tool" {options} {to} 2>&1)
    status=$?
    case $answer in
      *"Couldn't connect to"*|*'Unable to init the socket connection'*)
        if [ $(($(date +%s) - begin)) -lt "$patience" ]; then
          sleep 0.2 2>/dev/null || sleep 1
          continue
        fi ;;
    esac
    break
  done
  printf '{marker}%s\n%s\n' "$tool" "$answer"
  return "$status"
}}
measure {first} ib_write_bw && measure {second} ib_read_bw
)sh",
                     fmt::arg("preamble", preamble(from)),
                     fmt::arg("limit", whole(seconds) + slack),
                     fmt::arg("options", options(port, seconds)),
                     fmt::arg("to", sh::quote(to.address)), fmt::arg("marker", marker),
                     fmt::arg("first", first_patience), fmt::arg("second", second_patience));
}

/// Gbit/s of one unit of the table; nothing for an unknown unit.
std::optional<double> gbits_of(std::string_view header) {
  if (header.find("BW average[Gb/sec]") != std::string_view::npos) return 1.0;
  if (header.find("BW average[MB/sec]") != std::string_view::npos) return 8.0 * (1 << 20) / 1e9;
  if (header.find("BW average[MiB/sec]") != std::string_view::npos) return 8.0 * (1 << 20) / 1e9;
  return std::nullopt;
}

/// The line that says why there is no table: a known complaint, else the last thing said.
std::string complaint_of(std::string_view text) {
  constexpr std::size_t most = 200;
  std::string last;
  for (const auto line : lines(text)) {
    const auto said = trim(line);
    if (said.empty() || said.find_first_not_of("-*") == std::string_view::npos) continue;
    for (const auto* sign : {"Couldn't", "Unable", "Failed", "failed", "not installed", "no RDMA",
                             "RoCE v2 GID", "Completion with error"}) {
      if (said.find(sign) != std::string_view::npos) return std::string(said.substr(0, most));
    }
    last = said.substr(0, most);
  }
  return last;
}

/// The average of the last row of the table: the largest message.
Result<double> average_of(std::string_view text, std::string_view tool) {
  std::optional<double> unit;
  std::optional<double> average;
  bool table = false;
  for (const auto line : lines(text)) {
    if (line.find("#bytes") != std::string_view::npos) {
      table = true;
      unit = gbits_of(line);
      if (!unit) {
        return fail(Fault::remote,
                    fmt::format("{}: a table in an unknown unit: {}", tool, trim(line)));
      }
      continue;
    }
    if (!unit) continue;
    const auto cells = words(line);
    if (cells.size() < 4 || !to_int(cells[0]) || !to_int(cells[1])) continue;
    if (const auto value = to_double(cells[3])) average = *value * *unit;
  }
  if (!average) {
    const auto said = complaint_of(text);
    if (table) return fail(Fault::remote, fmt::format("{}: the table has no row: {}", tool, said));
    return fail(Fault::remote,
                fmt::format("{}: no result{}{}", tool, said.empty() ? "" : ": ", said));
  }
  if (!std::isfinite(*average) || *average <= 0) {
    return fail(Fault::remote, fmt::format("{}: connected, but nothing was transferred", tool));
  }
  return *average;
}

Result<Measurement::Rates> parse(const Observed& observed) {
  std::string_view text = observed.out;
  const auto section = [&](std::string_view tool) -> std::optional<std::string_view> {
    const auto head = fmt::format("{}{}\n", marker, tool);
    const auto begin = text.find(head);
    if (begin == std::string_view::npos) return std::nullopt;
    const auto rest = text.substr(begin + head.size());
    return rest.substr(0, rest.find(fmt::format("\n{}", marker)));
  };
  const auto written = section("ib_write_bw");
  if (!written) {
    if (observed.timed_out)
      return fail(Fault::timeout, "ib_write_bw gave no answer before its deadline");
    const auto said = complaint_of(observed.err.empty() ? observed.out : observed.err);
    return fail(Fault::remote,
                fmt::format("ib_write_bw did not run{}{}", said.empty() ? "" : ": ", said),
                observed.exit_status == 127 ? "install the package perftest on every node" : "");
  }
  const auto forward = average_of(*written, "ib_write_bw");
  if (!forward) return fail(forward.error());
  const auto read = section("ib_read_bw");
  if (!read) {
    return fail(observed.timed_out ? Fault::timeout : Fault::remote, "ib_read_bw gave no answer");
  }
  const auto backward = average_of(*read, "ib_read_bw");
  if (!backward) return fail(backward.error());
  return Measurement::Rates{.gbps_forward = *forward, .gbps_backward = *backward};
}

const Registered ib_write_bw{
    Measurement{.tool = "ib_write_bw",
                .kind = "pairwise",
                .summary = "RDMA bandwidth between two HCAs: write there, read back",
                .package = "perftest",
                .server = server,
                .client = client,
                .parse = parse}};

}  // namespace

}  // namespace podwright
