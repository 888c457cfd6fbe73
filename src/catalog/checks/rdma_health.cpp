// ib.counters, ib.flap, ib.ber, roce.gid, roce.mtu, roce.pfc, roce.counters, gdr.peermem: how well RDMA ports work.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "catalog/checks/kernel_log.hpp"
#include "catalog/checks/rdma_ports.hpp"
#include "catalog/checks/tool_output.hpp"
#include "catalog/parsers/infiniband.hpp"
#include "catalog/parsers/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

/// A port by the names of the facts: "mlx5_0", or "mlx4_0:1" of a device with several.
bool is_port(const Hca& hca, std::string_view device, std::string_view port) {
  return hca.name == device || hca.name == fmt::format("{}:{}", device, port);
}

bool is_ethernet(const Hca& hca) { return hca.link_layer == "Ethernet"; }

// --- counters --------------------------------------------------------------------------------------

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
  const bool any = std::ranges::any_of(ports.hcas, [&](const Hca* hca) { return is_ethernet(*hca) == roce; });
  if (!any) return {judging::skipped(check, roce ? "no RoCE port here" : "no InfiniBand port here")};
  const auto counters = read_counters(observed);
  if (!counters) return {judging::failed_to_run(check, counters.error().what, "cat /sys/class/infiniband/*/ports/*/counters/symbol_error")};
  const auto most = judging::integer_option(expectation, "max_total");
  static const std::set<std::string_view> of_link = {"symbol_error", "link_error_recovery", "link_downed", "port_rcv_errors", "local_link_integrity_errors", "excessive_buffer_overrun_errors"};
  std::vector<std::string> counting;
  std::vector<std::string> totals;
  std::size_t told = 0;
  for (const auto& counter : *counters) {
    const bool ours = std::ranges::any_of(ports.hcas, [&](const Hca* hca) { return is_ethernet(*hca) == roce && is_port(*hca, counter.device, counter.port); });
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

// --- flaps -----------------------------------------------------------------------------------------

std::vector<CheckResult> judge_flap(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto ports = judging::rdma_ports(expectation);
  if (ports.hcas.empty()) return {judging::skipped(check, "no RDMA port here")};
  const auto hours = judging::number_option(expectation, "hours").value_or(12);
  const auto most = judging::integer_option(expectation, "max_downs").value_or(2);
  const auto found = judging::find_kernel_events(check, observed, expectation, "rdma-link", hours);
  if (found.verdict) return {*found.verdict};
  std::map<std::string, std::int64_t> downs;
  for (const auto& event : found.events) {
    if (event.kind == "link" && event.text.find("own") != std::string::npos) ++downs[event.device.empty() ? "a port" : event.device];
  }
  std::vector<std::string> flapping;
  for (const auto& [device, count] : downs) {
    if (count > most) flapping.push_back(fmt::format("{} went down {} times", device, count));
  }
  const auto expected = fmt::format("a link goes down at most {} times in {:g} hours", most, hours);
  if (flapping.empty()) return {judging::passed(check, downs.empty() ? "no link went down " + found.since : fmt::format("{} went down {}", count_of(downs.size(), "link"), found.since), expected)};
  return {judging::broken(check, fmt::format("{} {}", human_list(flapping), found.since), expected, "reseat or replace cable or transceiver; look at the switch port's log; mlxlink -d DEVICE -m shows the optical power")};
}

// --- bit errors ------------------------------------------------------------------------------------

const std::string ber_script = judging::tool_probe(
    "seconds=10\n"
    "for d in /sys/class/infiniband/mlx5_*; do\n"
    "  [ -d \"$d\" ] || continue\n"
    "  run mlxlink -d \"${d##*/}\" -c --json\n"
    "done");

std::vector<CheckResult> judge_ber(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto ports = judging::rdma_ports(expectation);
  if (ports.verdict(check)) return {*ports.verdict(check)};
  if (std::ranges::none_of(ports.hcas, [](const Hca* hca) { return hca->name.starts_with("mlx5"); })) return {judging::skipped(check, "no adapter of NVIDIA (ConnectX) here")};
  const auto runs = judging::read_tool_runs(observed);
  if (!runs) return {judging::failed_to_run(check, runs.error().what, "mlxlink -d mlx5_0 -c")};
  if (!runs->empty() && runs->front().absent) {
    if (!judging::wants_package(expectation, "mft") && !judging::wants_package(expectation, "doca")) return {judging::skipped(check, "mlxlink is not installed, and the profile has no MFT (component rdma/doca-ofed)")};
    return {judging::failed_to_run(check, "mlxlink is not installed", "podwright apply installs what the profile names; package mft")};
  }
  const auto raw_most = judging::number_option(expectation, "raw").value_or(1e-5);
  const auto effective_most = judging::number_option(expectation, "effective").value_or(1e-12);
  std::vector<std::string> faults;
  std::vector<std::string> unread;
  std::size_t told = 0;
  for (const auto& run : *runs) {
    const auto parts = words(run.command);
    const std::string device(parts.size() > 2 ? parts[2] : "");
    const auto hca = std::ranges::find_if(ports.hcas, [&](const Hca* one) { return is_port(*one, device, "1"); });
    if (hca == ports.hcas.end() || (*hca)->state.find("ACTIVE") == std::string::npos) continue;
    const auto link = parsing::parse_mlxlink(run.text);
    if (!link) {
      unread.push_back(fmt::format("{}: {}", device, link.error().what));
      continue;
    }
    if (link->raw_ber || link->effective_ber) ++told;
    if (link->raw_ber.value_or(0) >= raw_most) faults.push_back(fmt::format("{} raw {:g}", device, *link->raw_ber));
    if (link->effective_ber.value_or(0) >= effective_most) faults.push_back(fmt::format("{} effective {:g}", device, *link->effective_ber));
  }
  const auto expected = fmt::format("bit error rates below {:g} (raw) and {:g} (effective)", raw_most, effective_most);
  if (!faults.empty()) return {judging::broken(check, human_list(faults), expected, "clean or replace cable or transceiver; mlxlink -d DEVICE -m shows the optical power")};
  if (!unread.empty()) return {judging::failed_to_run(check, human_list(unread, 2), "mlxlink -d mlx5_0 -c --json")};
  if (told == 0) return {judging::skipped(check, "no port that is up tells its bit errors (a guest, or a software device)")};
  return {judging::passed(check, count_of(told, "port") + " below both", expected)};
}

// --- RoCE ------------------------------------------------------------------------------------------

// type, then gid, at each index that is used; the MTU is told by the interface, as is PFC by its driver's tools.
const std::string gid_script = judging::tool_probe(R"sh(
for d in /sys/class/infiniband/*; do
  [ -d "$d/ports" ] || continue
  for p in "$d"/ports/*; do
    layer=; { read -r layer; } 2>/dev/null <"$p/link_layer"
    [ "$layer" = Ethernet ] || continue
    printf '%%%% gids %s %s\n' "${d##*/}" "${p##*/}"
    for t in "$p"/gid_attrs/types/*; do
      type=; { read -r type; } 2>/dev/null <"$t"
      [ -n "$type" ] || continue
      gid=; { read -r gid; } 2>/dev/null <"$p/gids/${t##*/}"
      printf '%s\t%s\t%s\n' "${t##*/}" "$type" "$gid"
    done
    echo '%% exit 0'
    printf '%%%% mtu %s %s\n' "${d##*/}" "${p##*/}"
    net=; { read -r net; } 2>/dev/null <"$p/gid_attrs/ndevs/0"
    [ -z "$net" ] || { mtu=; { read -r mtu; } 2>/dev/null <"/sys/class/net/$net/mtu"; printf '%s\t%s\n' "$net" "$mtu"; }
    echo '%% exit 0'
    [ -z "$net" ] || run mlnx_qos -i "$net"
  done
done)sh");

