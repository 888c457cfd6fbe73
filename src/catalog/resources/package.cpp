// [[package]]: a package of the operating system.
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/reading.hpp"

namespace podwright {
namespace {

using std::chrono_literals::operator""min;

/// What a node has of a package, as Packager::query prints it.
struct Installed {
  bool installed = false;
  bool broken = false;  ///< a run of the packager was cut off in the middle
  bool held = false;
  std::vector<std::string> versions{};  ///< several kernels live side by side
};

Installed installed_from(const Observed& observed) {
  Installed state;
  for (const auto line : lines(observed.out)) {
    if (line == "state installed") state.installed = true;
    if (line == "state broken") state.broken = true;
    if (line == "held yes") state.held = true;
    if (line.starts_with("version ")) state.versions.emplace_back(line.substr(8));
  }
  if (state.broken) state.installed = false;
  return state;
}

bool matches(const std::string& pattern, const std::vector<std::string>& versions) {
  return std::ranges::any_of(versions, [&](const std::string& version) {
    return version == pattern || fnmatch(pattern.c_str(), version.c_str(), 0) == 0;
  });
}

bool all_of(std::string_view text, std::string_view others) {
  return std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.find(c) != std::string_view::npos;
  });
}

/// Names and versions become words of the packager, which must not take them for options or
/// patterns.
Status check_words(const Wanted& wanted, const Packager& packager) {
  const auto version = wanted.text("version");
  if (wanted.name.empty() || wanted.name.front() == '-' || !all_of(wanted.name, "+._:-~")) {
    return refuse(wanted, "name", fmt::format("'{}' is not the name of a package", wanted.name));
  }
  if (version.starts_with('-') || !all_of(version, "+._:-~^*?[]")) {
    return refuse(wanted, "version", fmt::format("'{}' is not a version or a pattern", version),
                  "an exact version, or a pattern like 4.3*");
  }
  if (!packager.version_globs && version.find_first_of("*?[") != std::string::npos) {
    return refuse(wanted, "version",
                  fmt::format("{} takes exact versions only, not '{}'", packager.id, version),
                  "podwright lock finds the exact version");
  }
  return {};
}

/// The whole list of packages tells what a transaction brought along.
Undo undo_of(const Packager& packager) {
  return {.state = packager.list, .finish = packager.take_back};
}

/// A command of the packager as a step that may share one transaction with its neighbours.
Step packager_step(const Wanted& wanted, std::string action, std::string why,
                   const Packager& packager, const std::string& command, const std::string& word) {
  auto step = step_for(wanted, std::move(action), std::move(why));
  step.undo = undo_of(packager);
  step.script = fmt::format("{} {}\n", command, sh::quote(word));
  step.batch = command;
  step.batch_words = {word};
  step.deadline = 30min;
  return step;
}

/// The step with a transaction of its own: a hold is lifted before it and, unless the package is gone
/// then, put back after it. One that fails leaves the package as held as it was.
Step alone(Step step, const Packager& packager, const std::string& name, bool held, bool hold) {
  const auto unhold_it = fmt::format("{} {}", packager.unhold, sh::quote(name));
  const auto hold_it = fmt::format("{} {}", packager.hold, sh::quote(name));
  step.batch.clear();
  step.batch_words.clear();
  auto script = held ? unhold_it + " || exit\n" : std::string{};
  script += trim(step.script);
  script += held ? fmt::format(" || {{\n{}\nexit 1\n}}\n", hold_it) : " || exit\n";
  if (hold) script += hold_it + " || exit\n";
  step.script = std::move(script);
  return step;
}

/// Why it has to be installed; empty when the wanted version is there.
std::string reason_to_install(const Wanted& wanted, const Installed& now) {
  const auto version = wanted.text("version");
  if (now.broken) return wanted.name + " is half installed: an earlier run was cut off";
  if (!now.installed) return wanted.name + " is not installed";
  if (version.empty() || matches(version, now.versions)) return {};
  return fmt::format("{} is {}, wanted {}", wanted.name, join(now.versions, " and "), version);
}

std::string probe(const Wanted& wanted, const Facts& facts) {
  const auto* packager = packager_for(facts);
  return packager == nullptr ? ":\n" : packager->query(wanted.name);
}

std::optional<Observed> known(const Wanted& wanted, const Facts& facts) {
  // The facts list names and versions; they do not tell what is held, nor another architecture's.
  if (facts.packages.empty() || wanted.name.find(':') != std::string::npos) return {};
  const auto place = facts.packages.find(wanted.name);
  if (place == facts.packages.end()) {
    // Where rpm has two versions of a package, the facts have none: its query says why.
    return facts.package_manager == "apt" ? std::optional(Observed{}) : std::nullopt;
  }
  const auto version = wanted.text("version");
  const bool hold_matters =
      wanted.text("state") == "held" || (!version.empty() && !matches(version, {place->second}));
  if (hold_matters) return {};
  return Observed{.out = fmt::format("state installed\nversion {}\n", place->second)};
}

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed,
                               const PlanContext& context) {
  const auto known_packager = require_packager(wanted, context.facts);
  if (!known_packager) return fail(known_packager.error());
  const auto* packager = *known_packager;
  if (const auto words = check_words(wanted, *packager); !words) return fail(words.error());
  if (const auto reading = read(wanted, observed); !reading) return fail(reading.error());

  const auto now = installed_from(observed);
  const auto state = wanted.text("state", "present");
  if (state == "absent") {
    if (!now.installed && !now.broken) return std::vector<Step>{};
    auto why = now.broken ? fmt::format("{} is half installed, wanted absent", wanted.name)
                          : fmt::format("{} {} is installed, wanted absent", wanted.name,
                                        join(now.versions, " and "));
    auto step = packager_step(wanted, "remove", std::move(why), *packager, packager->remove,
                              wanted.name);
    if (now.held) step = alone(std::move(step), *packager, wanted.name, true, false);
    return std::vector{std::move(step)};
  }

  const auto version = wanted.text("version");
  const auto word = version.empty() ? wanted.name : packager->versioned(wanted.name, version);
  const auto reason = reason_to_install(wanted, now);
  const bool hold = state == "held";
  if (reason.empty()) {
    if (!hold || now.held) return std::vector<Step>{};
    return std::vector{packager_step(
        wanted, "hold", fmt::format("{} {} is not held", wanted.name, join(now.versions, " and ")),
        *packager, packager->hold, wanted.name)};
  }
  auto step = packager_step(wanted, "install", reason, *packager, packager->install, word);
  if (hold || now.held) step = alone(std::move(step), *packager, wanted.name, now.held, true);
  return std::vector{step};
}

const Registered package{ResourceKind{
    .table = "package",
    .key = "name",
    .summary = "A package of the operating system",
    .fields =
        {
            {.name = "name",
             .required = true,
             .doc = "Name in the distribution; `names` declares several at once"},
            {.name = "version",
             .doc =
                 "Exact, or a pattern like \"4.3*\"; an older one is installed over a newer one. "
                 "Default: the newest there is at the time of installing, then left alone"},
            {.name = "state",
             .doc = "held keeps the version from upgrades. Default: present",
             .choices = {"present", "absent", "held"}},
        },
    .probe = probe,
    .plan = plan,
    .known = known,
}};

}  // namespace
}  // namespace podwright
