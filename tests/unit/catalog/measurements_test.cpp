// Measuring tools against their case files (tests/cases/measurement), and against the tool itself.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <thread>
#include <tuple>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/registry.hpp"
#include "config/config.hpp"
#include "unit/catalog/resource_case.hpp"

namespace podwright {
namespace {

std::string text_of(const Value& table, std::string_view key) {
  const auto* value = table.find(key);
  return value == nullptr || value->text() == nullptr ? std::string{} : *value->text();
}

double number_of(const Value& table, std::string_view key) {
  const auto* value = table.find(key);
  return value == nullptr ? 0 : value->number().value_or(0);
}

Observed observed_of(const Value& document) {
  const auto* table = document.find("observed");
  REQUIRE(table != nullptr);
  const auto* late = table->find("timed_out");
  return {.exit_status = static_cast<int>(number_of(*table, "exit")),
          .out = text_of(*table, "out"),
          .err = text_of(*table, "err"),
          .timed_out = late != nullptr && late->flag() != nullptr && *late->flag()};
}

TEST_CASE("measurements: every tool reads its cases as they say, and has some of both sorts") {
  std::set<std::string> good;
  std::set<std::string> bad;
  for (const auto& entry : std::filesystem::directory_iterator(PODWRIGHT_CASES "/measurement")) {
    if (entry.path().extension() != ".toml") continue;
    CAPTURE(entry.path().filename().string());
    const auto text = read_file(entry.path());
    REQUIRE(text);
    const auto document = parse_toml(*text, entry.path().filename().string());
    REQUIRE_MESSAGE(document, (document ? "" : document.error().message()));
    CHECK_FALSE(text_of(*document, "summary").empty());
    const auto* tool = find_in_catalog<Measurement>(text_of(*document, "tool"));
    REQUIRE(tool != nullptr);

    const auto rates = tool->parse(observed_of(*document));
    if (const auto* expected = document->find("rates")) {
      good.insert(std::string(tool->tool));
      REQUIRE_MESSAGE(rates, (rates ? "" : rates.error().message()));
      CHECK(rates->gbps_forward == doctest::Approx(number_of(*expected, "forward")).epsilon(0.001));
      CHECK(rates->gbps_backward ==
            doctest::Approx(number_of(*expected, "backward")).epsilon(0.001));
      continue;
    }
    bad.insert(std::string(tool->tool));
    const auto error = text_of(*document, "error");
    REQUIRE_FALSE(error.empty());
    REQUIRE_FALSE(rates);
    CHECK_MESSAGE(rates.error().what.find(error) != std::string::npos, rates.error().what);
  }
  for (const auto& tool : catalog<Measurement>()) {
    CAPTURE(tool.tool);
    CHECK_FALSE(tool.summary.empty());
    CHECK_FALSE(tool.package.empty());
    CHECK(good.contains(std::string(tool.tool)));
    CHECK(bad.contains(std::string(tool.tool)));
  }
}

TEST_CASE("measurements: scripts are sh, whatever the names of addresses hold") {
  const std::string hostile = "10.0.0.1'; touch /tmp/x; '$(id)`id`";
  for (const auto& tool : catalog<Measurement>()) {
    Endpoint a{.node = "cu01",
               .rail = 0,
               .leaf = {},
               .rate_gbps = 100,
               .address = hostile,
               .device = hostile};
    const Endpoint b = a;
    const Value::Table options;
    const PairJob job{.from = a, .to = b, .port = 21000, .seconds = 2.5, .options = options};
    for (const auto& script : {tool.server(job), tool.client(job)}) {
      const auto parsed = run_process({"sh", "-n"}, script, Millis(5000));
      REQUIRE(parsed);
      CHECK_MESSAGE(parsed->exit_status == 0, parsed->err);
      const auto ran = run_process({"sh", "-c", "PATH=/nonexistent\n" + script}, "", Millis(5000));
      REQUIRE(ran);
      CHECK(ran->exit_status == 127);
      CHECK(ran->err.find("is not installed") != std::string::npos);
    }
  }
}

/// Both ends on this machine. The server begins `server_delay` after the client.
Observed measure_here(const Measurement& tool, int port, Millis server_delay,
                      bool with_server = true) {
  Endpoint here{.node = "here",
                .rail = 0,
                .leaf = {},
                .rate_gbps = 10,
                .address = "127.0.0.1",
                .device = "lo"};
  const Value::Table options;
  const PairJob job{.from = here, .to = here, .port = port, .seconds = 1, .options = options};
  std::jthread server;
  if (with_server) {
    server = std::jthread([&tool, &job, server_delay] {
      std::this_thread::sleep_for(server_delay);
      // Its own end is what is tested: a deadline well beyond it.
      const auto output = run_process({"sh", "-c", tool.server(job)}, "", Millis(20'000));
      CHECK(output);
    });
  }
  const auto output =
      run_process({"sh", "-c", tool.client(job)}, "", Millis(25'000));
  REQUIRE(output);
  return {.exit_status = output->exit_status, .out = output->out, .err = output->err};
}

TEST_CASE("iperf3: measures for real, waits for a late server, and both ends end by themselves") {
  const auto* tool = find_in_catalog<Measurement>("iperf3");
  REQUIRE(tool != nullptr);
  if (const auto found = run_process({"sh", "-c", "command -v iperf3"}, "", Millis(5000));
      !found || found->exit_status != 0) {
    MESSAGE("iperf3 is not installed here: its scripts were not run");
    return;
  }
  const auto observed = measure_here(*tool, 21987, Millis(1500));
  const auto rates = tool->parse(observed);
  REQUIRE_MESSAGE(rates, observed.out);
  CHECK(rates->gbps_forward > 0.01);
  CHECK(rates->gbps_backward > 0.01);
}

TEST_CASE(
    "ib_write_bw: finds the HCA of an interface and the GID of its address, and waits for its "
    "server") {
  const auto* tool = find_in_catalog<Measurement>("ib_write_bw");
  REQUIRE(tool != nullptr);
  const test::TempDir root;
  const auto put = [&](const std::string& name, const std::string& text, unsigned mode = 0644) {
    REQUIRE(write_file(root / name, text, mode));
  };
  put("sys/class/net/eth1/device/infiniband/mlx5_3/name", "");
  const std::string port = "sys/class/infiniband/mlx5_3/ports/1/";
  put(port + "link_layer", "Ethernet\n");
  for (const auto& [index, type, gid] :
       {std::tuple{"0", "IB/RoCE v1", "fe80:0000:0000:0000:0000:0000:0a01:000b"},
        {"2", "RoCE v2", "0000:0000:0000:0000:0000:ffff:c0a8:000b"},
        {"3", "RoCE v2", "0000:0000:0000:0000:0000:ffff:0a01:000b"}}) {
    put(port + "gid_attrs/types/" + index, std::string(type) + "\n");
    put(port + "gids/" + index, std::string(gid) + "\n");
  }
  // The tool: notes its arguments, cannot connect the first time, then prints a table.
  for (const auto* name : {"ib_write_bw", "ib_read_bw"}) {
    put(std::string("bin/") + name,
        fmt::format("#!/bin/sh\necho \"{0} $*\" >>\"$NOTES\"\n"
                    "[ -e \"$NOTES.{0}\" ] || {{ : >\"$NOTES.{0}\"; echo \"Couldn't connect to "
                    "$9\"; exit 1; }}\n"
                    "echo ' #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   "
                    "MsgRate[Mpps]'\n"
                    "echo ' 8388608    4159            0.00               {1}             0.69'\n",
                    name, std::string_view(name) == "ib_write_bw" ? "96.5" : "95.25"),
        0755);
  }
  const auto here = [&](std::string script) {
    for (auto at = script.find("/sys/"); at != std::string::npos;
         at = script.find("/sys/", at + 10)) {
      script.replace(at, 1, "$ROOT/");
    }
    return fmt::format("ROOT={0}\nNOTES=$ROOT/notes\nexport NOTES\nPATH=$ROOT/bin:$PATH\n{1}",
                       sh::quote(root.path().string()), script);
  };
  Endpoint a{.node = "cu01",
             .rail = 0,
             .leaf = {},
             .rate_gbps = 100,
             .address = "10.1.0.11",
             .device = "eth1"};
  Endpoint b{.node = "cu02",
             .rail = 0,
             .leaf = {},
             .rate_gbps = 100,
             .address = "10.1.0.12",
             .device = "mlx5_3"};
  Value::Table options;
  const PairJob job{.from = a, .to = b, .port = 21000, .seconds = 2, .options = options};
  const auto observed = test::run_sh("sh", here(tool->client(job)));
  const auto rates = tool->parse(observed);
  REQUIRE_MESSAGE(rates, observed.out << observed.err);
  CHECK(rates->gbps_forward == doctest::Approx(96.5));
  CHECK(rates->gbps_backward == doctest::Approx(95.25));
  const auto notes = read_file(root / "notes");
  REQUIRE(notes);
  CHECK(notes->find(
            "ib_write_bw -F -s 8388608 --report_gbits -D 2 -d mlx5_3 -x 3 -p 21000 10.1.0.12\n") ==
        0);
  CHECK(notes->find("ib_read_bw -F") != std::string::npos);

  // The server of an address that the port does not have, and of a device that does not exist.
  const auto stranger = test::run_sh("sh", here(tool->server(job)));
  CHECK(stranger.exit_status != 0);
  CHECK(stranger.err.find("mlx5_3 has no RoCE v2 GID of 10.1.0.12") != std::string::npos);
  b.device = "eth9";
  CHECK(test::run_sh("sh", here(tool->server(job)))
            .err.find("no RDMA device is or belongs to \"eth9\"") != std::string::npos);
}

}  // namespace
}  // namespace podwright
