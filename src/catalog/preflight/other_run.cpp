// Another head, or one that was killed, has a script at work on the node: what is read now is not what
// will be.
#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/preflight/planned.hpp"
#include "catalog/runner_files.hpp"

namespace podwright {
namespace {

std::optional<PreflightFinding> judge(std::string_view printed, const PreflightContext&) {
  const auto other = preflight::value_of(printed, "runner");
  if (other.empty()) return std::nullopt;
  return PreflightFinding{.what = fmt::format("{} is at work on this node", clean_output(other)),
                          .hint = "wait until it has ended, or take it up: `podwright apply --resume`"};
}

const std::string probe = std::string(runner_functions) + R"sh(
other=$(runner_at_work)
[ -z "$other" ] || echo "runner $other"
)sh";

const Registered other_run{Preflight{
    .id = "other_run",
    .summary = "No other run of podwright is at work on the node",
    .source = "podwright: one run at a time changes a node",
    .probe = probe,
    .judge = judge,
}};

}  // namespace
}  // namespace podwright