struct RoceState {
  std::vector<judging::ToolRun> runs{};
  judging::RdmaPorts ports{};
  std::optional<CheckResult> verdict{};
};

RoceState read_roce(const Check& check, const Observed& observed, const Expectation& expectation) {
  RoceState state{.ports = judging::rdma_ports(expectation)};
  std::erase_if(state.ports.hcas, [](const Hca* hca) { return !is_ethernet(*hca); });
  if (state.ports.hcas.empty()) return {.verdict = judging::skipped(check, "no RoCE port here")};
  auto runs = judging::read_tool_runs(observed);
  if (!runs) return {.verdict = judging::failed_to_run(check, runs.error().what, "show_gids")};
  state.runs = std::move(*runs);
  return state;
}

std::vector<CheckResult> judge_gid(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = read_roce(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  // RoCE v2 with an IPv4 address: where NCCL_IB_GID_INDEX points to. It must be the same on all ports of all nodes.
  std::map<std::string, std::vector<std::string>> by_index;
  std::vector<std::string> without;
  for (const auto* hca : state.ports.hcas) {
    const auto run = std::ranges::find_if(state.runs, [&](const judging::ToolRun& one) {
      const auto parts = words(one.command);
      return parts.size() == 3 && parts[0] == "gids" && is_port(*hca, parts[1], parts[2]);
    });
    std::string index;
    for (const auto line : run == state.runs.end() ? std::vector<std::string_view>{} : lines(run->text)) {
      const auto fields = split(line, '\t');
      if (fields.size() == 3 && fields[1] == "RoCE v2" && fields[2].starts_with("0000:0000:0000:0000:0000:ffff:")) index = fields[0];
    }
    if (index.empty()) without.push_back(hca->name);
    else by_index[index].push_back(hca->name);
  }
  const auto wanted = judging::integer_option(expectation, "index");
  std::vector<std::string> told;
  for (const auto& [index, names] : by_index) told.push_back(fmt::format("index {}: {}", index, human_list(names)));
  const auto expected = wanted ? fmt::format("RoCE v2 over IPv4 at index {}", *wanted) : std::string("RoCE v2 over IPv4 at the same index of every port");
  const std::string remedy = "give every interface of the fabric an IPv4 address, and bring them up in the same order (one address and no VLAN more than the others); then NCCL_IB_GID_INDEX is the same everywhere";
  if (!without.empty()) return {judging::broken(check, "no RoCE v2 GID with an IPv4 address on " + human_list(without), expected, remedy)};
  if (by_index.size() > 1 || (wanted && by_index.begin()->first != std::to_string(*wanted))) return {judging::broken(check, join(told, "; "), expected, remedy)};
  return {judging::passed(check, "index " + by_index.begin()->first, expected)};
}

std::vector<CheckResult> judge_mtu(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = read_roce(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto least = judging::integer_option(expectation, "mtu").value_or(4200);
  std::vector<std::string> small;
  std::size_t told = 0;
  for (const auto& run : state.runs) {
    const auto parts = words(run.command);
    if (parts.size() != 3 || parts[0] != "mtu") continue;
    if (std::ranges::none_of(state.ports.hcas, [&](const Hca* hca) { return is_port(*hca, parts[1], parts[2]); })) continue;
    const auto fields = split(trim(run.text), '\t');
    const auto mtu = fields.size() == 2 ? to_int(fields[1]) : std::nullopt;
    if (!mtu) continue;
    ++told;
    if (*mtu < least) small.push_back(fmt::format("{} ({}) {}", parts[1], fields[0], *mtu));
  }
  const auto expected = fmt::format("an MTU of {} or more, which carries RDMA's 4096", least);
  if (told == 0) return {judging::failed_to_run(check, "no interface of a RoCE port tells its MTU", "rdma link; ip link")};
  if (!small.empty()) return {judging::broken(check, human_list(small), expected, "ip link set DEVICE mtu 9000 on both ends and the switch; the profile's rdma/roce-qos keeps it")};
  return {judging::passed(check, count_of(told, "port"), expected)};
}

std::vector<CheckResult> judge_pfc(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto state = read_roce(check, observed, expectation);
  if (state.verdict) return {*state.verdict};
  const auto priority = judging::integer_option(expectation, "priority").value_or(3);
  if (priority < 0 || priority > 7) return {judging::failed_to_run(check, fmt::format("{} is no priority", priority), "priority = 0 to 7 in [[check]] roce.pfc")};
  std::vector<std::string> off;
  std::size_t told = 0;
  bool absent = false;
  for (const auto& run : state.runs) {
    if (!run.command.starts_with("mlnx_qos -i ")) continue;
    const auto net = run.command.substr(12);
    if (std::ranges::none_of(state.ports.hcas, [&](const Hca* hca) { return hca->netdev == net; })) continue;
    absent = absent || run.absent;
    // "PFC configuration:" … "enabled     0   0   0   1   0   0   0   0"
    for (const auto line : lines(run.text)) {
      const auto parts = words(line);
      if (parts.size() != 9 || parts[0] != "enabled") continue;
      ++told;
      if (parts[static_cast<std::size_t>(priority) + 1] != "1") off.push_back(net);
    }
  }
  const auto expected = fmt::format("flow control for priority {}", priority);
  if (absent) return {judging::skipped(check, "mlnx_qos is not installed: PFC is read from NVIDIA's adapters with DOCA-OFED (component rdma/doca-ofed)")};
  if (told == 0) return {judging::skipped(check, "no adapter of NVIDIA tells its flow control")};
  if (!off.empty()) return {judging::broken(check, fmt::format("off on {}", human_list(off)), expected, fmt::format("mlnx_qos -i DEVICE --pfc {} --trust dscp; the profile's rdma/roce-qos keeps it; the switch port must have it, too",
                                                                                                              [&] { std::string bits; for (int i = 0; i < 8; ++i) bits += fmt::format("{}{}", i > 0 ? "," : "", i == priority ? 1 : 0); return bits; }()))};
  return {judging::passed(check, fmt::format("on, {}", count_of(told, "port")), expected)};
}

// --- GPU memory by RDMA ----------------------------------------------------------------------------

constexpr std::string_view peermem_script = R"sh(
for m in nvidia_peermem nv_peer_mem; do [ ! -d "/sys/module/$m" ] || printf 'module=%s\n' "$m"; done

if [ -r /proc/driver/nvidia/version ]; then
  while IFS= read -r l; do case $l in *'Open Kernel Module'*) echo flavour=open ;; *'Kernel Module'*) echo flavour=closed ;; esac; done </proc/driver/nvidia/version
