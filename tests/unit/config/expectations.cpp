#include "config/expectations.hpp"

#include <doctest/doctest.h>

using namespace podwright;

TEST_CASE("expectations: the shipped table is whole, and every figure has its source") {
  const auto table = load_expectations();
  REQUIRE_MESSAGE(table, (table ? "" : table.error().message()));
  CHECK(table->size() >= 30);
  for (const auto& row : *table) {
    CAPTURE(row.hardware + " " + row.operation);
    CHECK(row.rate > 0);
    CHECK(row.source.size() > 10);
  }
}

TEST_CASE("expectations: by hardware, operation, algorithm, number of nodes and line rate") {
  const auto table = load_expectations();
  REQUIRE(table);
  const auto rate = [&](const RateQuery& query) {
    const auto* row = expected_rate(*table, query);
    return row == nullptr ? 0.0 : row->rate;
  };
  CHECK(rate({.hardware = "NVIDIA H100 80GB HBM3", .operation = "all_reduce", .nodes = 1}) == 431);
  CHECK(rate({.hardware = "NVIDIA H100 80GB HBM3", .operation = "all_reduce", .nodes = 2}) == 440);
  CHECK(rate({.hardware = "NVIDIA H100 80GB HBM3", .operation = "all_reduce", .nodes = 8}) == doctest::Approx(373 * 0.92));
  CHECK(rate({.hardware = "NVIDIA H200", .operation = "all_reduce", .nodes = 1}) == 432);
  CHECK(rate({.hardware = "NVIDIA H200", .operation = "all_reduce", .algorithm = "nvls", .nodes = 1}) == doctest::Approx(480 * 0.92));
  CHECK(rate({.hardware = "NVIDIA GB200", .operation = "all_reduce", .nodes = 18}) == doctest::Approx(745.5 * 0.92));
  CHECK(rate({.hardware = "NVIDIA B200", .operation = "all_reduce", .nodes = 1}) == doctest::Approx(846 * 0.92));
  CHECK(rate({.hardware = "AMD Instinct MI300X OAM", .operation = "ib_write_bw", .line_rate_gbps = 400}) == 350);
  CHECK(rate({.hardware = "NVIDIA H100", .operation = "ib_write_bw", .line_rate_gbps = 400}) == 380);
  CHECK(rate({.hardware = "NVIDIA H100", .operation = "ib_write_bw", .line_rate_gbps = 100}) == 0);
  CHECK(rate({.hardware = "Ascend 910B", .operation = "all_reduce", .nodes = 1}) == 0);
  CHECK(rate({.hardware = "", .operation = "all_reduce", .nodes = 1}) == 0);
}

TEST_CASE("expectations: what is missing or unknown is an error with its place") {
  const auto error = [](const std::string& row) {
    const auto table = parse_expectations("[[expectation]]\n" + row, "mine.toml");
    REQUIRE_FALSE(table);
    return table.error().message();
  };
  CHECK(error("hardware = \"x\"\noperation = \"y\"\ngbytes_per_s = 1\n").find("needs source") != std::string::npos);
  CHECK(error("hardware = \"x\"\noperation = \"y\"\nsource = \"z\"\n").find("either gbytes_per_s or gbits_per_s") != std::string::npos);
  CHECK(error("hardware = \"x\"\noperation = \"y\"\nsource = \"z\"\ngbytes_per_s = 1\nnods = [1, 2]\n").find("nods") != std::string::npos);
  CHECK(error("hardware = \"x\"\noperation = \"y\"\nsource = \"z\"\ngbytes_per_s = 1\nnodes = [2, 1]\n").find("mine.toml:6") != std::string::npos);
}
