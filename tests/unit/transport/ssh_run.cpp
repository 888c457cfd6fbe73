// Commands on real servers: what comes back, in which bounds, on which sessions.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <thread>

#include "base/digest.hpp"
#include "fixture.hpp"
#include "pathological.hpp"
#include "support/conversation.hpp"

using namespace podwright;
using namespace podwright::test;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

std::size_t peak_memory_kib() {
  const auto status = slurp("/proc/self/status");
  return std::stoul(status.substr(status.find("VmHWM:") + 6));
}

}  // namespace

TEST_CASE("a command runs, and its output, status and signal come back") {
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  SshTransport transport({lab.node("a", sshd->port)}, lab.options());

  auto results = transport.run({command("a", "uname -r; echo bad >&2; exit 7")}, nullptr, {});
  REQUIRE_MESSAGE(results.at("a"), results.at("a").error().message());
  CHECK(results.at("a")->exit_status == 7);
  CHECK(!results.at("a")->out.empty());
  CHECK(results.at("a")->err == "bad\n");

  // On the session that is open already.
  results =
      transport.run({command("a", "sh -s", "x=hello\necho got $x\nkill -9 $$\n")}, nullptr, {});
  REQUIRE(results.at("a"));
  CHECK(results.at("a")->out == "got hello\n");
  CHECK(results.at("a")->exit_status == 128 + 9);
  CHECK(sshd->children().size() == 1);
}

TEST_CASE("stdin of any size arrives unharmed, also when the command reads slowly or not at all") {
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  SshTransport transport({lab.node("a", sshd->port), lab.node("b", sshd->port)}, lab.options());
  std::string input;
  for (std::uint32_t i = 0; i < 8U << 20U; ++i) input += static_cast<char>(i * 2654435761U >> 13U);

  const auto results = transport.run(
      {command("a", "sleep 0.3; sha256sum", input), command("b", "exit 3", input)}, nullptr, {});
  REQUIRE_MESSAGE(results.at("a"), results.at("a").error().message());
  CHECK(results.at("a")->out.substr(0, 64) == sha256_hex(input));
  REQUIRE_MESSAGE(results.at("b"), results.at("b").error().message());
  CHECK(results.at("b")->exit_status == 3);

  // What is handed over bit by bit follows what is given.
  struct Bits : Feed {
    explicit Bits(std::string_view all) : left(all) {}
    std::string_view next() override { return left.substr(0, 5000); }
    void taken(std::size_t bytes) override { left.remove_prefix(bytes); }
    bool ended() override { return left.empty(); }
    std::string_view left;
  } bits(input);
  auto request = command("a", "sha256sum", "head of it\n");
  request.feed = &bits;
  const auto together = transport.run({request}, nullptr, {});
  REQUIRE(together.at("a"));
  CHECK(together.at("a")->out.substr(0, 64) == sha256_hex("head of it\n" + input));
}

TEST_CASE("output beyond the bound is counted, not kept") {
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  SshTransport transport({lab.node("a", sshd->port), lab.node("b", sshd->port)}, lab.options());
  constexpr std::size_t hundred_mb = 100U * 1000 * 1000;
  // Escape sequences, NUL and bytes that are no UTF-8, without end.
  auto noisy = command("a",
                       "yes \"$(printf '\\033[31m\\377\\376 \\001 escape')\" | head -c 100000000;"
                       " head -c 3000000 /dev/zero >&2; exit 5");
  noisy.max_output = 1U << 20U;
  const auto before = peak_memory_kib();
  const auto begun = Clock::now();
  const auto results = transport.run({noisy, command("b", "echo quick")}, nullptr, {});
  REQUIRE_MESSAGE(results.at("a"), results.at("a").error().message());
  const auto& reply = *results.at("a");
  CHECK(reply.exit_status == 5);
  CHECK(reply.out.size() == 1U << 20U);
  CHECK(reply.out.starts_with("\033[31m\377\376 \001 escape\n"));
  CHECK(reply.err.size() == 1U << 20U);
  CHECK(reply.dropped_bytes == hundred_mb - (1U << 20U) + 3000000 - (1U << 20U));
  CHECK(results.at("b")->out == "quick\n");
  CHECK(peak_memory_kib() - before < 16U * 1024);
  CHECK(Clock::now() - begun < 60s);
}

TEST_CASE("the observer hears of connections, output and ends as they happen") {
  struct Notes : TransportObserver {
    std::string said;
    void on_connected(const NodeId& node) override { said += "connected " + node + "\n"; }
    void on_output(const NodeId&, std::string_view bytes) override { said += bytes; }
    void on_done(const NodeId& node, const Result<Reply>& reply) override {
      said += fmt::format("done {} {}\n", node, reply ? reply->exit_status : -1);
    }
  };
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  SshTransport transport({lab.node("a", sshd->port)}, lab.options());
  Notes notes;
  transport.run({command("a", "echo one; sleep 0.1; echo two")}, &notes, {});
  CHECK(notes.said == "connected a\none\ntwo\ndone a 0\n");
}

