#include "cli/plan_file.hpp"
#include "base/json.hpp"

#include <fmt/format.h>

#include <ranges>

#include "base/files.hpp"
#include "config/json.hpp"

namespace podwright::cli {

Json plan_document(const Plan& plan, const MadeWith& made_with) {
  auto document = to_json(plan);
  document["made_with"] = {{"profile", made_with.profile},
                           {"set", made_with.set},
                           {"components", made_with.components}};
  return document;
}

Result<SavedPlan> read_plan(const Json& document, const std::string& where) {
  const auto wrong = [&](const std::string& why) {
    return fail(Fault::usage, fmt::format("{} is not a plan that can be applied: {}", where, why),
                "make one with `podwright plan --out FILE`");
  };
  auto plan = plan_from_json(document);
  if (!plan) return wrong(plan.error().what);
  if (plan_digest(*plan) != plan->digest) {
    return wrong("its content does not fit its digest, so it was edited after it was made");
  }
  SavedPlan saved{.plan = std::move(*plan), .made_with = {}};
  const auto made_with = document.find("made_with");
  if (made_with == document.end()) return saved;
  try {
    saved.made_with = {.profile = made_with->value("profile", ""),
                       .set = made_with->value("set", std::vector<std::string>{}),
                       .components = made_with->value("components", std::vector<std::string>{})};
  } catch (const Json::exception& problem) {
    return wrong(fmt::format("made_with: {}", problem.what()));
  }
  return saved;
}

Result<SavedPlan> read_plan_file(const std::filesystem::path& file) {
  const auto text = read_file(file);
  if (!text) {
    return fail(Fault::usage, text.error().what, "make a plan with `podwright plan --out FILE`");
  }
  const auto document = Json::parse(*text, nullptr, false);
  if (document.is_discarded()) {
    return fail(Fault::usage, fmt::format("{} is not JSON", file.string()),
                "make a plan with `podwright plan --out FILE`");
  }
  return read_plan(document, file.string());
}

Result<EarlierRun> latest_apply(const std::filesystem::path& state_dir) {
  const auto ids = RunFolder::list(state_dir);
  for (const auto& id : ids | std::views::reverse) {
    auto folder = RunFolder::open(state_dir, id);
    if (!folder) return fail(folder.error());
    const auto applied_json = folder->load("applied.json");
    const auto plan_json = folder->load("plan.json");
    if (!applied_json || !plan_json || !*applied_json || !*plan_json) continue;
    auto applied = applied_from_json(**applied_json);
    if (!applied) return fail(applied.error());
    auto saved = read_plan(**plan_json, folder->file("plan.json").string());
    if (!saved) return fail(saved.error());
    return EarlierRun{std::move(*folder), std::move(*saved), std::move(*applied)};
  }
  return fail(Fault::usage, fmt::format("no earlier apply is recorded in {}", state_dir.string()),
              "start one with `podwright apply`");
}

}  // namespace podwright::cli