fi
read -r release </proc/sys/kernel/osrelease && printf 'kernel=%s\n' "$release"
echo end
)sh";

std::vector<CheckResult> judge_peermem(const Check& check, const Observed& observed, const Expectation& expectation) {
  if (judging::count_of_vendor(expectation.facts, "nvidia") == 0) return {judging::skipped(check, "no NVIDIA GPU here")};
  if (expectation.facts.hcas.empty()) return {judging::skipped(check, "no RDMA port here")};
  const auto pairs = judging::read_pairs(observed);
  if (!pairs) return {judging::failed_to_run(check, pairs.error().what, "lsmod | grep peer")};
  const std::string expected = "nvidia_peermem loaded, or dma-buf (the open kernel modules, and Linux 5.12 or later)";
  if (const auto* module = judging::find_pair(*pairs, "module")) return {judging::passed(check, *module, expected)};
  const auto* flavour = judging::find_pair(*pairs, "flavour");
  const auto* kernel = judging::find_pair(*pairs, "kernel");
  const auto numbers = kernel == nullptr ? std::vector<std::string_view>{} : split(*kernel, '.');
  const auto major = numbers.size() > 1 ? to_int(numbers[0]) : std::nullopt;
  const auto minor = numbers.size() > 1 ? parsing::leading_int(numbers[1]) : std::nullopt;
  const bool new_enough = major && minor && (*major > 5 || (*major == 5 && *minor >= 12));
  if (flavour != nullptr && *flavour == "open" && new_enough) return {judging::passed(check, "dma-buf: the open kernel modules on Linux " + *kernel, expected)};
  return {judging::broken(check, fmt::format("no peer memory module; {} kernel modules", flavour == nullptr ? "the driver is not loaded, no" : *flavour), expected,
                          "modprobe nvidia_peermem (component driver/nvidia-peermem); without it NCCL copies through the host's memory")};
}

