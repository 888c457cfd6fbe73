#include "transport/scan.hpp"

#include <doctest/doctest.h>

#include <thread>

#include "pathological.hpp"
#include "support/sshd.hpp"

using namespace podwright;
using namespace podwright::test;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> expand(std::string_view text) {
  const auto found = expand_targets(text);
  REQUIRE_MESSAGE(found, found.error().message());
  return *found;
}

std::string complaint(std::string_view text, std::size_t limit = most_targets) {
  const auto found = expand_targets(text, limit);
  REQUIRE(!found);
  CHECK(found.error().fault == Fault::usage);
  CHECK(!found.error().hint.empty());
  return found.error().what;
}

}  // namespace

TEST_CASE("networks, ranges and names become addresses") {
  using Names = std::vector<std::string>;
  CHECK(expand("10.0.0.0/29") ==
        Names{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"});
  CHECK(expand("10.0.0.13/30") == Names{"10.0.0.13", "10.0.0.14"});
  CHECK(expand("10.0.0.4/31") == Names{"10.0.0.4", "10.0.0.5"});
  CHECK(expand("10.0.0.4/32") == Names{"10.0.0.4"});
  CHECK(expand("10.0.0.9-11") == Names{"10.0.0.9", "10.0.0.10", "10.0.0.11"});
  CHECK(expand("10.0.0.254-10.0.1.1") == Names{"10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"});
  CHECK(expand("10.0.0.[9-10,20]") == Names{"10.0.0.9", "10.0.0.10", "10.0.0.20"});
  CHECK(expand("cu[01-02]") == Names{"cu01", "cu02"});
  CHECK(expand(" cu01.example.org ") == Names{"cu01.example.org"});
  CHECK(expand("login-1") == Names{"login-1"});
  CHECK(expand("fd00::10/126") == Names{"fd00::10", "fd00::11", "fd00::12", "fd00::13"});
  CHECK(expand("fd00::1") == Names{"fd00::1"});
  CHECK(expand("10.1.0.0/16").size() == 65534);
}

TEST_CASE("what is no target says why") {
  CHECK(complaint("10.0.0.0/15") == "\"10.0.0.0/15\" is 131070 addresses, more than 65536");
  CHECK(complaint("0.0.0.0/0") == "\"0.0.0.0/0\" is 4294967294 addresses, more than 65536");
  CHECK(complaint("fd00::/64") == "\"fd00::/64\" is 2^64 addresses, more than 65536");
  CHECK(complaint("10.0.0.0/24", 100) == "\"10.0.0.0/24\" is 254 addresses, more than 100");
  CHECK(complaint("10.0.0.1-10.9.0.1") ==
        "\"10.0.0.1-10.9.0.1\" is 589825 addresses, more than 65536");
  CHECK(complaint("10.0.0.0/33") == "\"10.0.0.0/33\": an IPv4 prefix has 0 to 32 bits");
  CHECK(complaint("10.0.0.0/x") == "\"10.0.0.0/x\": what follows the / is no number of bits");
  CHECK(complaint("10.0.0/24") == "\"10.0.0/24\": \"10.0.0\" is no IP address");
  CHECK(complaint("10.0.0.20-10") == "\"10.0.0.20-10\": the range runs backwards");
  CHECK(complaint("10.0.0.1-300") == "\"10.0.0.1-300\": 300 is no part of an address");
  CHECK(complaint("10.0.0.256") == "\"10.0.0.256\": this is no IP address");
  CHECK(complaint("10.0.0.[250-260]") ==
        "\"10.0.0.[250-260]\": \"10.0.0.256\" is neither an address nor a host name");
  CHECK(complaint("-oProxyCommand=x") ==
        "\"-oProxyCommand=x\": this is no address and no host name");
  CHECK(complaint("a b") == "\"a b\": this is no address and no host name");
  CHECK(complaint("") == "\"\": nothing is named");
}

TEST_CASE("a scan tells servers, closed ports, silence and other services apart") {
  const Sshd sshd({.port = 0});
  const Mute silent;
  const Mute http("HTTP/1.0 400 Bad Request\r\n\r\n", true);
  const Mute chatty("Welcome to the machine\r\nSSH-2.0-Chatty \033[31mred\r\n");
  const std::vector<ScanTarget> targets = {{"127.0.0.1", sshd.port},   {"127.0.0.1", silent.port},
                                           {"127.0.0.1", http.port},   {"127.0.0.1", chatty.port},
                                           {"127.0.0.1", free_port()}, {"no-such-host.invalid", 22},
                                           {"localhost", sshd.port}};
  std::size_t heard = 0;
  const auto results =
      scan(targets, {.banner_timeout = 800ms}, {}, [&heard](const ScanResult&) { ++heard; });
  REQUIRE(results);
  REQUIRE(results->size() == targets.size());
  CHECK(heard == targets.size());
  const auto state = [&results](std::size_t i) { return (*results)[i].state; };
  CHECK(state(0) == ScanState::ssh);
  CHECK((*results)[0].banner.starts_with("SSH-2.0-OpenSSH"));
  CHECK(state(1) == ScanState::open);
  CHECK((*results)[1].detail == "no SSH banner within 800 ms");
  CHECK(state(2) == ScanState::open);
  CHECK(state(3) == ScanState::ssh);
  CHECK((*results)[3].banner == "SSH-2.0-Chatty red");
  CHECK(state(4) == ScanState::refused);
  CHECK(state(5) == ScanState::unreachable);
  CHECK((*results)[6].target.address == "localhost");
}

TEST_CASE("thousands of addresses are scanned at the given rate, and a stop ends it") {
  // All of 127.0.0.0/8 is this machine; nobody listens on the port.
  std::vector<ScanTarget> targets;
  const int port = free_port();
  for (const auto& address : expand("127.1.0.0/20")) targets.push_back({address, port});
  REQUIRE(targets.size() == 4094);
  const auto begun = std::chrono::steady_clock::now();
  const auto results = scan(targets, {.rate = 8000}, {});
  const auto took = std::chrono::steady_clock::now() - begun;
  REQUIRE(results);
  for (const auto& result : *results) REQUIRE(result.state == ScanState::refused);
  CHECK(took > 450ms);
  CHECK(took < 20s);

  std::stop_source source;
  const std::jthread stopper([&source] {
    std::this_thread::sleep_for(200ms);
    source.request_stop();
  });
  const auto stopped = scan(targets, {.rate = 1000}, source.get_token());
  REQUIRE(!stopped);
  CHECK(stopped.error().fault == Fault::cancelled);
}
