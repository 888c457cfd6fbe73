#include "engine/stage_script.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/shell.hpp"
#include "catalog/boot_identity.hpp"
#include "engine/ledger.hpp"

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

/// Whether the node has to reboot once this step was done.
bool owes_a_reboot(const NodeWanted& wanted, const Step& step) {
  if (step.only_reboots()) return false;
  return step.reboots || std::ranges::any_of(wanted.resources, [&](const Wanted& one) {
           const auto on = one.kind == "reboot" ? one.list("on") : std::vector<std::string>{};
           return std::ranges::find(on, step.id) != on.end();
         });
}

/// sh that notes on the node that it owes a reboot: the head may be gone before it comes to that.
std::string note_owed_reboot(const std::vector<std::string>& steps) {
  return fmt::format("({} file={}; mkdir -p \"${{file%/*}}\"; for step in {}; do printf '%s %s\\n' "
                     "\"$(boot_identity)\" \"$step\"; done >>\"$file\")",
                     boot_identity_function, sh::quote(owed_reboots_file), sh::join(steps));
}

}  // namespace

std::vector<Step> steps_of(const Plan& plan, const NodeId& node, int stage) {
  std::vector<Step> steps;
  std::ranges::copy_if(plan.nodes.at(node).steps, std::back_inserter(steps),
                       [&](const Step& step) { return step.stage == stage; });
  return steps;
}

std::vector<StageScript::Part> parts_of(const std::vector<Step>& steps) {
  std::vector<StageScript::Part> parts;
  for (std::size_t i = 0; i < steps.size();) {
    StageScript::Part part{.is_probe = false, .steps = {i}};
    if (!steps[i].batch.empty()) {
      while (part.steps.back() + 1 < steps.size() && steps[part.steps.back() + 1].batch == steps[i].batch) {
        part.steps.push_back(part.steps.back() + 1);
      }
    }
    i = part.steps.back() + 1;
    parts.push_back(part);
    for (const auto k : part.steps) parts.push_back({.is_probe = true, .steps = {k}});
  }
  return parts;
}

Result<StageScript> stage_script(const Planned& planned, const NodeId& node, int stage,
                                 SecretStore* secrets, std::string marker, std::string_view run) {
  StageScript result{.script = FramedScript(fmt::format("{}, stage {} of {}", node, stage + 1,
                                                        planned.plan.stages),
                                            std::move(marker)),
                     .parts = {},
                     .steps = steps_of(planned.plan, node, stage)};
  const auto& steps = result.steps;
  result.parts = parts_of(steps);
  if (!steps.empty()) result.script.setup(ledger_setup());
  const auto record = [&](const std::vector<std::size_t>& group, const std::string& script) {
    if (steps[group.front()].only_reboots()) return script;  // nothing that stays
    std::vector<LedgerStep> recording;
    for (const auto k : group) {
      const auto* wanted = wanted_of(planned, node, steps[k].id);
      recording.push_back({steps[k], wanted == nullptr ? std::string{} : wanted->component});
    }
    return recorded(recording, run, script);
  };

  for (std::size_t p = 0; p < result.parts.size(); ++p) {
    const auto& part = result.parts[p];
    const auto& first = steps[part.steps.front()];
    if (part.is_probe) {
      const auto* wanted = wanted_of(planned, node, first.id);
      if (wanted == nullptr) throw std::logic_error("no resource for step " + first.id);
      const auto* kind = find_in_catalog<ResourceKind>(wanted->kind);
      const bool last = p + 1 == result.parts.size() || !result.parts[p + 1].is_probe;
      result.script.add({.comment = "is it so now? " + first.id,
                         .script = kind->probe(*wanted, planned.facts.at(node)),
                         .deadline = std::chrono::seconds(30),
                         .checkpoint = last});
      continue;
    }
    std::string script, comment;
    auto deadline = first.deadline;
    if (first.batch.empty()) {
      const auto assignments = secret_assignments(planned, node, first, secrets);
      if (!assignments) return fail(assignments.error());
      script = *assignments + first.script;
      comment = fmt::format("{}: {}", first.id, first.why);
    } else {
      std::vector<std::string> batch_words;
      for (const auto k : part.steps) {
        batch_words.insert(batch_words.end(), steps[k].batch_words.begin(), steps[k].batch_words.end());
        comment += (comment.empty() ? "" : "; ") + fmt::format("{}: {}", steps[k].id, steps[k].why);
        deadline = std::max(deadline, steps[k].deadline);
      }
      script = first.batch + " " + sh::join(batch_words);
    }
    std::vector<std::string> owing;
    for (const auto k : part.steps) {
      if (owes_a_reboot(planned.wanted.at(node), steps[k])) owing.push_back(steps[k].id);
    }
    result.script.add({.comment = comment,
                       .script = record(part.steps, script),
                       .deadline = deadline,
                       .merge_stderr = true,
                       .must_succeed = true,
                       .on_success = owing.empty() ? "" : note_owed_reboot(owing)});
  }
  return result;
}

}  // namespace podwright
