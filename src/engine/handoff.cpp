#include "engine/handoff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/files.hpp"
#include "base/text.hpp"
#include "catalog/registry.hpp"
#include "engine/apply.hpp"
#include "engine/fan_out.hpp"

namespace podwright {

namespace {

/// What a target consists of, and whether all of it is in place on every node.
HandoffTarget judge_target(const Handoff& target, const Planned& planned, const Applied& applied) {
  HandoffTarget result{.name = std::string(target.name), .status = "ok", .files = {}, .error = {}};
  for (const auto& [node, wanted] : planned.wanted) {
    for (const auto& one : wanted.resources) {
      if (one.component != target.component) continue;
      if (one.kind == "file" || one.kind == "hosts") {
        const auto file = one.kind == "hosts" ? std::string("/etc/hosts") : one.name;
        if (std::ranges::find(result.files, file) == result.files.end()) result.files.push_back(file);
      }
      const auto& outcome = applied.nodes.at(node);
      if (outcome.status != NodeStatus::ok && result.error.empty()) {
        result.status = "failed";
        result.error = fmt::format("{}: {}{}", node,
                                   outcome.failed_step.empty() ? "" : outcome.failed_step + ": ",
                                   outcome.error);
      }
    }
  }
  return result;
}

/// A cluster with fewer good nodes than its quorum is not handed over, however well the rest works.
std::optional<std::string> too_few(const Applied& applied, double quorum) {
  std::vector<std::string> bad;
  for (const auto& [node, outcome] : applied.nodes) {
    if (outcome.status != NodeStatus::ok) bad.push_back(node);
  }
  const auto total = applied.nodes.size();
  if (static_cast<double>(total - bad.size()) >= quorum * static_cast<double>(total)) return std::nullopt;
  return fmt::format("{} of {} nodes are good, and the quorum is {:.0f} %; not {}", total - bad.size(),
                     total, quorum * 100, human_list(bad));
}

/// The rendered files, beside the report, for whoever takes the cluster over.
Status keep_files(const Planned& planned, const std::vector<std::string>& components,
                  const RunFolder& run) {
  for (const auto& [node, wanted] : planned.wanted) {
    for (const auto& one : wanted.resources) {
      if (one.kind != "file" || !one.has("content")) continue;
      if (std::ranges::find(components, one.component) == components.end()) continue;
      auto name = one.name;
      std::ranges::replace(name, '/', '_');
      if (auto saved = write_file(run.file("handoff") / node / name.substr(name.starts_with('_')),
                                  one.text("content"), 0600);
          !saved) {
        return saved;
      }
    }
  }
  return {};
}

ProofResult prove(Site& site, const Handoff& target, const HandoffContext& context) {
  ProofResult failed;
  failed.name = target.name;
  const auto heads = context.inventory.with_role("head");
  const Node* head = heads.empty() ? nullptr : heads.front();
  if (head == nullptr) {
    failed.summary = "no node has the role head, where the proof would start";
    return failed;
  }
  FramedScript script(fmt::format("proof of {}", target.name));
  script.add({.comment = std::string(target.summary),
              .script = target.proof(context),
              .deadline = target.deadline});
  std::vector<FramedJob> jobs{{head->name, std::move(script)}};
  const auto results = run_framed(site, jobs, fmt::format("proof {}", target.name));
  const auto& result = results.at(head->name);
  if (result.error) {
    failed.summary = result.error->message();
    return failed;
  }
  const auto frame = result.frames.find(0);
  if (frame == result.frames.end()) {
    failed.summary = "the proof ended without a result";
    failed.output = result.unfinished_output;
    return failed;
  }
  auto judged = target.judge(frame->second, context);
  if (frame->second.timed_out) {
    judged.pass = false;
    judged.summary = fmt::format("the proof did not end within {} s: {}", target.deadline.count(), judged.summary);
  }
  return judged;
}

}  // namespace

Result<HandoffReport> hand_off(Site& site, const Profile& profile, SecretStore& secrets,
                               const RunFolder& run) {
  if (profile.handoff_targets.empty()) {
    return fail(Fault::usage, fmt::format("profile {} names no hand-off target", profile.name),
                "add [handoff] targets = [\"hosts\", \"mpi\", \"slurm\"] to the profile");
  }
  std::vector<const Handoff*> targets;
  std::vector<std::string> components;
  for (const auto& name : profile.handoff_targets) {
    const auto* target = find_in_catalog<Handoff>(name);
    if (target == nullptr) {
      return fail(Fault::usage, fmt::format("there is no hand-off target \"{}\"{}", name,
                                            did_you_mean(name, names_in_catalog<Handoff>())));
    }
    targets.push_back(target);
    if (!target->component.empty()) components.emplace_back(target->component);
  }

  const auto planned = plan_cluster(site, profile, secrets, components);
  if (!planned) return fail(planned.error());
  const auto applied = apply_plan(site, *planned, secrets, run, {.document = "handoff-applied.json"});
  if (site.stop.stop_requested()) return fail(Fault::cancelled, "interrupted during the hand-off");
  if (auto kept = keep_files(*planned, components, run); !kept) return fail(kept.error());

  HandoffReport report;
  const auto missing = too_few(applied, site.inventory.quorum);
  const HandoffContext context{site.inventory, profile, planned->facts};
  for (const auto* target : targets) {
    auto judged = judge_target(*target, *planned, applied);
    if (missing && judged.error.empty()) {
      judged.status = "failed";
      judged.error = *missing;
    }
    report.targets.push_back(std::move(judged));
    if (target->proof == nullptr) continue;
    report.proofs.push_back(prove(site, *target, context));
    if (site.stop.stop_requested()) return fail(Fault::cancelled, "interrupted during a proof");
  }
  return report;
}

}  // namespace podwright
