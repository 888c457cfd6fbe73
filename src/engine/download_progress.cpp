#include "engine/download_progress.hpp"

#include <fmt/format.h>

#include <map>
#include <memory>

namespace podwright {

namespace {

constexpr std::uint64_t large = 64U << 20U;

struct Seen {
  std::map<std::string, std::uint64_t> tenths{};  ///< by URL
  std::size_t done = 0;
};

}  // namespace

std::function<void(const Download&, std::uint64_t, std::uint64_t)> download_progress(events::Bus& bus, std::string phase, std::size_t files) {
  return [&bus, phase = std::move(phase), files, seen = std::make_shared<Seen>()](const Download& file, std::uint64_t have, std::uint64_t total) {
    if (total == 0) return;
    auto& last = seen->tenths[file.url];
    const auto now = have * 10 / total;
    if (now <= last) return;
    last = now;
    if (now == 10) ++seen->done;
    else if (total < large) return;
    bus.emit(events::Progress{phase, seen->done, files, fmt::format("{} {} %", file.url, now * 10)});
  };
}

}  // namespace podwright
