// ib.ber: bit errors of links.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/rdma_ports.hpp"
#include "catalog/checks/tool_output.hpp"
#include "catalog/parsers/infiniband.hpp"

namespace podwright {

namespace {

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
    const auto hca = std::ranges::find_if(ports.hcas, [&](const Hca* one) { return judging::is_port(*one, device, "1"); });
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

const Registered ber{Check{.id = "ib.ber", .summary = "RDMA links have few bit errors", .severity = Severity::fatal, .source = "OCI oci-dr-hpc (link_check): raw 1e-5, effective 1e-12",
                           .options = {{.name = "raw", .type = FieldType::number, .doc = "raw rate at which it fails; default 1e-5"}, {.name = "effective", .type = FieldType::number, .doc = "rate after correction; default 1e-12"},
                                       {.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}},
                           .needs = {"hcas"}, .hardware = "rdma", .probe = ber_script, .deadline = std::chrono::seconds(90), .judge = judge_ber}};

}  // namespace

}  // namespace podwright
