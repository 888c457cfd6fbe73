#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"
#include "catalog/checks/tool_output.hpp"

namespace podwright {

namespace {

bool has_type(const Value& value, FieldType type) {
  switch (type) {
    case FieldType::text:
    case FieldType::mode: return value.text() != nullptr;
    case FieldType::flag: return value.flag() != nullptr;
    case FieldType::integer: return value.integer() != nullptr;
    case FieldType::number: return value.number().has_value();
    case FieldType::list: return value.array() != nullptr;
    case FieldType::any: return value.text() != nullptr || value.number().has_value();
  }
  return false;
}

/// The level that the options ask for; nothing where they name none.
std::optional<std::int64_t> level_of(const Value::Table& options) {
  const auto* level = find_value(options, "level");
  if (level == nullptr || level->integer() == nullptr) return {};
  return *level->integer();
}

/// The deadline of the level, or null: the check has no such level, or none is asked for.
const std::chrono::seconds* deadline_of_level(const Check& check, const Value::Table& options) {
  const auto level = level_of(options);
  if (!level || *level < 1 || *level > static_cast<std::int64_t>(check.levels.size())) return nullptr;
  return &check.levels[static_cast<std::size_t>(*level - 1)];
}

std::string_view type_name(FieldType type) {
  switch (type) {
    case FieldType::text:
    case FieldType::mode: return "a text";
    case FieldType::flag: return "true or false";
    case FieldType::integer: return "a whole number";
    case FieldType::number: return "a number";
    case FieldType::list: return "a list";
    case FieldType::any: return "a text or a number";
  }
  return "";
}

/// What is wrong with the options, or nothing.
std::string wrong_options(const Check& check, const Value::Table& options) {
  for (const auto& [key, value] : options) {
    const auto field = std::ranges::find(check.options, std::string_view(key), &Field::name);
    const auto place = value.pos.file.empty() ? std::string{} : value.pos.str() + ": ";
    if (field == check.options.end()) {
      std::vector<std::string> known;
      for (const auto& option : check.options) known.emplace_back(option.name);
      return fmt::format("{}[[check]] {} has no option '{}'{}", place, check.id, key, did_you_mean(key, known));
    }
    if (!has_type(value, field->type)) {
      return fmt::format("{}option '{}' of [[check]] {} must be {}", place, key, check.id, type_name(field->type));
    }
  }
  if (const auto level = level_of(options); level && deadline_of_level(check, options) == nullptr) {
    return fmt::format("[[check]] {} has no level {}: 1 to {}", check.id, *level, check.levels.size());
  }
  return {};
}

/// The first line of stderr, or of stdout when that is empty.
std::string last_words(const Observed& observed) {
  for (const auto* text : {&observed.err, &observed.out}) {
    for (const auto line : lines(*text)) {
      if (const auto words = trim(line); !words.empty()) return ": " + clean_output(words.substr(0, 200));
    }
  }
  return {};
}

std::vector<CheckResult> one(CheckResult result) { return {std::move(result)}; }

/// What is in the way of judging, or nothing.
std::optional<CheckResult> obstacle(const Check& check, const Observed& observed, const Expectation& expectation) {
  if (const auto wrong = wrong_options(check, expectation.options); !wrong.empty()) {
    return judging::failed_to_run(check, wrong, "correct [[check]] in the profile");
  }
  for (const auto need : check.needs) {
    const auto missing = expectation.facts.missing.find(std::string(need));
    if (missing == expectation.facts.missing.end()) continue;
    return judging::failed_to_run(check, fmt::format("probe {} {}", need, missing->second),
                                  fmt::format("podwright facts -n {} -v", expectation.node.name));
  }
  if (!check.probe.empty()) {
    if (observed.timed_out) {
      return judging::failed_to_run(
          check, fmt::format("check {} did not finish within {} s", check.id, probe_deadline(check, expectation.options).count()),
          fmt::format("look for a hung device or file server: podwright doctor {}", expectation.node.name));
    }
    if (observed.exit_status != 0) {
      return judging::failed_to_run(
          check, fmt::format("its probe ended with exit status {}{}", observed.exit_status, last_words(observed)),
          fmt::format("run it by hand: podwright check -n {} -v", expectation.node.name));
    }
  }
  return {};
}

}  // namespace

bool concerns(const Check& check, const Facts& facts) {
  if (check.hardware.empty()) return true;
  return check.hardware == "rdma" ? !facts.hcas.empty() : judging::count_of_vendor(facts, check.hardware) > 0;
}

std::string probe_text(const Check& check, const Value::Table& options) {
  if (check.levels.empty()) return std::string(check.probe);
  const bool has_level = deadline_of_level(check, options) != nullptr;
  return fmt::format("level={}\ndeadline={}\n{}", has_level ? std::to_string(*level_of(options)) : std::string{},
                     probe_deadline(check, options).count(), check.probe);
}

std::chrono::seconds probe_deadline(const Check& check, const Value::Table& options) {
  const auto* deadline = deadline_of_level(check, options);
  return deadline == nullptr ? check.deadline : *deadline;
}

std::string_view probe_name(const Check& check) { return check.reads.empty() ? check.id : check.reads; }

std::vector<CheckResult> judge_check(const Check& check, const Observed& observed, const Expectation& expectation) {
  auto hindered = obstacle(check, observed, expectation);
  auto results = hindered ? one(std::move(*hindered)) : check.judge(check, observed, expectation);
  if (results.empty()) {
    results.push_back(judging::failed_to_run(check, "the check came to no verdict", "report this as a bug"));
  }
  for (auto& result : results) result.source = check.source;
  return results;
}

}  // namespace podwright
