#include "cli/plan_file.hpp"
#include "base/json.hpp"

#include <fmt/format.h>

#include <ranges>

#include "base/files.hpp"
#include "config/json.hpp"

namespace podwright::cli {

namespace {

Json to_json(const MadeWith& made_with) {
  return {{"profile", made_with.profile}, {"set", made_with.set}, {"components", made_with.components}};
}

/// Throws Json::exception.
MadeWith made_with_of(const Json& document) {
  return {.profile = document.value("profile", ""),
          .set = document.value("set", std::vector<std::string>{}),
          .components = document.value("components", std::vector<std::string>{})};
}

}  // namespace

Json plan_document(const Plan& plan, const MadeWith& made_with) {
  auto document = podwright::to_json(plan);
  document["made_with"] = to_json(made_with);
  return document;
}

Json intent_document(const Intent& intent) {
  return {{"made_with", to_json(intent.made_with)}, {"nodes", intent.nodes}, {"bundles", intent.bundles}, {"key", intent.key}};
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
    saved.made_with = made_with_of(*made_with);
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
    const auto intent_json = folder->load("intent.json");
    if (!intent_json) return fail(intent_json.error());
    if (!*intent_json) continue;
    EarlierRun run{.folder = std::move(*folder), .intent = {}, .applied = {}};
    try {
      run.intent = {.made_with = made_with_of((*intent_json)->at("made_with")),
                    .nodes = (*intent_json)->at("nodes").get<std::vector<NodeId>>(),
                    .bundles = (*intent_json)->value("bundles", std::vector<std::string>{}),
                    .key = (*intent_json)->value("key", "")};
    } catch (const Json::exception& problem) {
      return fail(Fault::internal, fmt::format("{}: {}", run.folder.file("intent.json").string(), problem.what()),
                  "the file was edited; start with `podwright apply`");
    }
    const auto applied_json = run.folder.load("applied.json");
    if (!applied_json) return fail(applied_json.error());
    if (*applied_json) {
      auto applied = applied_from_json(**applied_json);
      if (!applied) return fail(applied.error());
      run.applied = std::move(*applied);
    }
    return run;
  }
  return fail(Fault::usage, fmt::format("no earlier apply is recorded in {}", state_dir.string()),
              "start one with `podwright apply`");
}

}  // namespace podwright::cli
