// ib.counters, roce.counters: error counters of RDMA ports, read twice.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "catalog/checks/rdma_ports.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

// Twice, two seconds apart: what counts on is wrong now. Then the sums since the last reset.
constexpr std::string_view counters_script = R"sh(
show() {
  for p in /sys/class/infiniband/*/ports/*; do
    [ -d "$p/counters" ] || continue
    d=${p%/ports/*}
    for c in counters/symbol_error counters/link_error_recovery counters/link_downed counters/port_rcv_errors counters/local_link_integrity_errors \
             counters/excessive_buffer_overrun_errors hw_counters/out_of_sequence hw_counters/packet_seq_err hw_counters/local_ack_timeout_err \
             hw_counters/rx_icrc_encapsulated hw_counters/rnr_nak_retry_err hw_counters/roce_adp_retrans; do
      v=; { read -r v; } 2>/dev/null <"$p/$c"
      [ -z "$v" ] || printf '%s\t%s\t%s\t%s\t%s\n' "$1" "${d##*/}" "${p##*/}" "${c#*/}" "$v"
    done
  done
}
any=
for p in /sys/class/infiniband/*/ports/*/counters; do [ ! -d "$p" ] || any=yes; done
if [ -n "$any" ]; then show first; sleep 2; show second; fi
echo end
)sh";

struct Counter {
  std::string device, port, name;
  std::int64_t first = 0, second = 0;
};

Result<std::vector<Counter>> read_counters(const Observed& observed) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  std::vector<Counter> all;
  for (const auto& line : *lines) {
    const auto fields = reading::fields(line, 5);
    if (!fields) return fail(fields.error());
    const auto& f = *fields;
    const auto value = reading::number(line, f[4], "the counter", 0, INT64_MAX);
    if (!value) return fail(value.error());
    const auto same = [&](const Counter& one) { return one.device == f[1] && one.port == f[2] && one.name == f[3]; };
    auto found = std::ranges::find_if(all, same);
    if (found == all.end()) {
      all.push_back({.device = std::string(f[1]), .port = std::string(f[2]), .name = std::string(f[3])});
      found = all.end() - 1;
    }
    (f[0] == "first" ? found->first : found->second) = *value;
  }
  return all;
}

std::vector<CheckResult> judge_counters(const Check& check, const Observed& observed, const Expectation& expectation, bool roce) {
  const auto ports = judging::rdma_ports(expectation);
  if (ports.verdict(check)) return {*ports.verdict(check)};
  const bool any = std::ranges::any_of(ports.hcas, [&](const Hca* hca) { return judging::is_ethernet(*hca) == roce; });
  if (!any) return {judging::skipped(check, roce ? "no RoCE port here" : "no InfiniBand port here")};
  const auto counters = read_counters(observed);
  if (!counters) return {judging::failed_to_run(check, counters.error().what, "cat /sys/class/infiniband/*/ports/*/counters/symbol_error")};
  const auto most = judging::integer_option(expectation, "max_total");
  static const std::set<std::string_view> of_link = {"symbol_error", "link_error_recovery", "link_downed", "port_rcv_errors", "local_link_integrity_errors", "excessive_buffer_overrun_errors"};
  std::vector<std::string> counting;
  std::vector<std::string> totals;
  std::size_t told = 0;
  for (const auto& counter : *counters) {
    const bool ours = std::ranges::any_of(ports.hcas, [&](const Hca* hca) { return judging::is_ethernet(*hca) == roce && judging::is_port(*hca, counter.device, counter.port); });
    if (!ours || of_link.contains(counter.name) == roce) continue;
    ++told;
    if (counter.second > counter.first) counting.push_back(fmt::format("{} {} grew by {} in 2 s", counter.device, counter.name, counter.second - counter.first));
    else if (counter.second > most.value_or(0)) totals.push_back(fmt::format("{} {} {}", counter.device, counter.name, counter.second));
  }
  const std::string expected = roce ? "retransmissions and timeouts do not grow" : "no error counter grows; 0 since the last reset";
  const std::string remedy = roce ? "see to PFC and ECN on the node and on its switch ports (roce.pfc); a cable with bit errors: mlxlink -d DEVICE -c"
                                  : "mlxlink -d DEVICE -c shows bit errors; reseat or replace cable or transceiver, then perfquery -R clears the counters";
  if (told == 0) return {judging::failed_to_run(check, "the ports show no counters", "ls /sys/class/infiniband/*/ports/*/counters")};
  // Counters of RoCE are never zero for long, so only their growth is judged unless a limit was given.
  if (!counting.empty()) return {judging::broken(check, human_list(counting, 6), expected, remedy)};
  if (!totals.empty() && (!roce || most)) return {judging::warned(check, human_list(totals, 6) + " since the last reset, not growing", expected, remedy)};
  return {judging::passed(check, count_of(told, "counter") + " at rest", expected)};
}

const Registered counters{Check{.id = "ib.counters", .summary = "Error counters of InfiniBand ports do not grow", .severity = Severity::fatal, .source = "imbue cluster-health; perfquery(8)",
                                .options = {{.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}, {.name = "max_total", .type = FieldType::integer, .doc = "a sum since the last reset above this warns; default 0"}},
                                .needs = {"hcas"}, .hardware = "rdma", .probe = counters_script, .deadline = std::chrono::seconds(20), .reads = "rdma-counters",
                                .judge = [](const Check& check, const Observed& observed, const Expectation& expectation) { return judge_counters(check, observed, expectation, false); }}};
const Registered roce_counters{Check{.id = "roce.counters", .summary = "Retransmissions and timeouts of RoCE ports do not grow", .severity = Severity::warning, .source = "NVIDIA, understanding mlx5 counters",
                                     .options = {{.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}, {.name = "max_total", .type = FieldType::integer, .doc = "a sum since the last reset above this warns; default: not judged"}},
                                     .needs = {"hcas"}, .hardware = "rdma", .probe = counters_script, .deadline = std::chrono::seconds(20), .reads = "rdma-counters",
                                     .judge = [](const Check& check, const Observed& observed, const Expectation& expectation) { return judge_counters(check, observed, expectation, true); }}};

}  // namespace

}  // namespace podwright
