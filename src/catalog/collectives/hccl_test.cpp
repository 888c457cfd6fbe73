// hccl_test between all NPUs. It knows of no bus bandwidth: busbw = algbw * 2 (n-1) / n for an all_reduce, and
// (n-1) / n where every rank sends its part once. Its exit status says nothing; check_result does.
#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "catalog/parsers/hccl_test.hpp"
#include "catalog/registry.hpp"

namespace podwright {
namespace {

std::string operation_of(const CollectiveJob& job) {
  const auto* value = find_value(job.options, "operation");
  return value == nullptr ? "all_reduce" : value->scalar_text();
}

std::string program(const CollectiveJob& job) {
  const auto* size = find_value(job.options, "bytes");
  const auto name = operation_of(job) + "_test";
  const bool reduces = operation_of(job).find("reduce") != std::string::npos;
  return fmt::format(
      "for one in \"${{ASCEND_HOME_PATH:-}}\" /usr/local/Ascend/ascend-toolkit/latest /usr/local/Ascend/latest; do\n"
      "  [ -n \"$one\" ] && [ -x \"$one/tools/hccl_test/bin/{0}\" ] && {{ root=$one; break; }}\n"
      "done\n"
      "[ -n \"${{root-}}\" ] || {{ echo '{0} is not installed' >&2; exit 127; }}\n"
      "[ ! -e \"$root/../set_env.sh\" ] || . \"$root/../set_env.sh\"\n"
      "exec \"$root/tools/hccl_test/bin/{0}\" -p {1} -b {2} -e {2} -f 2 -d fp32{3} -c 1 -w 5 -n 20\n",
      name, job.devices, sh::quote(size == nullptr ? "4G" : size->scalar_text()), reduces ? " -o sum" : "");
}

double bus_factor(const std::string& operation, int ranks) {
  if (ranks < 2) return 0;
  const double others = static_cast<double>(ranks - 1) / ranks;
  if (operation == "all_reduce") return 2 * others;
  if (operation == "broadcast" || operation == "reduce") return 1;
  return others;
}

Result<std::vector<CollectiveSample>> parse(const Observed& observed, const CollectiveJob& job) {
  const auto rows = parsing::read_hccl_test(observed.out + "\n" + observed.err);
  if (!rows) {
    return fail(observed.timed_out ? Fault::timeout : Fault::remote, rows.error().what,
                observed.exit_status == 127 ? "build tools/hccl_test of the Ascend toolkit with MPI" : "");
  }
  if (observed.timed_out) return fail(Fault::timeout, "hccl_test ran into its deadline");
  for (const auto& row : *rows) {
    if (row.check != "success") {
      return fail(Fault::validation, fmt::format("hccl_test: the result of {} bytes was not verified: check_result {}",
                                                 row.bytes, row.check));
    }
  }
  const auto& row = *std::ranges::max_element(*rows, {}, &parsing::HcclRow::bytes);
  const double busbw = row.algbw * bus_factor(operation_of(job), job.nodes * job.devices);
  if (busbw <= 0) return fail(Fault::remote, fmt::format("hccl_test: the bandwidth of {} bytes is zero", row.bytes));
  return std::vector{
      CollectiveSample{.operation = operation_of(job), .bytes = row.bytes, .busbw_gbytes_per_s = busbw}};
}

const Registered hccl_test{
    Collective{.tool = "hccl-test",
               .summary = "Ascend NPUs of all nodes together: all_reduce_test and its like",
               .package = "tools/hccl_test of the Ascend toolkit",
               .options = {{.name = "operation",
                            .doc = "what is run; else all_reduce",
                            .choices = {"all_reduce", "all_gather", "reduce_scatter", "broadcast", "reduce", "alltoall"}},
                           {.name = "bytes", .doc = "size of the message: 1G; else 4G"}},
               .program = program,
               .parse = parse}};

}  // namespace
}  // namespace podwright
