#include "base/clock.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>

#include "base/text.hpp"

namespace podwright {

Result<Millis> parse_duration(std::string_view text) {
  const auto wrong = [&] {
    return fail(Fault::usage, fmt::format("\"{}\" is not a duration", text),
                "write 500ms, 30s, 5m, 2h or 1h30m; a bare number is seconds");
  };
  const auto whole = trim(text);
  if (whole.empty()) return wrong();
  double total = 0;
  if (const auto seconds = to_double(whole); seconds && *seconds >= 0 && *seconds < 1e9) {
    return Millis(static_cast<std::int64_t>(std::llround(*seconds * 1e3)));
  }
  auto rest = whole;
  while (!rest.empty()) {
    const auto digits = rest.find_first_not_of("0123456789.");
    const auto number = to_double(rest.substr(0, digits));
    if (!number) return wrong();
    rest = digits == std::string_view::npos ? std::string_view{} : rest.substr(digits);
    const auto unit_end = rest.find_first_of("0123456789.");
    const auto unit = rest.substr(0, unit_end);
    rest = unit_end == std::string_view::npos ? std::string_view{} : rest.substr(unit_end);
    if (unit == "ms") total += *number;
    else if (unit == "s") total += *number * 1e3;
    else if (unit == "m" || unit == "min") total += *number * 60e3;
    else if (unit == "h") total += *number * 3600e3;
    else if (unit == "d") total += *number * 86400e3;
    else return wrong();
  }
  if (total > 1e12) return wrong();
  return Millis(static_cast<std::int64_t>(std::llround(total)));
}

std::string human_duration(Millis duration) {
  const auto ms = duration.count();
  if (ms < 1000) return fmt::format("{} ms", ms);
  if (ms < 60000) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1e3);
  const auto seconds = ms / 1000;
  if (seconds < 3600) return fmt::format("{} min {:02} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {:02} min", seconds / 3600, seconds / 60 % 60);
}

std::string utc_timestamp(std::chrono::system_clock::time_point when) {
  const auto ms = std::chrono::duration_cast<Millis>(when.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(ms / 1000)),
                     ms % 1000);
}

std::string utc_compact(std::chrono::system_clock::time_point when) {
  return fmt::format("{:%Y%m%d-%H%M%S}", fmt::gmtime(std::chrono::system_clock::to_time_t(when)));
}

}  // namespace podwright
