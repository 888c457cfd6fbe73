#include "catalog/measurements/port_counters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace podwright {

namespace {

/// What is looked at, and whether the gate stays shut when it rises. Fatal: the counters of
/// InfiniBand's Port Counters that mean damaged or lost symbols (the rule ib.counters of the checks), and
/// damaged frames or a carrier that came and went on Ethernet. Not fatal: what congestion alone can cause.
struct Known {
  std::string_view counter;
  bool fatal;
};
constexpr Known known_counters[] = {
    {"symbol_error", true},
    {"link_downed", true},
    {"link_error_recovery", true},
    {"port_rcv_errors", true},
    {"local_link_integrity_errors", true},
    {"excessive_buffer_overrun_errors", true},
    {"port_rcv_remote_physical_errors", false},
    {"port_xmit_discards", false},
    {"roce_adp_retrans", false},
    {"out_of_sequence", false},
    {"packet_seq_err", false},
    {"local_ack_timeout_err", false},
    {"rx_crc_errors", true},
    {"rx_frame_errors", true},
    {"rx_fifo_errors", false},
    {"tx_carrier_errors", true},
    {"carrier_down_count", true},
    {"rx_missed_errors", false},
};

const Known* find_known(std::string_view counter) {
  const auto* found = std::ranges::find(known_counters, counter, &Known::counter);
  return found == std::end(known_counters) ? nullptr : found;
}

// One process for all files of a folder: a port has dozens. An unreadable counter is one that the driver
// does not have.
constexpr std::string_view script = R"sh(show() { # PORT FOLDER FILE…
  port=$1
  cd "$2" 2>/dev/null || return 0
  shift 2
  for file in "$@"; do
    { read -r value <"$file"; } 2>/dev/null && printf '%s %s %s\n' "$port" "$file" "$value"
  done
}
for folder in /sys/class/infiniband/*/ports/*; do
  [ -d "$folder" ] || continue
  device=${folder%/ports/*}
  port=${device##*/}/${folder##*/}
  show "$port" "$folder/counters" symbol_error link_downed link_error_recovery port_rcv_errors \
    local_link_integrity_errors excessive_buffer_overrun_errors port_rcv_remote_physical_errors port_xmit_discards
  show "$port" "$folder/hw_counters" roce_adp_retrans out_of_sequence packet_seq_err local_ack_timeout_err
done
for folder in /sys/class/net/*; do
  [ "${folder##*/}" != lo ] && [ -d "$folder/statistics" ] || continue
  show "${folder##*/}" "$folder/statistics" rx_crc_errors rx_frame_errors rx_fifo_errors tx_carrier_errors rx_missed_errors
  show "${folder##*/}" "$folder" carrier_down_count
done
echo end
)sh";

}  // namespace

std::string_view port_counters_script() { return script; }

Result<PortCounters> read_port_counters(std::string_view printed) {
  PortCounters counters;
  bool ended = false;
  for (const auto line : lines(printed)) {
    if (trim(line).empty()) continue;
    if (trim(line) == "end") {
      ended = true;
      continue;
    }
    const auto cells = words(line);
    std::uint64_t value = 0;
    const auto good = cells.size() == 3 && [&] {
      const auto [end, error] = std::from_chars(cells[2].data(), cells[2].data() + cells[2].size(), value);
      return error == std::errc() && end == cells[2].data() + cells[2].size();
    }();
    // Some drivers answer "N/A (no PMA)".
    if (!good && cells.size() >= 3 && cells[2].starts_with("N/A")) continue;
    if (!good) return fail(Fault::remote, fmt::format("port counters: this is no counter: {}", line.substr(0, 100)));
    counters[std::string(cells[0])][std::string(cells[1])] = value;
  }
  if (!ended) return fail(Fault::remote, "port counters: the answer breaks off");
  return counters;
}

std::vector<CounterDelta> counters_that_rose(const NodeId& node, const PortCounters& before,
                                             const PortCounters& after,
                                             const std::vector<std::string>& ports) {
  std::vector<CounterDelta> rose;
  for (const auto& [port, counters] : after) {
    const auto name = port.substr(0, port.find('/'));
    if (!ports.empty() && std::ranges::find(ports, name) == ports.end()) continue;
    const auto earlier = before.find(port);
    if (earlier == before.end()) continue;
    for (const auto& [counter, value] : counters) {
      const auto* known = find_known(counter);
      const auto was = earlier->second.find(counter);
      if (known == nullptr || was == earlier->second.end()) continue;
      // One that was reset in between has counted from zero.
      const auto delta = value >= was->second ? value - was->second : value;
      if (delta == 0) continue;
      rose.push_back({.node = node, .port = port, .counter = counter, .delta = delta, .fatal = known->fatal});
    }
  }
  return rose;
}

}  // namespace podwright
