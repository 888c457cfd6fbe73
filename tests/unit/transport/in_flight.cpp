#include "transport/in_flight.hpp"

#include <doctest/doctest.h>

using namespace podwright;
using namespace std::chrono_literals;

namespace {
constexpr std::uint32_t window = 2U << 20U;
constexpr std::chrono::steady_clock::time_point start{};
}  // namespace

TEST_CASE("a near node's sshd is not made to hold a whole window") {
  InFlight in_flight(0us);
  CHECK(in_flight.room(window, start) == 256U << 10U);
  CHECK(in_flight.room(window - 1000, start) == (256U << 10U) - 1000);
  CHECK(in_flight.room(window - (256U << 10U), start) == 0);
  CHECK_MESSAGE(in_flight.room(window - (156U << 10U), start) == 100U << 10U, "it has read some of it");
}

TEST_CASE("a far one gets what is on its way as well, up to the window") {
  CHECK(InFlight(1ms).room(window, start) == (256U << 10U) + 500'000);
  CHECK(InFlight(10ms).room(window, start) == window);
  CHECK_MESSAGE(InFlight(std::nullopt).room(window, start) == window, "where nothing is known of the way");
  CHECK_MESSAGE(InFlight(std::chrono::microseconds(UINT32_MAX)).room(window, start) == window, "nor has the kernel seen a round trip");
  CHECK(InFlight(0us).room(1000, start) == 1000);
}

TEST_CASE("a server that waits until more of its window was used gets more, and is not waited for in vain") {
  InFlight in_flight(0us);
  auto now = start;
  REQUIRE(in_flight.room(window, now) == 256U << 10U);
  const auto half = window - (256U << 10U);
  CHECK(in_flight.room(half, now) == 0);
  CHECK(in_flight.room(half, now + 200ms) == 0);
  CHECK(in_flight.room(half, now + 250ms) == 256U << 10U);
  CHECK(in_flight.room(window - (512U << 10U), now + 251ms) == 0);
  CHECK(in_flight.room(window - (512U << 10U), now + 500ms) == 0);
  CHECK(in_flight.room(window - (512U << 10U), now + 501ms) == 512U << 10U);
  for (auto used = 1U << 20U;; used = window) {
    now += 10s;
    static_cast<void>(in_flight.room(window - used, now));
    now += 10s;
    static_cast<void>(in_flight.room(window - used, now));
    if (used == window) break;
  }
  CHECK_MESSAGE(in_flight.room(0, now) == 0, "of a window that is used up nothing");
  CHECK(in_flight.room(window, now) == window);
}

TEST_CASE("what is no TCP connection has no round trip") { CHECK_FALSE(shortest_round_trip(-1)); }
