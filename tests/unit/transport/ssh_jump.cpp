// Nodes behind jump hosts, and ~/.ssh/config.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <thread>

#include "fixture.hpp"

using namespace podwright;
using namespace podwright::test;
using namespace std::chrono_literals;

namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

std::string hop(const Sshd& sshd) { return fmt::format("root@127.0.0.1:{}", sshd.port); }

}  // namespace

TEST_CASE("many nodes behind one jump host share one session to it") {
  const Lab lab;
  const auto jump = lab.server();
  const auto inner = lab.server();
  lab.trust(*jump);
  lab.trust(*inner);
  std::vector<Node> nodes;
  std::vector<Request> requests;
  for (int i = 0; i < 30; ++i) {
    auto node = lab.node(fmt::format("n{:02}", i), inner->port);
    node.ssh.jump = {hop(*jump)};
    nodes.push_back(node);
    requests.push_back(command(node.name, "echo $SSH_CONNECTION; cat", std::string(300000, 'x')));
  }
  SshTransport transport(nodes, lab.options());
  for (int round = 0; round < 2; ++round) {
    const auto results = transport.run(requests, nullptr, {});
    for (const auto& [node, result] : results) {
      REQUIRE_MESSAGE(result, result.error().message());
      REQUIRE(result->out.size() > 300000);
    }
  }
  CHECK(count(jump->log(), "Accepted publickey") == 1);
  CHECK(count(inner->log(), "Accepted publickey") == 30);
}

TEST_CASE("two jump hosts in a row") {
  const Lab lab;
  const auto first = lab.server();
  const auto second = lab.server();
  const auto inner = lab.server();
  lab.trust(*first);
  lab.trust(*second);
  lab.trust(*inner);
  auto node = lab.node("a", inner->port);
  node.ssh.jump = {hop(*first), hop(*second)};
  SshTransport transport({node}, lab.options());
  // Much through two windows, both ways.
  const std::string input(3'000'000, 'y');
  const auto results = transport.run({command("a", "cat", input)}, nullptr, {});
  REQUIRE_MESSAGE(results.at("a"), results.at("a").error().message());
  CHECK(results.at("a")->out == input);
  CHECK(count(first->log(), "Accepted publickey") == 1);
  CHECK(count(second->log(), "Accepted publickey") == 1);

  const auto diagnosis = transport.diagnose("a", {});
  REQUIRE(diagnosis);
  CHECK(!diagnosis->error);
  CHECK(diagnosis->steps.front().method == fmt::format("tcp ([127.0.0.1]:{})", first->port));
  CHECK(diagnosis->steps.back().method == "command");
}

