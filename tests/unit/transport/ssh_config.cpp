#include "transport/ssh_config.hpp"

#include <doctest/doctest.h>

#include "support/sshd.hpp"
#include "transport/host_patterns.hpp"

using namespace podwright;
using namespace podwright::test;

TEST_CASE("host patterns") {
  CHECK(glob_matches("cu*", "cu01"));
  CHECK(glob_matches("cu??", "CU01"));
  CHECK(glob_matches("*.example.*", "a.example.org"));
  CHECK(!glob_matches("cu?", "cu01"));
  CHECK(!glob_matches("", "x"));
  CHECK(glob_matches("*", ""));
  CHECK(glob_matches("a*b*c", "aXXbYYbZc"));
  CHECK(!glob_matches("a*b*c", "aXXbYYb"));
  CHECK(patterns_match({"cu*", "!cu9*"}, "cu01"));
  CHECK(!patterns_match({"cu*", "!cu9*"}, "cu91"));
  CHECK(!patterns_match({"!cu9*"}, "cu01"));
}

TEST_CASE("the first value wins, blocks apply by pattern, files include others") {
  const TempDir dir;
  dir.write("more", "Host gpu*\n  Port 2200\nHost gpu1\n  User second\n");
  const auto file = dir.write("config",
                              "# a comment\n"
                              "User early   # and this\n"
                              "Host gpu1\n"
                              "  Include more\n"
                              "  User=late\n"
                              "  IdentityFile \"~/keys/with blank\"\n"
                              "  IdentityFile %d/%r-%h\n"
                              "Host *\n"
                              "  HostName %h.cluster\n"
                              "  IdentitiesOnly yes\n"
                              "  IdentityAgent ~/agent.sock\n"
                              "  ConnectTimeout 7\n"
                              "  ProxyJump a@j1:2201,j2\n"
                              "Match exec \"true\"\n"
                              "  Port 1\n"
                              "Match host *.cluster\n"
                              "  Port 2300\n");
  const auto config = SshConfig::load({file, dir.file("absent")}, "/home/me");
  REQUIRE(config);
  REQUIRE(config->notes().size() == 1);
  CHECK(config->notes().front() ==
        file + ":14: \"Match exec \"true\"\" is not understood and skipped");

  const auto gpu1 = config->lookup("gpu1");
  CHECK(gpu1.user == "early");
  CHECK(gpu1.port == 2200);
  CHECK(gpu1.host_name == "gpu1.cluster");
  CHECK(gpu1.identity_files ==
        std::vector<std::string>{"/home/me/keys/with blank", "/home/me/early-gpu1.cluster"});
  CHECK(gpu1.identities_only);
  CHECK(gpu1.identity_agent == "/home/me/agent.sock");
  CHECK(gpu1.connect_timeout_seconds == 7);
  CHECK(gpu1.proxy_jump == std::vector<std::string>{"a@j1:2201", "j2"});

  const auto gpu2 = config->lookup("gpu2");  // the included Host gpu* sits inside Host gpu1
  CHECK(gpu2.port == 2300);
  CHECK(gpu2.identity_files.empty());
}

TEST_CASE("ProxyCommand: a jump host written the old way, or something that we cannot run") {
  const TempDir dir;
  const auto file = dir.write("config",
                              "Host old\n ProxyCommand ssh -q -W %h:%p -p 2222 me@bastion\n"
                              "Host odd\n ProxyCommand ssh -i key bastion nc %h %p\n"
                              "Host none\n ProxyCommand none\n ProxyJump never\n");
  const auto config = SshConfig::load({file}, "/home/me");
  REQUIRE(config);
  CHECK(config->lookup("old").proxy_jump == std::vector<std::string>{"me@bastion:2222"});
  CHECK(config->lookup("old").proxy_command.empty());
  CHECK(config->lookup("odd").proxy_command == "ssh -i key bastion nc %h %p");
  CHECK(config->lookup("none").proxy_command.empty());
  CHECK(config->lookup("none").proxy_jump.empty());
}

TEST_CASE("files that include themselves are an error, not an endless loop") {
  const TempDir dir;
  const auto file = dir.write("config", "Include config\n");
  const auto config = SshConfig::load({file}, "/home/me");
  REQUIRE(!config);
  CHECK(config.error().fault == Fault::usage);
}

TEST_CASE("jump hosts") {
  const auto jump = [](std::string_view text) { return parse_jump_host(text).value(); };
  CHECK(jump("a@b:22").user == "a");
  CHECK(jump("a@b:22").host == "b");
  CHECK(jump("a@b:22").port == 22);
  CHECK(jump("b").port == 0);
  CHECK(jump("ssh://a@[fd00::1]:2222").host == "fd00::1");
  CHECK(jump("fd00::1").host == "fd00::1");
  for (const auto* text : {"", "@b", "a@", "b:", "b:0", "b:x", "[fd00::1", "[fd00::1]x"}) {
    CAPTURE(text);
    CHECK(!parse_jump_host(text));
  }
}
