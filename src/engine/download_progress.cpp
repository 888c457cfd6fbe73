#include "engine/download_progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

namespace podwright {

namespace {

constexpr std::uint64_t large = 64U << 20U;
constexpr std::uint64_t worth_waiting_for = 1U << 20U;

struct Seen {
  std::map<std::string, std::uint64_t> tenths{};  ///< by URL
  std::size_t done = 0;
};

}  // namespace

std::function<void(const Download&, std::uint64_t, std::uint64_t)> download_progress(events::Bus& bus, std::string phase, std::size_t files) {
  return [&bus, phase = std::move(phase), files, seen = std::make_shared<Seen>()](const Download& file, std::uint64_t have, std::uint64_t total) {
    if (total == 0 || (files == 0 && total < worth_waiting_for)) return;
    auto& last = seen->tenths[file.url];
    const auto now = have * 10 / total;
    if (now <= last) return;
    last = now;
    const bool whole = now == 10;
    if (!whole && files > 0 && total < large) return;
    if (whole && files > 0) ++seen->done;
    bus.emit(events::Progress{phase, seen->done, std::max<std::size_t>(files, 1), fmt::format("{} {} %", file.url, now * 10)});
  };
}

}  // namespace podwright
