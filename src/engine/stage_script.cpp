#include "engine/stage_script.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/shell.hpp"

namespace podwright {

namespace {

const Wanted* wanted_of(const Planned& planned, const NodeId& node, const std::string& id) {
  const auto& resources = planned.wanted.at(node).resources;
  const auto found = std::ranges::find(resources, id, &Wanted::id);
  return found == resources.end() ? nullptr : &*found;
}

/// Shell assignments of the secrets that a step reads. They travel on the shell's stdin: no argument
/// list, environment or file ever holds them.
Result<std::string> secret_assignments(const Planned& planned, const NodeId& node, const Step& step,
                                       SecretStore* secrets) {
  std::string text;
  for (const auto& [variable, name] : step.secrets) {
    if (secrets == nullptr) {
      text += fmt::format("{}=  # the secret {} stands here when the script runs\n", variable, name);
      continue;
    }
    const auto* wanted = wanted_of(planned, node, step.id);
    if (wanted == nullptr) throw std::logic_error("no resource for step " + step.id);
    const auto bytes = secrets->bytes(*wanted);
    if (!bytes) return fail(bytes.error());
    text += fmt::format("{}={}\n", variable, sh::quote(base64_encode(bytes->reveal())));
  }
  return text;
}

}  // namespace

Result<StageScript> stage_script(const Planned& planned, const NodeId& node, int stage,
                                 SecretStore* secrets, std::string marker) {
  StageScript result{.script = FramedScript(fmt::format("{}, stage {} of {}", node, stage + 1,
                                                        planned.plan.stages),
                                            std::move(marker)),
                     .parts = {},
                     .steps = {}};
  const auto& all = planned.plan.nodes.at(node).steps;
  std::ranges::copy_if(all, std::back_inserter(result.steps),
                       [&](const Step& step) { return step.stage == stage; });
  const auto& steps = result.steps;

  for (std::size_t i = 0; i < steps.size();) {
    StageScript::Part part;
    std::string script, comment;
    auto deadline = steps[i].deadline;
    if (steps[i].batch.empty()) {
      const auto assignments = secret_assignments(planned, node, steps[i], secrets);
      if (!assignments) return fail(assignments.error());
      script = *assignments + steps[i].script;
      comment = fmt::format("{}: {}", steps[i].id, steps[i].why);
      part.steps.push_back(i);
    } else {
      std::vector<std::string> batch_words;
      for (std::size_t k = i; k < steps.size() && steps[k].batch == steps[i].batch; ++k) {
        batch_words.insert(batch_words.end(), steps[k].batch_words.begin(), steps[k].batch_words.end());
        comment += (k == i ? "" : "; ") + fmt::format("{}: {}", steps[k].id, steps[k].why);
        deadline = std::max(deadline, steps[k].deadline);
        part.steps.push_back(k);
      }
      script = steps[i].batch + " " + sh::join(batch_words);
    }
    result.script.add({.comment = comment,
                       .script = script,
                       .deadline = deadline,
                       .merge_stderr = true,
                       .must_succeed = true});
    i = part.steps.back() + 1;
    const auto group = part.steps;
    result.parts.push_back(std::move(part));

    for (const auto k : group) {
      const auto* wanted = wanted_of(planned, node, steps[k].id);
      if (wanted == nullptr) throw std::logic_error("no resource for step " + steps[k].id);
      const auto* kind = find_in_catalog<ResourceKind>(wanted->kind);
      result.script.add({.comment = "is it so now? " + steps[k].id,
                         .script = kind->probe(*wanted, planned.facts.at(node)),
                         .deadline = std::chrono::seconds(30),
                         .checkpoint = k == group.back()});
      result.parts.push_back({.is_probe = true, .steps = {k}});
    }
  }
  return result;
}

}  // namespace podwright
