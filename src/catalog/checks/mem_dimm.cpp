// mem.dimm: the memory modules are alike and none is missing.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

constexpr std::string_view script = R"sh(
if [ ! -e /sys/firmware/dmi/tables/DMI ] && [ ! -e /sys/firmware/efi/systab ]; then
  echo absent=firmware
elif ! command -v dmidecode >/dev/null 2>&1; then
  echo absent=dmidecode
else
  dmidecode -q -t 17 || exit 1
fi
echo end
)sh";

struct Module {
  std::string slot;
  std::string size;   ///< empty: no module in the slot
  std::string speed;  ///< as configured
};

/// The blocks "Memory Device" of dmidecode. Firmware writes what it likes; unknown lines are passed over.
std::vector<Module> read_modules(const std::vector<reading::Line>& lines) {
  std::vector<Module> modules;
  for (const auto& line : lines) {
    const auto text = trim(line.text);
    if (text == "Memory Device") {
      modules.emplace_back();
      continue;
    }
    const auto colon = text.find(": ");
    if (modules.empty() || colon == std::string_view::npos) continue;
    const auto key = text.substr(0, colon);
    const auto value = trim(text.substr(colon + 2));
    auto& module = modules.back();
    if (key == "Locator") module.slot = value;
    if (key == "Size" && value != "No Module Installed" && value != "Not Installed") module.size = value;
    if (key == "Speed" && module.speed.empty()) module.speed = value;
    if ((key == "Configured Memory Speed" || key == "Configured Clock Speed") && value != "Unknown") module.speed = value;
  }
  return modules;
}

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  if (judging::in_container(expectation.facts)) return {judging::skipped(check, "a container: the modules are its host's")};
  if (judging::in_virtual_machine(expectation.facts)) return {judging::skipped(check, "a virtual machine: its modules are made up")};
  const auto lines = reading::lines_of(observed);
  if (!lines) return {judging::failed_to_run(check, lines.error().what, "dmidecode -t 17")};
  if (!lines->empty() && lines->front().text == "absent=firmware") {
    return {judging::skipped(check, "the firmware has no SMBIOS tables")};
  }
  if (!lines->empty() && lines->front().text == "absent=dmidecode") {
    return {judging::skipped(check, "dmidecode is not installed: add [[package]] name = \"dmidecode\" to the profile")};
  }
  const auto modules = read_modules(*lines);
  if (modules.empty()) return {judging::skipped(check, "the firmware describes no memory modules")};

  std::map<std::string, std::vector<std::string>> kinds;
  std::size_t count = 0;
  for (const auto& module : modules) {
    if (module.size.empty()) continue;
    ++count;
    kinds[fmt::format("{} at {}", module.size, module.speed.empty() ? "unknown speed" : module.speed)].push_back(module.slot);
  }
  const auto empty = modules.size() - count;
  const auto usual = std::ranges::max_element(kinds, {}, [](const auto& kind) { return kind.second.size(); });
  std::string told = fmt::format("{} of {} slots filled", count, modules.size());
  if (kinds.size() == 1) told = fmt::format("{}, {} empty", fmt::format("{} of {}", count_of(count, "module"), usual->first), count_of(empty, "slot"));
  std::vector<std::string> odd;
  for (auto kind = kinds.begin(); kind != kinds.end(); ++kind) {
    if (kind != usual) odd.push_back(fmt::format("{} in {}", kind->first, human_list(kind->second)));
  }
  const std::string remedy = "replace or reseat the modules that differ; one that is not seen at all stands in the "
                             "management controller's log";
  const auto declared = judging::integer_option(expectation, "expect");
  if (declared && static_cast<std::int64_t>(count) != *declared) {
    return {judging::broken(check, told, fmt::format("{} modules", *declared), remedy)};
  }
  if (!odd.empty()) {
    return {judging::broken(check, fmt::format("{} in most, but {}", usual->first, join(odd, "; ")), "modules of one kind", remedy)};
  }
  return {judging::passed(check, told, declared ? fmt::format("{} modules of one kind", *declared) : "modules of one kind")};
}

const Registered check{Check{
    .id = "mem.dimm",
    .summary = "The memory modules are of one kind, and as many as declared",
    .severity = Severity::warning,
    .source = "LBNL NHC (check_dmi); firmware by way of dmidecode type 17",
    .options = {{.name = "expect", .type = FieldType::integer, .doc = "how many modules are installed"}},
    .needs = {"os"},
    .probe = script,
    .judge = judge}};

}  // namespace

}  // namespace podwright
