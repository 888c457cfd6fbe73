#include <doctest/doctest.h>

#include "engine/station.hpp"

using namespace podwright;

TEST_CASE("what a node says of itself is read, line by line") {
  Station station;
  for (const auto* line : {"address 10.0.0.7", "machine aarch64", "unpacks", "bare", "room 2048"}) CHECK(read_station(line, station));
  CHECK(station.address == "10.0.0.7");
  CHECK(station.machine == "aarch64");
  CHECK(station.unpacks);
  CHECK(station.bare);
  CHECK(station.room == 2048U * 1024);
}

TEST_CASE("what is no such line is refused, and a room that is no size is not known") {
  Station station;
  for (const auto* line : {"", "ready", "hello", "machine x86_64 and more", "another"}) {
    CAPTURE(line);
    CHECK_FALSE(read_station(line, station));
  }
  for (const auto* line : {"room", "room -5", "room much", "room 99999999999999999999"}) read_station(line, station);
  CHECK_FALSE(station.room);
  CHECK(station.machine.empty());
}
