#include "catalog/checks/tool_output.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace podwright::judging {

namespace {

constexpr std::string_view prologue = R"sh(
if command -v timeout >/dev/null 2>&1; then limit() { timeout "$@"; }; else limit() { shift; "$@"; }; fi
seconds=20
run() {
  printf '%%%% %s\n' "$*"
  if command -v "$1" >/dev/null 2>&1; then
    limit "$seconds" "$@"
    printf '\n%%%% exit %s\n' "$?"
  else
    echo '%% absent'
  fi
}
)sh";

}  // namespace

std::string tool_probe(std::string_view commands) { return std::string(prologue) + std::string(commands) + "\necho '%% end'\n"; }

Result<std::vector<ToolRun>> read_tool_runs(const Observed& observed) {
  std::vector<ToolRun> runs;
  bool open = false;
  int number = 0;
  for (const auto line : lines(observed.out)) {
    ++number;
    if (!line.starts_with("%% ")) {
      if (open) (runs.back().text += line) += '\n';
      continue;
    }
    const auto rest = line.substr(3);
    if (rest == "end" && !open) return runs;
    if (open && rest == "absent") {
      runs.back().absent = true;
      open = false;
    } else if (const auto status = rest.starts_with("exit ") ? to_int(rest.substr(5)) : std::nullopt; open && status) {
      runs.back().exit_status = static_cast<int>(std::clamp<std::int64_t>(*status, 0, 255));
      open = false;
    } else if (!open) {
      runs.push_back({.command = std::string(rest), .text = {}, .first_line = number + 1});
      open = true;
    } else {
      return fail(Fault::remote, fmt::format("line {} '{}' stands within the output of {}", number, clean_output(line.substr(0, 80)), runs.back().command));
    }
  }
  return fail(Fault::remote, fmt::format("the output is cut off after line {}: its closing '%% end' is missing", number));
}

const ToolRun* find_run(const std::vector<ToolRun>& runs, std::string_view command) {
  const auto found = std::ranges::find_if(runs, [&](const ToolRun& run) { return run.command.starts_with(command); });
  return found == runs.end() ? nullptr : &*found;
}

std::string first_line_of(const ToolRun& run) {
  for (const auto line : lines(run.text)) {
    if (const auto text = trim(line); !text.empty()) return clean_output(text.substr(0, 200));
  }
  return "it said nothing";
}

std::size_t count_of_vendor(const Facts& facts, std::string_view vendor) {
  return static_cast<std::size_t>(std::ranges::count(facts.gpus, vendor, &Accelerator::vendor));
}

bool wants_package(const Expectation& expectation, std::string_view name) {
  return std::ranges::any_of(expectation.profile.resources, [&](const Wanted& wanted) {
    return wanted.kind == "package" && wanted.name.starts_with(name) && wanted.text("state", "present") != "absent";
  });
}

std::optional<CheckResult> without_tool(const Check& check, const Expectation& expectation, std::string_view vendor,
                                        std::string_view hardware, const ToolRun* run, std::string_view tool) {
  if (count_of_vendor(expectation.facts, vendor) == 0) return skipped(check, fmt::format("no {} here", hardware.substr(hardware.find(' ') + 1)));
  if (run == nullptr) return failed_to_run(check, fmt::format("the probe did not run {}", tool), "report this as a bug");
  if (run->absent) {
    return failed_to_run(check, fmt::format("{} is there, but {} is not installed", hardware, tool),
                         fmt::format("add the vendor's driver to the profile ([profile] include), then podwright apply; {} belongs to it", tool));
  }
  if (run->exit_status == 124) {
    return failed_to_run(check, fmt::format("{} did not answer in time", run->command), "dmesg tells why the driver hangs; reboot the node when it stays so");
  }
  return std::nullopt;
}

}  // namespace podwright::judging
