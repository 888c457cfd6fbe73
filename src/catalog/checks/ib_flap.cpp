// ib.flap: links that go down and come up again.
#include <fmt/format.h>

#include <map>

#include "base/text.hpp"
#include "catalog/checks/kernel_log.hpp"
#include "catalog/checks/rdma_ports.hpp"

namespace podwright {

namespace {

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

const Registered flap{Check{.id = "ib.flap", .summary = "RDMA links stay up", .severity = Severity::fatal, .source = "leptonai/gpud (infiniband flaps: three in 12 hours)",
                            .options = {{.name = "hours", .type = FieldType::number, .doc = "time that is looked at; default 12"}, {.name = "max_downs", .type = FieldType::integer, .doc = "a link may go down as often; default 2"},
                                        {.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}},
                            .needs = {"hcas", "os"}, .hardware = "rdma", .probe = judging::kernel_log_probe(),
                            .deadline = judging::kernel_log_deadline, .reads = judging::kernel_log_reads, .judge = judge_flap}};

}  // namespace

}  // namespace podwright
