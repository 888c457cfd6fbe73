// mem.total: the memory that was paid for is there.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"

namespace podwright {

namespace {

/// The kernel keeps 1 to 2 % of the installed memory for itself, and modules are missing in larger
/// parts than that.
constexpr double usual_tolerance = 0.03;

const std::string remedy =
    "look for a module that the firmware has switched off: dmidecode -t 17, the management controller's log, and "
    "podwright check for mem.dimm and mem.edac";

std::vector<CheckResult> judge(const Check& check, const Observed&, const Expectation& expectation) {
  const auto own = static_cast<double>(expectation.facts.memory_bytes);
  const auto observed = human_bytes(expectation.facts.memory_bytes);
  const auto tolerance = judging::number_option(expectation, "tolerance").value_or(usual_tolerance);
  const auto within = [&](double wanted) { return std::abs(own - wanted) <= wanted * tolerance; };
  const auto declared_text = judging::text_option(expectation, "expect");
  if (declared_text) {
    const auto declared = judging::parse_size(*declared_text);
    if (!declared) {
      return {judging::failed_to_run(check, fmt::format("'{}' is not a size", *declared_text),
                                     "write expect = \"512 GiB\" in [[check]] mem.total")};
    }
    auto expected = fmt::format("{} ±{:g} %", human_bytes(static_cast<std::uint64_t>(*declared)), tolerance * 100);
    if (within(*declared)) return {judging::passed(check, observed, std::move(expected))};
    return {judging::broken(check, observed, std::move(expected), remedy)};
  }
  // Kernels differ by a few megabytes from one boot to the next: the middle of the class is the measure.
  auto all = judging::peers(expectation);
  if (all.size() < 2) return {judging::passed(check, observed, "no other node is like this one; nothing is declared")};
  std::ranges::sort(all, {}, [](const judging::Peer& peer) { return peer.facts->memory_bytes; });
  const auto middle = all[all.size() / 2].facts->memory_bytes;
  const auto count = std::ranges::count_if(all, [&](const judging::Peer& peer) {
    return std::abs(static_cast<double>(peer.facts->memory_bytes) - static_cast<double>(middle)) <=
           static_cast<double>(middle) * tolerance;
  });
  auto expected = fmt::format("{} ±{:g} %, as on {} of {} nodes like this one", human_bytes(middle), tolerance * 100,
                              count, all.size());
  if (within(static_cast<double>(middle))) return {judging::passed(check, observed, std::move(expected))};
  if (static_cast<std::size_t>(count) * 2 <= all.size()) {
    return {judging::warned(check, observed, std::move(expected),
                            "declare what is right: [[check]] id = \"mem.total\", expect = \"… GiB\"; then " + remedy)};
  }
  return {judging::broken(check, observed, std::move(expected), remedy)};
}

const Registered check{Check{
    .id = "mem.total",
    .summary = "The memory is as declared, or as on the other nodes of the class, within 3 %",
    .severity = Severity::fatal,
    .source = "Azure NHC; the tolerance covers what the kernel keeps for itself",
    .options = {{.name = "expect", .type = FieldType::any, .doc = "\"512 GiB\"; a bare number counts GiB"},
                {.name = "tolerance", .type = FieldType::number, .doc = "as a fraction; default 0.03"}},
    .needs = {"memory", "os", "cpu"},
    .judge = judge}};

}  // namespace

}  // namespace podwright