TEST_CASE("a command beyond its deadline is ended, and the session serves the next") {
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  SshTransport transport({lab.node("slow", sshd->port), lab.node("fast", sshd->port)},
                         lab.options());
  auto slow = command("slow", "sleep 30");
  slow.deadline = 400ms;
  const auto begun = Clock::now();
  auto results = transport.run({slow, command("fast", "echo ok")}, nullptr, {});
  CHECK(Clock::now() - begun < 15s);
  REQUIRE(!results.at("slow"));
  CHECK(results.at("slow").error().fault == Fault::timeout);
  CHECK(results.at("slow").error().what ==
        "the command did not finish within its deadline of 400 ms");
  CHECK(results.at("slow").error().node == "slow");
  CHECK(results.at("fast")->out == "ok\n");

  results = transport.run({command("slow", "echo again")}, nullptr, {});
  REQUIRE_MESSAGE(results.at("slow"), results.at("slow").error().message());
  CHECK(results.at("slow")->out == "again\n");
  CHECK(sshd->children().size() == 2);
}

TEST_CASE("a daemon that keeps stdout open does not keep the command open") {
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  SshTransport transport({lab.node("a", sshd->port)}, lab.options());
  const auto begun = Clock::now();
  const auto results =
      transport.run({command("a", "sleep 30 & echo started; exit 4")}, nullptr, {});
  CHECK(Clock::now() - begun < 20s);
  REQUIRE(results.at("a"));
  CHECK(results.at("a")->exit_status == 4);
  CHECK(results.at("a")->out == "started\n");
}

TEST_CASE("a stop ends everything quickly") {
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  const Mute mute;
  SshTransport transport({lab.node("a", sshd->port), lab.node("mute", mute.port)}, lab.options());
  std::stop_source source;
  const std::jthread stopper([&source] {
    std::this_thread::sleep_for(600ms);
    source.request_stop();
  });
  const auto begun = Clock::now();
  auto results = transport.run({command("a", "sleep 30"), command("mute", "true")}, nullptr,
                               source.get_token());
  CHECK(Clock::now() - begun < 10s);
  CHECK(results.at("a").error().fault == Fault::cancelled);
  CHECK(results.at("a").error().what == "stopped while its command was running");
  CHECK(results.at("mute").error().fault == Fault::cancelled);
  // And the transport can be used again.
  results = transport.run({command("a", "echo back")}, nullptr, {});
  REQUIRE_MESSAGE(results.at("a"), results.at("a").error().message());
  CHECK(results.at("a")->out == "back\n");
}

TEST_CASE("two hundred sessions at once") {
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  std::vector<Node> nodes;
  std::vector<Request> requests;
  for (int i = 0; i < 200; ++i) {
    nodes.push_back(lab.node(fmt::format("n{:03}", i), sshd->port));
    requests.push_back(command(nodes.back().name, "echo " + nodes.back().name));
  }
  SshTransport transport(nodes, lab.options());
  for (int round = 0; round < 2; ++round) {  // the second on the kept sessions
    const auto results = transport.run(requests, nullptr, {});
    for (const auto& node : nodes) {
      const auto& result = results.at(node.name);
      REQUIRE_MESSAGE(result, result.error().message());
      REQUIRE(result->out == node.name + "\n");
    }
  }
  CHECK(sshd->children().size() == 200);
}

TEST_CASE("no more sessions are open than allowed") {
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  std::vector<Node> nodes;
  std::vector<Request> requests;
  for (int i = 0; i < 12; ++i) {
    nodes.push_back(lab.node(fmt::format("n{:02}", i), sshd->port));
    requests.push_back(command(nodes.back().name, "echo ok"));
  }
  auto options = lab.options();
  options.max_open = 3;
  SshTransport transport(nodes, options);
  const auto results = transport.run(requests, nullptr, {});
  for (const auto& [node, result] : results) REQUIRE_MESSAGE(result, result.error().message());
  std::this_thread::sleep_for(200ms);
  CHECK(sshd->children().size() <= 3);

  options = lab.options();
  options.keep_sessions = false;
  SshTransport once(nodes, options);
  for (int twice = 0; twice < 2; ++twice) {
    for (const auto& [node, result] : once.run(requests, nullptr, {})) {
      REQUIRE_MESSAGE(result, result.error().message());
    }
  }
  std::this_thread::sleep_for(200ms);
  CHECK(sshd->children().size() <= 3);  // those of the transport before
}

TEST_CASE("input can be made while the command runs, from what it says") {
  const Lab lab;
  const auto sshd = lab.server();
  lab.trust(*sshd);
  SshTransport transport({lab.node("a", sshd->port)}, lab.options());
  testing::Conversation talk(3);
  auto request = command("a", "sh -c 'read -r first; echo \"$first\"; while read -r x; do echo \"got $x\"; done; sleep 0.5; echo bye'", "given\n");
  request.feed = &talk;
  auto results = transport.run({request}, &talk, {});
  REQUIRE_MESSAGE(results.at("a"), results.at("a").error().message());
  CHECK(results.at("a")->out == "given\ngot word 1\ngot word 2\ngot word 3\nbye\n");
  CHECK(talk.ticks > 0);
  talk.enough_of_it = true;
  request = command("a", "sleep 20");
  request.feed = &talk;
  results = transport.run({request}, &talk, {});
  REQUIRE(!results.at("a"));
  CHECK(results.at("a").error().what == "enough of it");
}
