// nvbandwidth on each node: what goes between host and GPUs. The slowest GPU of a test counts.
#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/parsers/nvbandwidth.hpp"
#include "catalog/registry.hpp"

namespace podwright {
namespace {

std::string program(const CollectiveJob&) {
  return "command -v nvbandwidth >/dev/null 2>&1 || { echo 'nvbandwidth is not installed' >&2; exit 127; }\n"
         "exec nvbandwidth -t host_to_device_memcpy_ce device_to_host_memcpy_ce\n";
}

Result<std::vector<CollectiveSample>> parse(const Observed& observed, const CollectiveJob&) {
  if (observed.timed_out) return fail(Fault::timeout, "nvbandwidth ran into its deadline");
  const auto tests = parsing::read_nvbandwidth(observed.out + "\n" + observed.err);
  if (!tests) return fail(tests.error());
  if (observed.exit_status != 0) {
    return fail(Fault::remote, fmt::format("nvbandwidth ended with exit status {}", observed.exit_status));
  }
  std::vector<CollectiveSample> samples;
  for (const auto& test : *tests) {
    if (test.unit != "GB/s") continue;
    const auto least = test.least();
    if (!least || *least <= 0) return fail(Fault::remote, fmt::format("nvbandwidth: {} measured nothing", test.name));
    samples.push_back({.operation = test.name, .busbw_gbytes_per_s = *least});
  }
  if (samples.empty()) return fail(Fault::remote, "nvbandwidth: no test of a bandwidth");
  return samples;
}

const Registered nvbandwidth{Collective{.tool = "nvbandwidth",
                                        .summary = "host to GPU and back, on each node by itself",
                                        .package = "nvbandwidth",
                                        .within_node = true,
                                        .program = program,
                                        .parse = parse}};

}  // namespace
}  // namespace podwright