TEST_CASE("faults of a jump host, and of nodes behind it") {
  const Lab lab;
  const auto inner = lab.server();
  lab.trust(*inner);
  SUBCASE("the jump host is not there") {
    std::vector<Node> nodes;
    std::vector<Request> requests;
    const int nobody = free_port();
    for (const auto* name : {"a", "b", "c"}) {
      auto node = lab.node(name, inner->port);
      node.ssh.jump = {fmt::format("root@127.0.0.1:{}", nobody)};
      nodes.push_back(node);
      requests.push_back(command(name, "true"));
    }
    SshTransport transport(nodes, lab.options());
    for (int round = 0; round < 2; ++round) {
      const auto results = transport.run(requests, nullptr, {});
      for (const auto* name : {"a", "b", "c"}) {
        REQUIRE(!results.at(name));
        CHECK(results.at(name).error().fault == Fault::unreachable);
        CHECK(contains(results.at(name).error().what, "is behind a jump host, which failed: "));
        CHECK(contains(results.at(name).error().what, "refuses the connection"));
      }
    }
  }
  SUBCASE("the jump host's key is unknown") {
    const auto jump = lab.server();
    auto node = lab.node("a", inner->port);
    node.ssh.jump = {hop(*jump)};
    SshTransport transport({node}, lab.options());
    const auto results = transport.run({command("a", "true")}, nullptr, {});
    REQUIRE(!results.at("a"));
    CHECK(results.at("a").error().fault == Fault::auth);
    CHECK(contains(results.at("a").error().what, "the host key of jump host"));
  }
  SUBCASE("a node behind it is down, another is well") {
    const auto jump = lab.server();
    lab.trust(*jump);
    auto good = lab.node("good", inner->port);
    auto down = lab.node("down", free_port());
    good.ssh.jump = down.ssh.jump = {hop(*jump)};
    SshTransport transport({good, down}, lab.options());
    const auto results =
        transport.run({command("good", "echo ok"), command("down", "true")}, nullptr, {});
    REQUIRE_MESSAGE(results.at("good"), results.at("good").error().message());
    REQUIRE(!results.at("down"));
    CHECK(results.at("down").error().fault == Fault::unreachable);
    CHECK(contains(results.at("down").error().what, "does not connect to 127.0.0.1:"));
    CHECK(contains(results.at("down").error().what, "Connection refused"));
  }
  SUBCASE("the jump host allows no forwarding") {
    const auto jump = lab.server("AllowTcpForwarding no");
    lab.trust(*jump);
    auto node = lab.node("a", inner->port);
    node.ssh.jump = {hop(*jump)};
    SshTransport transport({node}, lab.options());
    const auto results = transport.run({command("a", "true")}, nullptr, {});
    REQUIRE(!results.at("a"));
    CHECK_MESSAGE(contains(results.at("a").error().hint, "AllowTcpForwarding"),
                  results.at("a").error().message());
  }
  SUBCASE("the jump host dies while commands run behind it, and comes back") {
    const auto jump = lab.server();
    lab.trust(*jump);
    auto node = lab.node("a", inner->port);
    node.ssh.jump = {hop(*jump)};
    SshTransport transport({node, lab.node("direct", inner->port)}, lab.options());
    const auto mark = lab.dir.file("ran");
    const std::jthread killer([&] {
      for (int i = 0; i < 200 && !std::filesystem::exists(mark); ++i)
        std::this_thread::sleep_for(25ms);
      jump->kill_sessions();
    });
    auto results = transport.run(
        {command("a", "touch " + mark + "; sleep 20"), command("direct", "sleep 0.3; echo ok")},
        nullptr, {});
    REQUIRE(!results.at("a"));
    CHECK(results.at("a").error().fault == Fault::unreachable);
    CHECK(contains(results.at("a").error().what, "lost while the command was running"));
    CHECK(results.at("direct")->out == "ok\n");
    results = transport.run({command("a", "echo back")}, nullptr, {});
    REQUIRE_MESSAGE(results.at("a"), results.at("a").error().message());
  }
  SUBCASE("a jump host that is written wrongly") {
    auto node = lab.node("a", inner->port);
    node.ssh.jump = {"root@:22"};
    SshTransport transport({node}, lab.options());
    const auto results = transport.run({command("a", "true")}, nullptr, {});
    REQUIRE(!results.at("a"));
    CHECK(results.at("a").error().fault == Fault::usage);
  }
}

TEST_CASE("ssh_config says how a host is reached, and cluster.toml has the last word") {
  const Lab lab;
  const auto jump = lab.server();
  const auto inner = lab.server();
  lab.trust(*jump);
  lab.trust(*inner);
  const auto key = lab.key;
  const auto config = lab.dir.write(
      "ssh_config", fmt::format("Host bastion\n  HostName 127.0.0.1\n  Port {}\n"
                                "Host cu?? !cu99\n  HostName 127.0.0.1\n  Port {}\n"
                                "  ProxyJump bastion\n"
                                "Host via-command\n  HostName 127.0.0.1\n  ProxyCommand nc %h %p\n"
                                "Host *\n  User root\n  IdentityFile {}\n",
                                jump->port, inner->port, key));
  Node node;
  node.name = "a";
  node.address = "cu01";
  node.ssh.agent = false;
  node.ssh.known_hosts = lab.dir.file("known_hosts");
  node.ssh.ssh_config = config;

  SUBCASE("everything from ssh_config") {
    SshTransport transport({node}, lab.options());
    const auto results = transport.run({command("a", "echo in")}, nullptr, {});
    REQUIRE_MESSAGE(results.at("a"), results.at("a").error().message());
    CHECK(count(jump->log(), "Accepted publickey") == 1);
  }
  SUBCASE("cluster.toml without a jump host") {
    node.ssh.jump_set = true;
    SshTransport transport({node}, lab.options());
    const auto results = transport.run({command("a", "echo in")}, nullptr, {});
    REQUIRE_MESSAGE(results.at("a"), results.at("a").error().message());
    CHECK(count(jump->log(), "Accepted publickey") == 0);
  }
  SUBCASE("cluster.toml with another port") {
    node.ssh.jump_set = true;
    node.ssh.port = free_port();
    node.ssh.port_set = true;
    SshTransport transport({node}, lab.options());
    const auto results = transport.run({command("a", "echo in")}, nullptr, {});
    REQUIRE(!results.at("a"));
    CHECK(contains(results.at("a").error().what, "refuses the connection"));
  }
  SUBCASE("a ProxyCommand that is no jump host is not silently left out") {
    node.address = "via-command";
    SshTransport transport({node}, lab.options());
    const auto results = transport.run({command("a", "echo in")}, nullptr, {});
    REQUIRE(!results.at("a"));
    CHECK(contains(results.at("a").error().what,
                   "ProxyCommand nc %h %p, which podwright does not run"));
  }
}
