#include <doctest/doctest.h>

#include "fixture.hpp"

using namespace podwright;
using namespace podwright::test;

TEST_CASE("a command runs, and its output, status and signal come back") {
  Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  SshTransport transport({lab.node("a", sshd->port)}, lab.options());

  auto results = transport.run({command("a", "uname -r; echo bad >&2; exit 7")}, nullptr, {});
  REQUIRE_MESSAGE(results.at("a"), results.at("a").error().message());
  CHECK(results.at("a")->exit_status == 7);
  CHECK(!results.at("a")->out.empty());
  CHECK(results.at("a")->err == "bad\n");

  // On the session that is open already.
  results = transport.run({command("a", "sh -s", "x=hello\necho got $x\nkill -9 $$\n")}, nullptr, {});
  REQUIRE(results.at("a"));
  CHECK(results.at("a")->out == "got hello\n");
  CHECK(results.at("a")->exit_status == 128 + 9);
  CHECK(sshd->children().size() == 1);
}
