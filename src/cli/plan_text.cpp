#include "cli/plan_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "cli/fold.hpp"

namespace podwright::cli {

namespace {

constexpr std::size_t kMostDiffLines = 30;

/// What makes two nodes' plans the same to a reader; their diffs may name the nodes themselves.
std::string key_of(const NodePlan& plan) {
  std::string key;
  for (const auto& warning : plan.warnings) key += warning + "\n";
  for (const auto& step : plan.steps) {
    key += fmt::format("{}\x1f{}\x1f{}\x1f{}\x1f{}\n", step.id, step.action, step.why, step.reboots, step.stage);
  }
  return key;
}

std::string diff_text(const std::string& diff, const PlanTextOptions& options) {
  const auto clean = clean_output(diff);
  const auto all = lines(clean);
  const std::size_t shown = options.verbose ? all.size() : std::min(all.size(), kMostDiffLines);
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    const auto line = std::string(all[i]);
    text += "        " + (line.starts_with('+')   ? options.style.good(line)
                          : line.starts_with('-') ? options.style.bad(line)
                                                  : options.style.dim(line)) + "\n";
  }
  if (shown < all.size()) text += fmt::format("        ... {} more lines; -v shows all\n", all.size() - shown);
  return text;
}

std::string steps_text(const Plan& plan, const std::vector<NodeId>& nodes, const PlanTextOptions& options) {
  const auto& steps = plan.nodes.at(nodes.front()).steps;
  std::size_t action_width = 0;
  for (const auto& step : steps) action_width = std::max(action_width, step.action.size());
  std::string text;
  int stage = -1;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& step = steps[i];
    if (plan.stages > 1 && step.stage != stage) {
      text += options.style.dim(fmt::format("  stage {} of {}", step.stage + 1, plan.stages)) + "\n";
    }
    stage = step.stage;
    const auto head = fmt::format("    {:<{}}  {}", step.action, action_width, step.id);
    const auto why = step.why + (step.reboots ? " [reboots]" : "");
    if (head.size() + 2 + why.size() <= options.width) {
      text += fmt::format("{}  {}\n", head, options.style.dim(why));
    } else {
      text += head + "\n" + paragraph(why, options.width, 8);
    }
    if (!options.diffs || step.diff.empty()) continue;
    text += diff_text(step.diff, options);
    const auto same = [&](const NodeId& node) { return plan.nodes.at(node).steps[i].diff == step.diff; };
    if (!std::ranges::all_of(nodes, same)) {
      text += options.style.dim(fmt::format("        (of {}; the others differ in details)", nodes.front())) + "\n";
    }
  }
  return text;
}

/// How many resources of these nodes need nothing.
std::string as_wanted(const Plan& plan, const std::vector<NodeId>& nodes) {
  std::size_t from = plan.nodes.at(nodes.front()).satisfied, to = from;
  for (const auto& node : nodes) {
    from = std::min(from, plan.nodes.at(node).satisfied);
    to = std::max(to, plan.nodes.at(node).satisfied);
  }
  return from == to ? fmt::format("    {} as wanted already", count_of(from, "resource"))
                    : fmt::format("    {} to {} as wanted already", from, count_of(to, "resource"));
}

}  // namespace

std::string plan_summary(const Plan& plan) {
  const auto steps = plan.step_count();
  if (steps == 0) return "nothing to do";
  const auto nodes = std::ranges::count_if(plan.nodes, [](const auto& n) { return !n.second.steps.empty(); });
  auto text = fmt::format("{} on {}", count_of(steps, "step"), count_of(static_cast<std::size_t>(nodes), "node"));
  if (plan.stages > 1) text += fmt::format(", in {} stages", plan.stages);
  const auto reboots = plan.reboot_count();
  text += reboots == 0 ? ", no reboot" : ", " + count_of(reboots, "reboot");
  return text;
}

std::string plan_text(const Plan& plan, const PlanTextOptions& options) {
  std::map<NodeId, std::string> keys;
  std::vector<NodeId> settled;
  for (const auto& [node, one] : plan.nodes) {
    if (one.steps.empty()) settled.push_back(node);
    else keys[node] = key_of(one);
  }
  std::string text;
  for (const auto& group : fold(keys)) {
    const auto steps = plan.nodes.at(group.nodes.front()).steps.size();
    text += options.style.bold(fmt::format("{}: {}{}", who(group.nodes), count_of(steps, "step"),
                                           group.nodes.size() > 1 ? " each" : "")) + "\n";
    for (const auto& warning : plan.nodes.at(group.nodes.front()).warnings) {
      text += paragraph("warning: " + clean_output(warning), options.width, 2);
    }
    text += steps_text(plan, group.nodes, options);
    if (options.verbose) text += options.style.dim(as_wanted(plan, group.nodes)) + "\n";
  }
  if (!settled.empty()) {
    text += fmt::format("{}: as the profile wants\n", who(settled));
    if (options.verbose) text += options.style.dim(as_wanted(plan, settled)) + "\n";
  }
  if (!plan.failed.empty()) {
    text += options.style.bad("not planned") + "\n" + indented(folded_errors(plan.failed, options.width - 2), 2);
  }
  text += fmt::format("{}{}\n", text.empty() ? "" : "\n", plan_summary(plan));
  return text;
}

std::string applied_text(const Applied& applied, const Style& style, std::size_t width) {
  std::map<NodeStatus, std::vector<NodeId>> by_status;
  std::map<NodeId, std::string> reasons;
  std::size_t changed = 0;
  for (const auto& [name, node] : applied.nodes) {
    by_status[node.status].push_back(name);
    changed += node.changed.size();
    if (node.status == NodeStatus::ok) continue;
    reasons[name] = fmt::format("{}{}: {}{}", to_string(node.status),
                                node.failed_step.empty() ? "" : " at " + node.failed_step,
                                node.error.empty() ? "no reason given" : clean_output(node.error),
                                node.hint.empty() ? "" : "\n" + clean_output(node.hint));
  }
  std::string text;
  for (const auto& [status, nodes] : by_status) {
    const auto line = fmt::format("{}: {}", to_string(status), who(nodes));
    text += (status == NodeStatus::ok ? style.good(line) : style.bad(line)) + "\n";
  }
  for (const auto& group : fold_alike(reasons)) {
    text += "\n" + style.bold(who(group.nodes)) + "\n";
    for (const auto line : lines(group.text)) text += paragraph(line, width, 2);
  }
  if (applied.nodes.empty()) return "no node was changed\n";
  text += fmt::format("\n{} done\n", count_of(changed, "step"));
  return text;
}

}  // namespace podwright::cli
