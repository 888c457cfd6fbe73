// roce.gid, roce.mtu, roce.pfc: what RoCE ports are set to.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "catalog/checks/rdma_ports.hpp"
#include "catalog/checks/tool_output.hpp"

namespace podwright {

namespace {

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
  std::erase_if(state.ports.hcas, [](const Hca* hca) { return !judging::is_ethernet(*hca); });
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
      return parts.size() == 3 && parts[0] == "gids" && judging::is_port(*hca, parts[1], parts[2]);
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
    if (std::ranges::none_of(state.ports.hcas, [&](const Hca* hca) { return judging::is_port(*hca, parts[1], parts[2]); })) continue;
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

const Registered gid{Check{.id = "roce.gid", .summary = "RoCE v2 over IPv4 has the same GID index on every port", .severity = Severity::fatal, .source = "OCI oci-dr-hpc (gid_index_check)",
                           .options = {{.name = "index", .type = FieldType::integer, .doc = "the right one; default: the same on all"}, {.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}},
                           .needs = {"hcas"}, .hardware = "rdma", .probe = gid_script, .deadline = std::chrono::seconds(30), .reads = "roce", .judge = judge_gid}};
const Registered mtu{Check{.id = "roce.mtu", .summary = "RoCE ports have an MTU that carries RDMA's greatest packets", .severity = Severity::warning, .source = "NVIDIA, RoCE: 4096 bytes and their headers",
                           .options = {{.name = "mtu", .type = FieldType::integer, .doc = "least MTU of the interface; default 4200"}, {.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}},
                           .needs = {"hcas"}, .hardware = "rdma", .probe = gid_script, .deadline = std::chrono::seconds(30), .reads = "roce", .judge = judge_mtu}};
const Registered pfc{Check{.id = "roce.pfc", .summary = "RoCE ports have flow control for the priority of RDMA", .severity = Severity::warning, .source = "NVIDIA, lossless RoCE configuration: priority 3",
                           .options = {{.name = "priority", .type = FieldType::integer, .doc = "0 to 7; default 3"}, {.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}},
                           .needs = {"hcas"}, .hardware = "rdma", .probe = gid_script, .deadline = std::chrono::seconds(30), .reads = "roce", .judge = judge_pfc}};

}  // namespace

}  // namespace podwright
