#include "engine/station.hpp"

#include "base/text.hpp"

namespace podwright {

std::string station_script() {
  // Each process counts: all nodes are asked at once. Newer kernels tell their machine in a file.
  return "set -- ${SSH_CONNECTION:-}\n"
         "echo \"address ${3:-}\"\n"
         "{ read -r machine </proc/sys/kernel/arch; } 2>/dev/null || machine=$(uname -m)\n"
         "echo \"machine $machine\"\n"
         "! command -v gzip >/dev/null || echo unpacks\n";
}

bool read_station(std::string_view line, Station& station) {
  const auto parts = words(line);
  if (parts.empty() || parts.size() > 2) return false;
  const auto value = parts.size() == 2 ? std::string(parts[1]) : std::string();
  if (parts[0] == "address") station.address = value;
  else if (parts[0] == "machine") station.machine = value;
  else if (parts[0] == "unpacks") station.unpacks = true;
  else if (parts[0] == "bare") station.bare = true;
  else if (parts[0] != "room") return false;
  else if (const auto kilobytes = to_int(value); kilobytes && *kilobytes >= 0) station.room = static_cast<std::uint64_t>(*kilobytes) * 1024;
  return true;
}

}  // namespace podwright
