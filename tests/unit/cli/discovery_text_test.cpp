#include <doctest/doctest.h>
#include <fmt/format.h>

#include "cli/discovery_text.hpp"

using namespace podwright;
using namespace podwright::cli;

TEST_CASE("silent addresses of a scanned network are counted, machines that were named are listed") {
  Discovery discovery;
  discovery.found.push_back({.name = "cu01", .address = "10.0.0.1", .status = "ok"});
  discovery.found.push_back({.name = "", .address = "10.0.0.2", .status = "auth", .reason = "every key was refused"});
  for (int i = 3; i <= 254; ++i) {
    discovery.found.push_back({.name = "", .address = fmt::format("10.0.0.{}", i), .status = "unreachable", .reason = "no answer"});
  }
  const auto scanned = discovery_text(discovery, {"10.0.0.0/24"}, {}, 80);
  CHECK(scanned.find("found 2 machines: 1 auth, 1 ok\n252 addresses did not answer\n") == 0);
  CHECK(scanned.find("10.0.0.2: auth: every key was refused") != std::string::npos);
  CHECK(scanned.find("10.0.0.3") == std::string::npos);
  CHECK(discovery_failures(discovery, {"10.0.0.0/24"}) == std::vector<std::string>{"10.0.0.2"});

  const auto named = discovery_text(discovery, {"10.0.0.1-2", "10.0.0.3"}, {}, 80);
  CHECK(named.find("251 addresses did not answer\n") != std::string::npos);
  CHECK(named.find("10.0.0.3: unreachable: no answer") != std::string::npos);
}
