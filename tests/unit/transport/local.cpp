#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "support/conversation.hpp"
#include "support/sshd.hpp"
#include "transport/local_transport.hpp"

using namespace podwright;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

Result<Reply> once(Request request) {
  LocalTransport transport;
  request.node = "here";
  return std::move(transport.run({std::move(request)}, nullptr, {}).at("here"));
}

}  // namespace

TEST_CASE("a script runs here, with its input, output, status and signal") {
  auto reply = once({.node = {}, .input = "cat <<X\nhello\nX\necho bad >&2\nexit 5\n"});
  REQUIRE(reply);
  CHECK(reply->out == "hello\n");
  CHECK(reply->err == "bad\n");
  CHECK(reply->exit_status == 5);
  reply = once({.node = {}, .command = "kill -9 $$"});
  REQUIRE(reply);
  CHECK(reply->exit_status == 137);
  const std::string big(3'000'000, 'z');
  reply = once({.node = {}, .command = "sleep 0.1; cat", .input = big});
  REQUIRE(reply);
  CHECK(reply->out == big);
  reply = once({.node = {}, .command = "exit 2", .input = big});
  REQUIRE(reply);
  CHECK(reply->exit_status == 2);
}

TEST_CASE("output here is bounded, too") {
  const auto reply =
      once({.node = {}, .command = "head -c 20000000 /dev/zero", .max_output = 1000});
  REQUIRE(reply);
  CHECK(reply->out == std::string(1000, '\0'));
  CHECK(reply->dropped_bytes == 19999000);
}

TEST_CASE("deadlines and stops end the command with all it started") {
  const auto mark = "/tmp/podwright-local-" + std::to_string(getpid());
  const auto begun = Clock::now();
  const auto reply =
      once({.node = {}, .command = "(sleep 1; touch " + mark + ") & sleep 20", .deadline = 200ms});
  REQUIRE(!reply);
  CHECK(reply.error().fault == Fault::timeout);
  CHECK(reply.error().node == "here");
  CHECK(Clock::now() - begun < 10s);

  std::stop_source source;
  const std::jthread stopper([&source] {
    std::this_thread::sleep_for(200ms);
    source.request_stop();
  });
  LocalTransport transport;
  const auto stopped =
      transport.run({{.node = "a", .command = "sleep 20"}}, nullptr, source.get_token());
  REQUIRE(!stopped.at("a"));
  CHECK(stopped.at("a").error().fault == Fault::cancelled);
  std::this_thread::sleep_for(1s);
  CHECK(access(mark.c_str(), F_OK) != 0);
}

TEST_CASE("a daemon that keeps stdout open does not keep the command open here") {
  const auto begun = Clock::now();
  const auto reply = once({.node = {}, .command = "sleep 30 & echo started"});
  REQUIRE(reply);
  CHECK(reply->out == "started\n");
  CHECK(Clock::now() - begun < 20s);
}

TEST_CASE("requests here run side by side") {
  const test::TempDir dir;
  LocalTransport transport;
  std::vector<Request> requests;
  for (const auto* name : {"a", "b", "c", "d"}) {
    // Each waits for the other three.
    requests.push_back(
        {.node = name,
         .command = "cd " + dir.path() + "; touch " + name +
                    "; while [ $(ls | wc -l) -lt 4 ]; do sleep 0.05; done; echo ok"});
  }
  for (const auto& [node, result] : transport.run(requests, nullptr, {})) {
    REQUIRE_MESSAGE(result, result.error().message());
    CHECK(result->out == "ok\n");
  }
}

TEST_CASE("input can be made while the command runs here, from what it says") {
  testing::Conversation talk(3);
  LocalTransport transport;
  auto replies = transport.run({{.node = "a", .command = "sh -c 'while read -r x; do echo \"got $x\"; done; echo bye'", .feed = &talk}}, &talk, {});
  REQUIRE(replies.at("a"));
  CHECK(replies.at("a")->out == "got word 1\ngot word 2\ngot word 3\nbye\n");
  CHECK(talk.ticks > 0);
  talk.enough_of_it = true;
  replies = transport.run({{.node = "a", .command = "sleep 20", .feed = &talk}}, &talk, {});
  REQUIRE(!replies.at("a"));
  CHECK(replies.at("a").error().what == "enough of it");
}