const Registered counters{Check{.id = "ib.counters", .summary = "Error counters of InfiniBand ports do not grow", .severity = Severity::fatal, .source = "imbue cluster-health; perfquery(8)",
                                .options = {{.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}, {.name = "max_total", .type = FieldType::integer, .doc = "a sum since the last reset above this warns; default 0"}},
                                .needs = {"hcas"}, .hardware = "rdma", .probe = counters_script, .deadline = std::chrono::seconds(20), .reads = "rdma-counters",
                                .judge = [](const Check& check, const Observed& observed, const Expectation& expectation) { return judge_counters(check, observed, expectation, false); }}};
const Registered roce_counters{Check{.id = "roce.counters", .summary = "Retransmissions and timeouts of RoCE ports do not grow", .severity = Severity::warning, .source = "NVIDIA, understanding mlx5 counters",
                                     .options = {{.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}, {.name = "max_total", .type = FieldType::integer, .doc = "a sum since the last reset above this warns; default: not judged"}},
                                     .needs = {"hcas"}, .hardware = "rdma", .probe = counters_script, .deadline = std::chrono::seconds(20), .reads = "rdma-counters",
                                     .judge = [](const Check& check, const Observed& observed, const Expectation& expectation) { return judge_counters(check, observed, expectation, true); }}};
