// Collectives: what their outputs come to, and that nothing passes which was not measured or is wrong.
#include <doctest/doctest.h>

#include "base/process.hpp"
#include "catalog/collectives/launch.hpp"
#include "catalog/registry.hpp"
#include "unit/catalog/resource_case.hpp"

namespace podwright {
namespace {

const std::string nccl_head =
    "#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong\n"
    "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)\n";

Result<std::vector<CollectiveSample>> parse(std::string_view tool, const std::string& out, int nodes = 2, int devices = 8,
                                            bool late = false) {
  const auto* collective = find_in_catalog<Collective>(tool);
  REQUIRE(collective != nullptr);
  const Value::Table options;
  return collective->parse({.exit_status = 0, .out = out, .err = {}, .timed_out = late},
                           {.nodes = nodes, .devices = devices, .options = options});
}

std::string error_of(const Result<std::vector<CollectiveSample>>& result) {
  REQUIRE_FALSE(result);
  return result.error().what;
}

TEST_CASE("nccl-tests: the largest message counts, wrong numbers and missing ranks are errors") {
  const auto row = [](const std::string& size, const std::string& bus, const std::string& wrong) {
    return "0: " + size + "  134217728  float  sum  -1  2165.3  247.94  " + bus + "  " + wrong + "  2166.4  247.81  433.67  0\n";
  };
  const auto good = parse("nccl-tests", nccl_head + row("536870912", "433.90", "0") + row("17179869184", "483.05", "0"));
  REQUIRE(good);
  CHECK(good->front().busbw_gbytes_per_s == doctest::Approx(483.05));
  CHECK(good->front().bytes == 17179869184U);
  CHECK(good->front().operation == "all_reduce");
  CHECK(error_of(parse("nccl-tests", nccl_head + row("536870912", "433.90", "7"))).find("wrong") != std::string::npos);
  CHECK(error_of(parse("nccl-tests", nccl_head + row("536870912", "0.00", "0"))).find("zero") != std::string::npos);
  CHECK(error_of(parse("nccl-tests", nccl_head + row("536870912", "433.90", "0") + "# Out of bounds values : 3 FAILED\n"))
            .find("wrong") != std::string::npos);
  CHECK(error_of(parse("nccl-tests", "#   Rank  0 Pid 1 on cu01 device  0 [0x00] H100\n" + nccl_head + row("8", "1.0", "0")))
            .find("1 rank took part, not 16") != std::string::npos);
  CHECK(error_of(parse("nccl-tests", nccl_head + row("536870912", "433.90", "0"), 2, 8, true)).find("deadline") != std::string::npos);
  CHECK(error_of(parse("rccl-tests", "all_reduce_perf is not installed\n")).find("not installed") != std::string::npos);
}

TEST_CASE("hccl_test: bus bandwidth is reckoned, and check_result decides") {
  const std::string head = "data_size      avg_time(us)    alg_bandwidth(GB/s)    check_result\n";
  const auto good = parse("hccl-test", head + "4294967296 51511.8 80.0 success\n");
  REQUIRE(good);
  CHECK(good->front().busbw_gbytes_per_s == doctest::Approx(80.0 * 2 * 15 / 16));
  CHECK(error_of(parse("hccl-test", head + "4294967296 51511.8 80.0 failed\n")).find("check_result failed") != std::string::npos);
  CHECK(error_of(parse("hccl-test", head + "4294967296 51511.8 80.0 NULL\n")).find("not verified") != std::string::npos);
  CHECK(error_of(parse("hccl-test", "hccl interface return err x.cc:538, retcode: 7\n")).find("retcode: 7") != std::string::npos);
}

TEST_CASE("mpi-allreduce: all ranks, right sums") {
  const std::string two = "0: podwright-allreduce rank 0 of 2 on cu01\n1: podwright-allreduce rank 1 of 2 on cu02\n"
                          "0: podwright-allreduce size 33554432 microseconds 1 busbw_gbytes_per_s 0.2 wrong 0\n";
  const auto good = parse("mpi-allreduce", two + "0: podwright-allreduce result ranks 2 hosts 2 correct yes busbw_gbytes_per_s 0.2\n", 2, 1);
  REQUIRE(good);
  CHECK(good->front().busbw_gbytes_per_s == doctest::Approx(0.2));
  CHECK(error_of(parse("mpi-allreduce", two + "0: podwright-allreduce result ranks 2 hosts 2 correct no busbw_gbytes_per_s 0.2\n", 2, 1))
            .find("sums") != std::string::npos);
  CHECK(error_of(parse("mpi-allreduce", two + "0: podwright-allreduce result ranks 2 hosts 2 correct yes busbw_gbytes_per_s 0.2\n", 3, 1))
            .find("not 3") != std::string::npos);
  CHECK(error_of(parse("mpi-allreduce", two, 2, 1)).find("no result") != std::string::npos);
}

TEST_CASE("nvbandwidth: the slowest GPU of each test") {
  const auto good = parse("nvbandwidth",
                          "Running host_to_device_memcpy_ce.\nmemcpy CE CPU(row) -> GPU(column) bandwidth (GB/s)\n"
                          "           0         1\n 0     55.25     21.50\n\nSUM host_to_device_memcpy_ce 76.75\n", 1);
  REQUIRE(good);
  CHECK(good->front().operation == "host_to_device_memcpy_ce");
  CHECK(good->front().busbw_gbytes_per_s == doctest::Approx(21.5));
}

TEST_CASE("collectives: programs are sh, whatever options hold, and say what is not installed") {
  Value::Table options;
  set_value(options, "folder", Value(std::string("/x'; touch /tmp/x; '$(id)")));
  set_value(options, "bytes", Value(std::string("1G; id")));
  for (const auto& tool : catalog<Collective>()) {
    CAPTURE(tool.tool);
    CHECK_FALSE(tool.summary.empty());
    CHECK_FALSE(tool.package.empty());
    const auto program = tool.program({.nodes = 2, .devices = 8, .options = options});
    for (const auto& shell : test::shells()) {
      const auto ran = test::run_sh(shell, "copy=/nowhere\nPATH=/nonexistent\n" + program);
      CHECK(ran.exit_status == 127);
      CHECK_MESSAGE(ran.err.find("not installed") != std::string::npos, ran.err);
    }
  }
}

TEST_CASE("collectives: a launch is sh, with and without a user and a program to carry") {
  for (const bool carried : {false, true}) {
    const auto script = launch::preparation({.hosts = "cu01,cu02",
                                             .nodes = 2,
                                             .devices = carried ? 1 : 8,
                                             .user = carried ? "train" : "",
                                             .rank = "exec 'a b'",
                                             .carried = carried ? "/opt/x" : ""});
    for (const auto how : {launch::through_slurm(), launch::through_ssh()}) {
      const auto read = run_process({"sh", "-n"}, script + std::string(how), Millis(5000));
      REQUIRE(read);
      CHECK_MESSAGE(read->exit_status == 0, read->err);
    }
  }
}

}  // namespace
}  // namespace podwright
