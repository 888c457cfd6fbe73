/// Time: durations as people write them, and timestamps as logs want them.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace podwright {

using Seconds = std::chrono::duration<double>;
using Millis = std::chrono::milliseconds;

/// "500ms", "30s", "5m", "1h30m", "2h"; a bare number is seconds.
Result<Millis> parse_duration(std::string_view text);
/// "850 ms", "12.3 s", "4 min 05 s"
std::string human_duration(Millis duration);

/// UTC as 2026-01-31T12:00:00.123Z.
std::string utc_timestamp(std::chrono::system_clock::time_point when);
/// UTC as 20260131-120000, for names of runs.
std::string utc_compact(std::chrono::system_clock::time_point when);

}  // namespace podwright
