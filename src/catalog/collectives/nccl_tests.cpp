// nccl-tests between all GPUs, and rccl-tests, the same program for AMD's. Built with MPI: one rank a GPU.
// The largest message decides; results that were verified and wrong are an error.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/parsers/nccl_tests.hpp"
#include "catalog/registry.hpp"

namespace podwright {
namespace {

constexpr std::string_view default_size = "16G";

std::string text_option(const CollectiveJob& job, std::string_view key, std::string_view otherwise) {
  const auto* value = find_value(job.options, key);
  return value == nullptr ? std::string(otherwise) : value->scalar_text();
}

/// Words that shell and launcher must not see anything in: sizes, operations.
std::string operation_of(const CollectiveJob& job) { return text_option(job, "operation", "all_reduce"); }

std::string program_in(const CollectiveJob& job, std::string_view folders) {
  const auto size = sh::quote(text_option(job, "bytes", default_size));
  const auto name = operation_of(job) + "_perf";
  const auto folder = text_option(job, "folder", "");
  return fmt::format(
      "name={0}\nfolder={1}\nprogram=\n"
      "for one in \"$folder\" {2}; do\n"
      "  [ -n \"$one\" ] && [ -x \"$one/$name\" ] && {{ program=$one/$name; break; }}\n"
      "done\n"
      "[ -n \"$program\" ] || program=$(command -v \"$name\") || {{ echo \"$name is not installed\" >&2; exit 127; }}\n"
      "exec \"$program\" -b {3} -e {3} -f 2 -g 1 -c 1 -n 20 -w 5\n",
      sh::quote(name), sh::quote(folder), folders, size);
}

std::string nccl_program(const CollectiveJob& job) {
  return program_in(job, "/opt/nccl-tests/build /opt/nccl_tests/build /usr/local/nccl-tests/build /usr/local/bin");
}

std::string rccl_program(const CollectiveJob& job) {
  return program_in(job, "/opt/rccl-tests/build /opt/rccl-tests /opt/rocm/bin /usr/local/bin");
}

Result<std::vector<CollectiveSample>> parse_as(const Observed& observed, const CollectiveJob& job, std::string_view tool) {
  // Everything is read first: the table may be whole though somebody complained.
  const auto found = parsing::read_nccl_tests(observed.out + "\n" + observed.err, tool);
  if (!found) {
    return fail(observed.timed_out ? Fault::timeout : Fault::remote, found.error().what,
                observed.exit_status == 127 ? fmt::format("install {}, or say where it is with folder = in "
                                                          "[[measurement]]", tool)
                                            : std::string{});
  }
  if (observed.timed_out) return fail(Fault::timeout, fmt::format("{} ran into its deadline", tool));
  const auto ranks = static_cast<std::size_t>(job.nodes) * static_cast<std::size_t>(job.devices);
  if (!found->devices.empty() && found->devices.size() != ranks) {
    return fail(Fault::validation, fmt::format("{}: {} took part, not {}", tool,
                                               count_of(found->devices.size(), "rank"), ranks));
  }
  const auto& row = *std::ranges::max_element(found->rows, {}, &parsing::NcclRow::bytes);
  const auto wrong = [&](const parsing::NcclTime& half) { return found->counts_wrong && half.wrong.value_or(0) > 0; };
  if (wrong(row.out_of_place) || wrong(row.in_place) || found->out_of_bounds.value_or(0) > 0) {
    return fail(Fault::validation, fmt::format("{}: numbers of the result are wrong: memory, link or driver corrupts "
                                               "data", tool));
  }
  const double busbw = row.out_of_place.busbw;
  if (busbw <= 0) return fail(Fault::remote, fmt::format("{}: the bus bandwidth of {} bytes is zero", tool, row.bytes));
  return std::vector{
      CollectiveSample{.operation = operation_of(job), .bytes = row.bytes, .busbw_gbytes_per_s = busbw}};
}

Result<std::vector<CollectiveSample>> parse_nccl(const Observed& observed, const CollectiveJob& job) {
  return parse_as(observed, job, "nccl-tests");
}
Result<std::vector<CollectiveSample>> parse_rccl(const Observed& observed, const CollectiveJob& job) {
  return parse_as(observed, job, "rccl-tests");
}

std::vector<Field> options() {
  return {{.name = "operation",
           .doc = "what is run; else all_reduce",
           .choices = {"all_reduce", "all_gather", "reduce_scatter", "broadcast", "reduce", "alltoall", "sendrecv"}},
          {.name = "bytes", .doc = "size of the message: 8G; else 16G"},
          {.name = "algorithm",
           .doc = "what NCCL is known to choose there (ring, nvls): a key of the table of expectations",
           .choices = {"ring", "tree", "nvls"}},
          {.name = "folder", .doc = "where the programs are, when not in the usual places"}};
}

const Registered nccl_tests{Collective{.tool = "nccl-tests",
                                       .summary = "NVIDIA GPUs of all nodes together: all_reduce_perf and its like",
                                       .package = "nccl-tests, built with MPI=1",
                                       .options = options(),
                                       .program = nccl_program,
                                       .parse = parse_nccl}};
const Registered rccl_tests{Collective{.tool = "rccl-tests",
                                       .summary = "AMD GPUs of all nodes together: all_reduce_perf and its like",
                                       .package = "rccl-tests, built with MPI=1",
                                       .options = options(),
                                       .program = rccl_program,
                                       .parse = parse_rccl}};

}  // namespace
}  // namespace podwright
