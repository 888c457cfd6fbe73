// perftest: RDMA bandwidth. The client writes to the server (ib_write_bw), then reads from it
// (ib_read_bw): each way once, with the ends where they are. Traps: the unit stands in the header
// of the table only (MB/sec, MiB/sec or Gb/sec); with a duration the peak column is 0.00; warnings
// about the processor's frequency stand within the table; RoCE needs the index of a GID, which
// differs from node to node.

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/parsers/perftest.hpp"
#include "catalog/registry.hpp"

namespace podwright {

namespace {

/// What a client waits for its server to listen, as with the other tools.
constexpr int usual_patience = 8;
constexpr int second_patience = 3;
/// 5,000 small writes, at a millisecond each where RDMA is emulated.
constexpr int latency_seconds = 8;
constexpr std::string_view marker = "== ";
constexpr std::string_view late = "no answer within";

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
std::string preamble(const PairJob& job, const Endpoint& at) {
  const auto* index = find_value(job.options, "gid_index");
  const auto gid = index != nullptr && index->integer() != nullptr ? fmt::format("-x {}", *index->integer())
                                                                   : std::string{};
  return fmt::format(R"sh(for tool in ib_write_bw ib_read_bw timeout; do
  command -v "$tool" >/dev/null 2>&1 || {{ echo "$tool is not installed" >&2; exit 127; }}
done
name={device}
wanted={wanted}
dev=$name
[ -n "$dev" ] && [ -e "/sys/class/infiniband/$dev" ] ||
  dev=$(ls "/sys/class/net/$name/device/infiniband" 2>/dev/null | head -n 1)
if [ -z "$dev" ]; then  # RDMA over an ordinary interface has no device of its own
  for one in /sys/class/infiniband/*; do
    [ "$(cat "$one/ports/1/gid_attrs/ndevs/0" 2>/dev/null)" = "$name" ] && [ -n "$name" ] && dev=${{one##*/}}
  done
fi
[ -n "$dev" ] || {{ printf 'no RDMA device is or belongs to "%s"\n' "$name" >&2; exit 1; }}
port=/sys/class/infiniband/$dev/ports/1
gid={gid}
if [ -z "$gid" ] && [ "$(cat "$port/link_layer" 2>/dev/null)" = Ethernet ]; then
  for type in "$port"/gid_attrs/types/*; do
    grep -q 'RoCE v2' "$type" 2>/dev/null || continue
    case $(cat "$port/gids/${{type##*/}}" 2>/dev/null) in
      *"$wanted") gid="-x ${{type##*/}}"; break ;;
    esac
  done
  [ -n "$gid" ] || {{ printf '%s has no RoCE v2 GID of %s\n' "$dev" {address} >&2; exit 1; }}
fi
)sh",
                     fmt::arg("gid", sh::quote(gid)), fmt::arg("device", sh::quote(at.device)),
                     fmt::arg("wanted", sh::quote(gid_tail(at.address).value_or(""))),
                     fmt::arg("address", sh::quote(at.address)));
}

const Value* option(const PairJob& job, std::string_view name) { return find_value(job.options, name); }

bool wants_latency(const PairJob& job) {
  const auto* wanted = option(job, "latency");
  return wanted != nullptr && wanted->flag() != nullptr && *wanted->flag();
}

/// "--use_cuda=3" for the memory of the GPU next to the port; empty: the memory of the host.
std::string memory_option(const PairJob& job, const Endpoint& at) {
  const auto* wanted = option(job, "gpu_direct");
  if (wanted == nullptr || wanted->text() == nullptr || *wanted->text() == "none") return {};
  return fmt::format(" --use_{}={}", *wanted->text(), at.gpu);
}

/// Ends the script where GPU direct is wanted and no GPU is known.
std::string memory_check(const PairJob& job, const Endpoint& at) {
  if (memory_option(job, at).empty() || at.gpu >= 0) return {};
  return fmt::format("printf 'no GPU is known to be near %s\\n' {} >&2; exit 1\n", sh::quote(at.device));
}

std::string queue_pairs(const PairJob& job) {
  const auto* wanted = option(job, "queue_pairs");
  if (wanted == nullptr || wanted->integer() == nullptr) return {};
  return fmt::format(" -q {}", std::clamp<std::int64_t>(*wanted->integer(), 1, 1024));
}

/// Beyond the seconds of a test: opening the device, registering memory, exchanging keys.
int startup(const PairJob& job) {
  constexpr int usual = 4;
  const auto* wanted = option(job, "startup_seconds");
  if (wanted == nullptr || wanted->integer() == nullptr) return usual;
  return static_cast<int>(std::clamp<std::int64_t>(*wanted->integer(), 1, 600));
}

int first_patience(const PairJob& job) { return std::max(usual_patience, startup(job)); }

/// A power of two. Large, so that one queue pair fills any port of today; but 128 are on their way at a time
/// (perftest's default), and only what has arrived within the test is counted: 500 of them should.
std::int64_t message_bytes(const PairJob& job) {
  constexpr std::int64_t least = 4 << 10;
  constexpr std::int64_t usual = 64 << 10;
  constexpr std::int64_t most = 8 << 20;
  const auto gbps = std::min(job.from.rate_gbps, job.to.rate_gbps);
  if (gbps <= 0) return usual;
  const auto fitting = static_cast<std::uint64_t>(gbps * 1e9 / 8 * job.seconds / 500);
  return std::clamp(static_cast<std::int64_t>(std::bit_floor(fitting)), least, most);
}

