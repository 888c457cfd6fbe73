/// What a node says of itself before anything is sent to it.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace podwright {

struct Station {
  std::string machine{};  ///< as `uname -m` names it
  std::string address{};  ///< at which it is reached; empty where sudo hides it
  bool unpacks = false;   ///< it has gzip
  bool bare = false;      ///< nothing is there of what is to come
  std::optional<std::uint64_t> room{};  ///< bytes, where it was asked
  std::set<std::string> has{};          ///< of the files asked for, by SHA-256
};

/// sh that prints what read_station() reads: machine, address, unpacks.
std::string station_script();
/// False for a line that is none of a station's.
bool read_station(std::string_view line, Station& station);

}  // namespace podwright
