// A clock that is far off: munge refuses credentials, TLS and package signatures look expired or not yet
// valid, and files that are written look older than their services.
#include <fmt/format.h>

#include <cmath>

#include "catalog/registry.hpp"

namespace podwright {
namespace {

constexpr double most_seconds = 300;
constexpr double noticeable_seconds = 5;

std::optional<PreflightFinding> judge(std::string_view, const PreflightContext& context) {
  if (context.facts.clock_epoch <= 0) return std::nullopt;
  const double off = context.facts.time_offset_seconds;
  if (std::abs(off) < noticeable_seconds) return std::nullopt;
  return PreflightFinding{
      .fatal = std::abs(off) > most_seconds,
      .what = fmt::format("its clock is {:.0f} s {} this machine's", std::abs(off), off > 0 ? "ahead of" : "behind"),
      .hint = "set it (`date -s`, or `chronyd -q`), here or there, whichever is wrong"};
}

const Registered clock{Preflight{
    .id = "clock",
    .summary = "The node's clock is within 300 s of this machine's; from 5 s on there is a warning",
    .source = "munge.7: a credential lives 300 s by default; MIT Kerberos: clockskew 300 s",
    .judge = judge,
}};

}  // namespace
}  // namespace podwright
