// svc: every service that the profile starts is up.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

constexpr std::string_view script = R"sh(
if [ ! -d /run/systemd/system ] || ! command -v systemctl >/dev/null 2>&1; then
  echo init=none
else
  echo init=systemd
  systemctl show --no-pager -p Names,LoadState,ActiveState,SubState,Type,Result,InactiveEnterTimestampMonotonic '*.service' '*.timer' '*.socket' '*.path' |
    while IFS= read -r line; do printf '%s\n' "${line:-Next=}"; done
fi
echo end
)sh";

using Unit = std::map<std::string, std::string, std::less<>>;

std::string_view at(const Unit& unit, std::string_view key) {
  const auto found = unit.find(key);
  return found == unit.end() ? std::string_view{} : found->second;
}

/// Units by all of their names.
std::map<std::string, Unit> by_name(const judging::Pairs& pairs) {
  std::map<std::string, Unit> all;
  Unit unit;
  const auto put = [&] {
    for (const auto name : words(at(unit, "Names"))) all.emplace(name, unit);
    unit.clear();
  };
  for (const auto& [key, value] : pairs) {
    if (key == "Next") put();
    else unit[key] = value;
  }
  put();
  return all;
}

/// A one-shot that does not remain is well when it has run since boot, and succeeded.
bool is_up(const Unit& unit) {
  if (at(unit, "ActiveState") == "active" || at(unit, "ActiveState") == "reloading") return true;
  const auto ended = at(unit, "InactiveEnterTimestampMonotonic");
  return at(unit, "Type") == "oneshot" && at(unit, "ActiveState") == "inactive" && at(unit, "Result") == "success" &&
         !ended.empty() && ended != "0";
}

CheckResult judge_unit(const Check& check, const std::map<std::string, Unit>& units, const std::string& name) {
  const auto unit_name = name.find('.') == std::string::npos ? name + ".service" : name;
  CheckResult result;
  const auto found = units.find(unit_name);
  const std::string remedy = fmt::format("systemctl status {0}; journalctl -u {0} -b; podwright apply mends what the profile describes", unit_name);
  if (found == units.end() || at(found->second, "LoadState") == "not-found") {
    result = judging::broken(check, "not running: it is stopped, or does not exist", "active", remedy);
  } else if (is_up(found->second)) {
    const auto state = at(found->second, "ActiveState");
    result = judging::passed(check, state == "inactive" ? "has run, and succeeded" : std::string(state), "active");
  } else {
    const auto& unit = found->second;
    auto seen = fmt::format("{} ({})", at(unit, "ActiveState"), at(unit, "SubState"));
    if (const auto outcome = at(unit, "Result"); !outcome.empty() && outcome != "success") seen += fmt::format(", {}", outcome);
    result = judging::broken(check, std::move(seen), "active", remedy);
  }
  result.id = "svc." + (name.ends_with(".service") ? name.substr(0, name.size() - 8) : name);
  return result;
}

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  auto names = judging::list_option(expectation, "expect");
  const auto ignored = judging::list_option(expectation, "ignore");
  for (const auto& wanted : expectation.profile.resources) {
    if (wanted.kind != "service" || wanted.text("state", "started") != "started") continue;
    if (!std::ranges::any_of(wanted.roles, [&](const auto& role) { return expectation.node.has_role(role); })) continue;
    if (std::ranges::find(names, wanted.name) == names.end()) names.push_back(wanted.name);
  }
  std::erase_if(names, [&](const auto& name) { return std::ranges::find(ignored, name) != ignored.end(); });
  if (names.empty()) return {judging::skipped(check, "the profile starts no service on this node")};
  const auto pairs = judging::read_pairs(observed);
  if (!pairs) return {judging::failed_to_run(check, pairs.error().what, "systemctl list-units --type=service --all")};
  const auto* init = judging::find_pair(*pairs, "init");
  if (init == nullptr || *init != "systemd") {
    return {judging::failed_to_run(check, "systemd does not run here, and no other service manager is known",
                                   "boot the node with systemd")};
  }
  const auto units = by_name(*pairs);
  std::vector<CheckResult> results;
  for (const auto& name : names) results.push_back(judge_unit(check, units, name));
  return results;
}

const Registered check{Check{
    .id = "svc",
    .summary = "Every service that the profile starts on this node is active: svc.NAME",
    .severity = Severity::fatal,
    .source = "systemd's own state",
    .options = {{.name = "expect", .type = FieldType::list, .doc = "further units that must be active"},
                {.name = "ignore", .type = FieldType::list, .doc = "services of the profile that are not judged"}},
    .probe = script,
    .judge = judge}};

}  // namespace

}  // namespace podwright
