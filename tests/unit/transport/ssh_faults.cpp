// Everything that can go wrong between here and a node, on real servers and on pathological ones.
// Each fault is seen beside a healthy node, which it must not disturb.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "fixture.hpp"
#include "pathological.hpp"

using namespace podwright;
using namespace podwright::test;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("bad nodes are named with their reason, and good ones do not wait for them") {
  struct Order : TransportObserver {
    std::vector<NodeId> done;
    void on_done(const NodeId& node, const Result<Reply>&) override { done.push_back(node); }
  };
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  const Mute silent;
  const Mute after_banner("SSH-2.0-Mute\r\n");
  const Mute wrong_service("HTTP/1.0 400 Bad Request\r\n" + std::string(300, 'x') + "\r\n");
  auto far = lab.node("far", 22);
  far.address = "192.0.2.1";  // documentation only: nobody answers, or there is no route
  auto unknown_name = lab.node("name", 22);
  unknown_name.address = "no-such-host.invalid";
  const std::vector<Node> nodes = {far,
                                   unknown_name,
                                   lab.node("nobody", free_port()),
                                   lab.node("silent", silent.port),
                                   lab.node("banner", after_banner.port),
                                   lab.node("http", wrong_service.port),
                                   lab.node("good", sshd->port)};
  std::vector<Request> requests;
  for (const auto& node : nodes) requests.push_back(command(node.name, "echo ok"));
  auto options = lab.options();
  options.connect_timeout = 1000ms;
  options.login_timeout = 2500ms;
  SshTransport transport(nodes, options);
  Order order;
  const auto begun = Clock::now();
  const auto results = transport.run(requests, &order, {});
  CHECK(Clock::now() - begun < 20s);
  REQUIRE(results.at("good"));

  const auto error = [&results](const char* node) { return results.at(node).error(); };
  for (const auto* node : {"far", "name", "nobody", "silent", "banner", "http"}) {
    REQUIRE(!results.at(node));
    CHECK(error(node).fault == Fault::unreachable);
    CHECK(!error(node).hint.empty());
    CHECK(error(node).node == node);
  }
  CHECK(contains(error("nobody").what, "refuses the connection"));
  CHECK(contains(error("silent").what, "sent no SSH banner within 2.5 s"));
  CHECK(contains(error("banner").what, "the key exchange with "));
  CHECK(contains(error("banner").what, "made no progress for 2.5 s"));
  CHECK(contains(error("http").what, "does not speak SSH"));
  CHECK(contains(error("name").what, "no-such-host.invalid"));
  const auto done_before = [&order](const char* a, const char* b) {
    return std::ranges::find(order.done, a) < std::ranges::find(order.done, b);
  };
  CHECK(done_before("good", "silent"));
  CHECK(done_before("good", "banner"));
}

TEST_CASE("a node that dies in mid-command is an error, and the command is not run again") {
  const Lab lab;
  const auto sshd = lab.server();
  const auto other = lab.server();
  lab.trust(*sshd);
  lab.trust(*other);
  SshTransport transport({lab.node("dies", sshd->port), lab.node("lives", other->port)},
                         lab.options());
  const auto mark = lab.dir.file("ran");
  const std::jthread killer([&] {
    for (int i = 0; i < 200 && !std::filesystem::exists(mark); ++i)
      std::this_thread::sleep_for(25ms);
    sshd->kill_sessions();
  });
  const auto results = transport.run(
      {command("dies", "echo x >> " + mark + "; sleep 20"), command("lives", "sleep 0.5; echo ok")},
      nullptr, {});
  REQUIRE(!results.at("dies"));
  CHECK(results.at("dies").error().fault == Fault::unreachable);
  CHECK(contains(results.at("dies").error().what,
                 "the connection was lost while the command was running"));
  CHECK(contains(results.at("dies").error().hint, "not known"));
  REQUIRE(results.at("lives"));
  CHECK(results.at("lives")->out == "ok\n");
  CHECK(slurp(mark) == "x\n");
}

TEST_CASE("a kept session that died is opened again") {
  const Lab lab;
  auto sshd = lab.server();
  lab.trust(*sshd);
  SshTransport transport({lab.node("a", sshd->port)}, lab.options());
  REQUIRE(transport.run({command("a", "true")}, nullptr, {}).at("a"));
  SUBCASE("its server process was killed") { sshd->kill_sessions(); }
  SUBCASE("the machine was rebooted") {
    sshd->kill_sessions();
    sshd->stop();
    sshd->start();
  }
  SUBCASE("it was closed by us") { transport.disconnect("a"); }
  const auto results = transport.run({command("a", "echo back")}, nullptr, {});
  REQUIRE_MESSAGE(results.at("a"), results.at("a").error().message());
  CHECK(results.at("a")->out == "back\n");
}

