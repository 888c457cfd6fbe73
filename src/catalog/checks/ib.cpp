// ib.port, ib.rate, ib.count, ib.fw: the RDMA ports of the fabric, from the facts.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "catalog/checks/rdma_ports.hpp"

namespace podwright {

namespace {

std::vector<CheckResult> judge_port(const Check& check, const Observed&, const Expectation& expectation) {
  const auto ports = judging::rdma_ports(expectation);
  if (ports.verdict(check)) return {*ports.verdict(check)};
  std::vector<std::string> down = ports.missing_texts();
  for (const auto* hca : ports.hcas) {
    if (hca->state.find("ACTIVE") == std::string::npos) down.push_back(fmt::format("{}: {}", hca->name, hca->state.empty() ? "no state" : hca->state));
  }
  const std::string expected = ports.declared ? "every declared port ACTIVE" : "every port ACTIVE";
  const std::string remedy = "ibstat, and the switch's side: cable, transceiver, switch port; INIT on InfiniBand: no subnet manager runs (opensm). Ports that are not "
                             "part of the fabric: name those that are in [[check]] id = \"ib.port\", ports = [\"mlx5_0\", …]";
  if (down.empty()) return {judging::passed(check, count_of(ports.hcas.size(), "port") + " ACTIVE", expected)};
  const auto active = ports.hcas.size() + ports.missing.size() - down.size();
  const auto seen = fmt::format("{} of {} ACTIVE; {}", active, ports.hcas.size() + ports.missing.size(), human_list(down));
  // Undeclared, a port that nobody has cabled looks the same as one that failed, unless the class says otherwise.
  if (!ports.declared && !judging::differs_from_class(expectation, [](const Facts& facts) {
        return std::to_string(std::ranges::count_if(facts.hcas, [](const Hca& one) { return one.state.find("ACTIVE") != std::string::npos; }));
      })) {
    return {judging::warned(check, seen, expected, remedy)};
  }
  return {judging::broken(check, seen, expected, remedy)};
}

std::vector<CheckResult> judge_rate(const Check& check, const Observed&, const Expectation& expectation) {
  const auto ports = judging::rdma_ports(expectation);
  if (ports.verdict(check)) return {*ports.verdict(check)};
  const auto wanted = judging::number_option(expectation, "gbps");
  double greatest = 0;
  for (const auto* hca : ports.hcas) greatest = std::max(greatest, hca->rate_gbps);
  std::vector<std::string> slow;
  for (const auto* hca : ports.hcas) {
    const auto own = ports.rate_of(*hca);
    const auto least = wanted ? *wanted : own > 0 ? own : ports.declared ? greatest : hca->rate_gbps;
    if (hca->state.find("ACTIVE") != std::string::npos && hca->rate_gbps < least) slow.push_back(fmt::format("{} at {:g} Gb/s instead of {:g}", hca->name, hca->rate_gbps, least));
  }
  const auto expected = wanted ? fmt::format("{:g} Gb/s", *wanted) : std::string("the declared rates");
  const std::string remedy = "mlxlink -d DEVICE tells why it fell back: cable or transceiver of a lower rate, a switch port that is split, bit errors";
  if (!slow.empty()) return {judging::broken(check, human_list(slow), expected, remedy)};
  std::map<std::string, std::size_t> rates;
  for (const auto* hca : ports.hcas) ++rates[fmt::format("{:g} Gb/s", hca->rate_gbps)];
  std::vector<std::string> seen;
  for (const auto& [rate, count] : rates) seen.push_back(fmt::format("{} × {}", count, rate));
  if (wanted || ports.declared) return {judging::passed(check, join(seen, ", "), expected)};
  const auto told = [](const Facts& facts) {
    std::vector<std::string> all;
    for (const auto& hca : facts.hcas) all.push_back(fmt::format("{} {:g}", hca.name, hca.rate_gbps));
    return join(all, ", ");
  };
  auto result = judging::like_its_class(check, expectation, told(expectation.facts), told, remedy);
  return {result};
}

std::vector<CheckResult> judge_count(const Check& check, const Observed&, const Expectation& expectation) {
  const auto& hcas = expectation.facts.hcas;
  const std::string remedy = "lspci | grep -i -e infiniband -e mellanox tells whether it is on the bus, dmesg | grep mlx5 why its driver gave up; power the node off and on, then reseat or replace it";
  const auto seen = hcas.empty() ? std::string("none") : count_of(hcas.size(), "port");
  if (const auto declared = judging::integer_option(expectation, "expect")) {
    if (static_cast<std::int64_t>(hcas.size()) == *declared) return {judging::passed(check, seen, std::to_string(*declared))};
    return {judging::broken(check, seen, std::to_string(*declared), remedy)};
  }
  const auto told = [](const Facts& facts) { return std::to_string(facts.hcas.size()); };
  if (hcas.empty() && !judging::differs_from_class(expectation, told)) return {judging::skipped(check, "no RDMA port here, nor in nodes like this one")};
  return {judging::like_its_class(check, expectation, told(expectation.facts), told, remedy)};
}

std::vector<CheckResult> judge_firmware(const Check& check, const Observed&, const Expectation& expectation) {
  const auto& hcas = expectation.facts.hcas;
  if (hcas.empty()) return {judging::skipped(check, "no RDMA port here")};
  const auto wanted = judging::text_option(expectation, "version");
  std::map<std::string, std::set<std::string>> by_board;
  for (const auto& hca : hcas) by_board[hca.board].insert(hca.firmware);
  std::vector<std::string> seen;
  std::vector<std::string> faults;
  for (const auto& [board, versions] : by_board) {
    const auto all = human_list({versions.begin(), versions.end()});
    seen.push_back(fmt::format("{} {}", board.empty() ? "adapters" : board, all.empty() ? "tell no version" : all));
    if (versions.size() > 1 || (wanted && !versions.contains(*wanted))) faults.push_back(seen.back());
  }
  const std::string remedy = "mlxfwmanager -u (doca-ofed brings the firmware), then mlxfwreset or a reboot";
  if (!faults.empty()) return {judging::broken(check, human_list(faults), wanted.value_or("one version for every board"), remedy)};
  if (wanted) return {judging::passed(check, join(seen, ", "), *wanted)};
  return {judging::like_its_class(check, expectation, join(seen, ", "), [](const Facts& facts) {
            std::set<std::string> all;
            for (const auto& hca : facts.hcas) all.insert(fmt::format("{} {}", hca.board.empty() ? "adapters" : hca.board, hca.firmware.empty() ? "tell no version" : hca.firmware));
            return join({all.begin(), all.end()}, ", ");
          }, remedy)};
}

const Registered port{Check{.id = "ib.port", .summary = "Every RDMA port of the fabric is ACTIVE", .severity = Severity::fatal, .source = "Azure NHC (check_hw_ib), leptonai/gpud",
                            .options = judging::rdma_port_options(), .needs = {"hcas", "os", "cpu"}, .judge = judge_port}};
const Registered rate{Check{.id = "ib.rate", .summary = "RDMA ports run at the declared rate", .severity = Severity::fatal, .source = "Azure NHC (check_hw_ib)",
                            .options = {{.name = "gbps", .type = FieldType::number, .doc = "of every port; default: the rates of the node's fabric in cluster.toml, or the class's"},
                                        {.name = "ports", .type = FieldType::list, .doc = "the ports of the fabric"}},
                            .needs = {"hcas", "os", "cpu"}, .judge = judge_rate}};
const Registered count{Check{.id = "ib.count", .summary = "As many RDMA ports as declared, or as on the other nodes of the class", .severity = Severity::fatal, .source = "Azure NHC; OCI oci-dr-hpc (rdma_nics_count)",
                             .options = {{.name = "expect", .type = FieldType::integer, .doc = "how many ports"}}, .needs = {"hcas", "os", "cpu"}, .judge = judge_count}};
const Registered firmware{Check{.id = "ib.fw", .summary = "RDMA adapters of a board have one firmware", .severity = Severity::warning, .source = "imbue cluster-health",
                                .options = {{.name = "version", .type = FieldType::text, .doc = "the right one"}}, .needs = {"hcas", "os", "cpu"}, .judge = judge_firmware}};

}  // namespace

}  // namespace podwright