const Registered flap{Check{.id = "ib.flap", .summary = "RDMA links stay up", .severity = Severity::fatal, .source = "leptonai/gpud (infiniband flaps: three in 12 hours)",
                            .options = {{.name = "hours", .type = FieldType::number, .doc = "time that is looked at; default 12"}, {.name = "max_downs", .type = FieldType::integer, .doc = "a link may go down as often; default 2"},
                                        {.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}},
                            .needs = {"hcas", "os"}, .hardware = "rdma", .probe = judging::kernel_log_probe(),
                            .deadline = judging::kernel_log_deadline, .reads = judging::kernel_log_reads, .judge = judge_flap}};
const Registered ber{Check{.id = "ib.ber", .summary = "RDMA links have few bit errors", .severity = Severity::fatal, .source = "OCI oci-dr-hpc (link_check): raw 1e-5, effective 1e-12",
                           .options = {{.name = "raw", .type = FieldType::number, .doc = "raw rate at which it fails; default 1e-5"}, {.name = "effective", .type = FieldType::number, .doc = "rate after correction; default 1e-12"},
                                       {.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}},
                           .needs = {"hcas"}, .hardware = "rdma", .probe = ber_script, .deadline = std::chrono::seconds(90), .judge = judge_ber}};
const Registered gid{Check{.id = "roce.gid", .summary = "RoCE v2 over IPv4 has the same GID index on every port", .severity = Severity::fatal, .source = "OCI oci-dr-hpc (gid_index_check)",
                           .options = {{.name = "index", .type = FieldType::integer, .doc = "the right one; default: the same on all"}, {.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}},
                           .needs = {"hcas"}, .hardware = "rdma", .probe = gid_script, .deadline = std::chrono::seconds(30), .reads = "roce", .judge = judge_gid}};
const Registered mtu{Check{.id = "roce.mtu", .summary = "RoCE ports have an MTU that carries RDMA's greatest packets", .severity = Severity::warning, .source = "NVIDIA, RoCE: 4096 bytes and their headers",
                           .options = {{.name = "mtu", .type = FieldType::integer, .doc = "least MTU of the interface; default 4200"}, {.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}},
                           .needs = {"hcas"}, .hardware = "rdma", .probe = gid_script, .deadline = std::chrono::seconds(30), .reads = "roce", .judge = judge_mtu}};
const Registered pfc{Check{.id = "roce.pfc", .summary = "RoCE ports have flow control for the priority of RDMA", .severity = Severity::warning, .source = "NVIDIA, lossless RoCE configuration: priority 3",
                           .options = {{.name = "priority", .type = FieldType::integer, .doc = "0 to 7; default 3"}, {.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}},
                           .needs = {"hcas"}, .hardware = "rdma", .probe = gid_script, .deadline = std::chrono::seconds(30), .reads = "roce", .judge = judge_pfc}};
const Registered peermem{Check{.id = "gdr.peermem", .summary = "RDMA reaches the memory of NVIDIA GPUs directly", .severity = Severity::fatal, .source = "imbue cluster-health; OCI oci-dr-hpc (peermem_module_check)",
                               .needs = {"gpus", "hcas"}, .hardware = "nvidia", .probe = peermem_script, .judge = judge_peermem}};

}  // namespace

}  // namespace podwright