TEST_CASE("a kept session that does not answer any more is given up for a new one") {
  const Lab lab;
  auto sshd = lab.server();
  lab.trust(*sshd);
  auto options = lab.options();
  options.login_timeout = 2000ms;
  SshTransport transport({lab.node("a", sshd->port)}, options);
  REQUIRE(transport.run({command("a", "true")}, nullptr, {}).at("a"));
  for (const auto pid : sshd->children()) kill(pid, SIGSTOP);
  const auto begun = Clock::now();
  const auto results = transport.run({command("a", "echo back")}, nullptr, {});
  CHECK(Clock::now() - begun < 20s);
  REQUIRE_MESSAGE(results.at("a"), results.at("a").error().message());
  CHECK(results.at("a")->out == "back\n");
  sshd->kill_sessions();
}

TEST_CASE("a node that stops reading in the midst of an upload holds up nobody") {
  const Lab lab;
  const auto sshd = lab.server();
  const auto other = lab.server();
  lab.trust(*sshd);
  lab.trust(*other);
  SshTransport transport({lab.node("stuck", sshd->port), lab.node("good", other->port)},
                         lab.options());
  const std::string input(40'000'000, 'x');
  // The command stops the very process that it gets its input from.
  auto stuck = command("stuck", "kill -STOP $PPID; sleep 60", input);
  stuck.deadline = 700ms;
  const auto begun = Clock::now();
  const auto results = transport.run({stuck, command("good", "wc -c", input)}, nullptr, {});
  CHECK(Clock::now() - begun < 20s);
  REQUIRE(!results.at("stuck"));
  CHECK(results.at("stuck").error().fault == Fault::timeout);
  REQUIRE_MESSAGE(results.at("good"), results.at("good").error().message());
  CHECK(results.at("good")->out == "40000000\n");
  sshd->kill_sessions();
}

TEST_CASE("a server that drops logins when there are many is tried again") {
  const Lab lab;
  const auto sshd = lab.server("MaxStartups 2");
  lab.trust(*sshd);
  std::vector<Node> nodes;
  std::vector<Request> requests;
  for (int i = 0; i < 8; ++i) {
    nodes.push_back(lab.node(fmt::format("n{:02}", i), sshd->port));
    requests.push_back(command(nodes.back().name, "echo ok"));
  }
  SshTransport transport(nodes, lab.options());
  const auto results = transport.run(requests, nullptr, {});
  for (const auto& [node, result] : results) REQUIRE_MESSAGE(result, result.error().message());
  const auto log = sshd->log();
  CHECK_MESSAGE(contains(log, "MaxStartups"), log);
}

TEST_CASE("a server that always closes before its banner is given up after a while") {
  const Lab lab;
  const Mute closes({}, true);
  auto options = lab.options();
  options.login_timeout = 800ms;
  SshTransport transport({lab.node("a", closes.port)}, options);
  const auto results = transport.run({command("a", "true")}, nullptr, {});
  REQUIRE(!results.at("a"));
  CHECK(results.at("a").error().fault == Fault::unreachable);
  CHECK(contains(results.at("a").error().what, "before its SSH banner came"));
  CHECK(contains(results.at("a").error().hint, "MaxStartups"));
  CHECK(closes.accepted >= 2);
  CHECK(closes.accepted < 10);
}

TEST_CASE("dead nodes in front do not use up the logins side by side") {
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  const Mute silent;
  std::vector<Node> nodes;
  std::vector<Request> requests;
  for (int i = 0; i < 8; ++i) nodes.push_back(lab.node(fmt::format("dead{:02}", i), silent.port));
  nodes.push_back(lab.node("good", sshd->port));
  for (const auto& node : nodes) requests.push_back(command(node.name, "echo ok"));
  std::stop_source enough;
  struct When : TransportObserver {
    std::stop_source& enough;
    Clock::time_point good;
    explicit When(std::stop_source& source) : enough(source) {}
    void on_done(const NodeId& node, const Result<Reply>& reply) override {
      if (node != "good") return;
      CHECK(reply);
      good = Clock::now();
      enough.request_stop();
    }
  } when(enough);
  auto options = lab.options();
  options.width = 4;
  options.login_timeout = 20s;
  SshTransport transport(nodes, options);
  const auto begun = Clock::now();
  transport.run(requests, &when, enough.get_token());
  CHECK(when.good - begun < 15s);
}

TEST_CASE("a node without a session channel, or without a shell, says so") {
  const Lab lab;
  const auto sshd = lab.server("MaxSessions 0");
  lab.trust(*sshd);
  SshTransport transport({lab.node("a", sshd->port)}, lab.options());
  const auto results = transport.run({command("a", "true")}, nullptr, {});
  REQUIRE(!results.at("a"));
  CHECK(contains(results.at("a").error().what, "refuses a session"));
}