std::string bandwidth_options(const PairJob& job, const Endpoint& at) {
  return fmt::format("-F -s {} --report_gbits -D {}{}{} -d \"$dev\" $gid -p {}", message_bytes(job),
                     whole(job.seconds), queue_pairs(job), memory_option(job, at), job.port);
}

/// By count, for only then percentiles are told.
std::string latency_options(const PairJob& job) {
  return fmt::format("-F -s 2 -n 5000 -d \"$dev\" $gid -p {}", job.port);
}

std::string server(const PairJob& job) {
  const int seconds = whole(job.seconds);
  auto script = fmt::format(
      "{0}{4}timeout {2} ib_write_bw {1} >/dev/null || exit $?\ntimeout {3} ib_read_bw {1} >/dev/null{5}\n",
      preamble(job, job.to), bandwidth_options(job, job.to), first_patience(job) + seconds + startup(job),
      second_patience + seconds + startup(job), memory_check(job, job.to), wants_latency(job) ? " || exit $?" : "");
  if (wants_latency(job)) {
    script += fmt::format("timeout {} ib_write_lat {} >/dev/null\n", second_patience + startup(job) + latency_seconds,
                          latency_options(job));
  }
  return script;
}

std::string client(const PairJob& job) {
  const auto to = sh::quote(job.to.address);
  auto script = fmt::format(R"sh({preamble}{check}measure() {{
  limit=$1
  patience=$2
  tool=$3
  shift 3
  begin=$(date +%s)
  while :; do
    answer=$(timeout "$limit" "$tool" "$@" 2>&1)
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
  [ "$status" != 124 ] || printf '{late} %s s\n' "$limit"
  return "$status"
}}
measure {limit} {first} ib_write_bw {options} {to} && measure {limit} {second} ib_read_bw {options} {to})sh",
                            fmt::arg("preamble", preamble(job, job.from)),
                            fmt::arg("check", memory_check(job, job.from)), fmt::arg("marker", marker), fmt::arg("late", late),
                            fmt::arg("limit", whole(job.seconds) + startup(job)), fmt::arg("first", first_patience(job)),
                            fmt::arg("second", second_patience),
                            fmt::arg("options", bandwidth_options(job, job.from)), fmt::arg("to", to));
  if (wants_latency(job)) {
    script += fmt::format(" && measure {} {} ib_write_lat {} {}", startup(job) + latency_seconds, second_patience,
                          latency_options(job), to);
  }
  return script + "\n";
}

/// What `of` finds in the row of the largest message.
template <class Of>
Result<double> figure_of(std::string_view text, std::string_view tool, Of of) {
  const auto tables = parsing::read_perftest(text);
  if (const auto cut = text.rfind(late); !tables && cut != std::string_view::npos) {
    return fail(Fault::timeout, fmt::format("{} gave {}", tool, trim(text.substr(cut))));
  }
  if (!tables) return fail(tables.error().fault, fmt::format("{}: {}", tool, tables.error().what));
  const std::optional<double> figure = of(tables->back().rows.back());
  if (!figure) return fail(Fault::remote, fmt::format("{}: its table is of another test", tool));
  return *figure;
}

Result<double> average_of(std::string_view text, std::string_view tool) {
  return figure_of(text, tool, [](const parsing::PerftestRow& row) { return row.average_gbps; });
}

/// The first line that says something, for a script that ended before any tool ran.
std::string first_line(std::string_view text) {
  constexpr std::size_t most = 200;
  for (const auto line : lines(text)) {
    if (!trim(line).empty()) return std::string(trim(line).substr(0, most));
  }
  return {};
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
    const auto said = first_line(observed.err.empty() ? observed.out : observed.err);
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
  Measurement::Rates rates{.gbps_forward = *forward, .gbps_backward = *backward};
  if (const auto lat = section("ib_write_lat")) {
    const auto latency = figure_of(*lat, "ib_write_lat", [](const parsing::PerftestRow& row) {
      return row.latency_us("99% percentile");
    });
    if (!latency) return fail(latency.error());
    rates.latency_us = *latency;
  }
  return rates;
}

const Registered ib_write_bw{
    Measurement{.tool = "ib_write_bw",
                .kind = "pairwise",
                .summary = "RDMA bandwidth between two HCAs: write there, read back",
                .package = "perftest",
                .options = {{.name = "gid_index",
                             .type = FieldType::integer,
                             .doc = "RoCE: the index of the GID; else the RoCE v2 one of the port's address"},
                            {.name = "gpu_direct",
                             .doc = "whose memory is sent: the host's, or that of the GPU next to the port",
                             .choices = {"none", "cuda", "rocm"}},
                            {.name = "startup_seconds",
                             .type = FieldType::integer,
                             .doc = "what the tool may take before it measures: 4, unless RDMA is emulated"},
                            {.name = "queue_pairs", .type = FieldType::integer, .doc = "else one"},
                            {.name = "latency",
                             .type = FieldType::flag,
                             .doc = "measure small writes as well (ib_write_lat)"},
                            {.name = "max_latency_us",
                             .type = FieldType::number,
                             .doc = "what the 99th percentile of small writes may be; 4.2 on InfiniBand (OCI)"}},
                .server = server,
                .client = client,
                .parse = parse}};

}  // namespace

}  // namespace podwright
