// mem.swap: training does not swap.
#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"

namespace podwright {

namespace {

std::vector<CheckResult> judge(const Check& check, const Observed&, const Expectation& expectation) {
  const auto swap = expectation.facts.swap_bytes;
  const auto text = judging::text_option(expectation, "expect").value_or("0");
  const auto most = judging::parse_size(text);
  if (!most) {
    return {judging::failed_to_run(check, fmt::format("'{}' is not a size", text), "write expect = \"8 GiB\" in [[check]] mem.swap")};
  }
  const auto expected = *most == 0 ? std::string("none") : "at most " + human_bytes(static_cast<std::uint64_t>(*most));
  const auto observed = swap == 0 ? std::string("none") : human_bytes(swap);
  if (static_cast<double>(swap) <= *most) return {judging::passed(check, observed, expected)};
  if (judging::in_container(expectation.facts)) return {judging::skipped(check, fmt::format("a container: the {} of swap are its host's", observed))};
  return {judging::broken(check, observed, expected,
                          "swapoff -a, and take the swap out of /etc/fstab: [[swap]] state = \"absent\" in the profile does both")};
}

const Registered check{Check{
    .id = "mem.swap",
    .summary = "There is no swap, or no more than declared",
    .severity = Severity::warning,
    .source = "Azure NHC",
    .options = {{.name = "expect", .type = FieldType::any, .doc = "the most that may be there: \"8 GiB\"; a bare number counts GiB; default 0"}},
    .needs = {"memory", "os"},
    .judge = judge}};

}  // namespace

}  // namespace podwright
