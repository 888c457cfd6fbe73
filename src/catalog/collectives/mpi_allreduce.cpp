// The allreduce of the hand-off, for clusters without accelerators: TCP or RDMA as Open MPI was set up.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/parsers/allreduce.hpp"
#include "catalog/registry.hpp"

namespace podwright {
namespace {

constexpr std::string_view path = "/opt/podwright/bin/allreduce";

std::string program(const CollectiveJob&) {
  return "[ -x \"$copy\" ] || { echo 'the MPI program is not installed' >&2; exit 127; }\nexec \"$copy\"\n";
}

Result<std::vector<CollectiveSample>> parse(const Observed& observed, const CollectiveJob& job) {
  std::vector<std::string> all;
  for (const auto line : lines(observed.out)) all.emplace_back(line);
  const auto run = parsing::read_allreduce(all);
  if (!run.ended) {
    const auto said = std::ranges::find_if(run.messages, [](const std::string& line) { return !trim(line).empty(); });
    return fail(observed.timed_out ? Fault::timeout : Fault::remote,
                fmt::format("the allreduce told no result{}{}", said == run.messages.end() ? "" : ": ",
                            said == run.messages.end() ? "" : *said));
  }
  if (!run.correct) return fail(Fault::validation, "the sums of the allreduce are wrong");
  const auto ranks = static_cast<std::int64_t>(job.nodes) * job.devices;
  if (run.ranks != ranks) {
    return fail(Fault::validation, fmt::format("{} ranks took part in the allreduce, not {}", run.ranks, ranks));
  }
  std::uint64_t bytes = 0;
  for (const auto& size : run.sizes) bytes = std::max(bytes, size.bytes);
  return std::vector{CollectiveSample{.operation = "all_reduce", .bytes = bytes, .busbw_gbytes_per_s = run.busbw}};
}

const Registered mpi_allreduce{Collective{.tool = "mpi-allreduce",
                                          .summary = "an MPI allreduce between all nodes, whose sums are checked",
                                          .package = "the hand-off target mpi",
                                          .carried = path,
                                          .program = program,
                                          .parse = parse}};

}  // namespace
}  // namespace podwright
