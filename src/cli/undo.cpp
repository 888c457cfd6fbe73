#include "engine/undo.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/fold.hpp"

namespace podwright::cli {

namespace {

struct UndoArguments {
  UndoOptions options;
  bool dry_run = false;
};

std::string_view status_of(const std::optional<Error>& error) {
  if (!error) return "ok";
  const bool lost = error->fault == Fault::unreachable || error->fault == Fault::auth;
  return lost ? "unreachable" : "failed";
}

/// `done` names the list: "restored", or "would_restore" of a dry run.
Json node_json(const NodeUndone& node, const char* done) {
  Json json = {{"status", status_of(node.error)}, {done, node.restored}, {"left", Json::array()}};
  for (const auto& left : node.left) {
    json["left"].push_back({{"id", left.id}, {"why", clean_output(left.why)}, {"hint", left.hint}});
  }
  json["error"] = node.error ? clean_output(node.error->what) : "";
  json["hint"] = node.error ? clean_output(node.error->hint) : "";
  return json;
}

/// What became, or would become, of one node. Every step is named where there are few.
std::string node_text(const NodeUndone& node, const char* verb) {
  constexpr std::size_t few = 6;
  std::string text;
  if (!node.restored.empty()) {
    text += fmt::format("{} {}", count_of(node.restored.size(), "step"), verb);
    text += node.restored.size() <= few ? ": " + join(node.restored, ", ") + "\n" : "\n";
  }
  for (const auto& left : node.left) {
    text += fmt::format("left: {}: {}\n", left.id, clean_output(left.why));
    if (!left.hint.empty()) text += fmt::format("      {}\n", left.hint);
  }
  if (text.empty() && !node.error) text = "nothing of ours\n";
  return text;
}

struct Counted {
  std::size_t restored = 0;
  std::size_t left = 0;
  std::size_t failed = 0;
};

Outcome outcome_of(App& app, const std::map<NodeId, NodeUndone>& nodes, bool dry_run) {
  const char* done = dry_run ? "would_restore" : "restored";
  Outcome outcome;
  outcome.document = {{"run", app.run_folder().id()}, {"nodes", Json::object()}};
  if (dry_run) outcome.document["dry_run"] = true;
  Counted sum;
  std::map<NodeId, std::string> texts;
  std::map<NodeId, Error> errors;
  for (const auto& [name, node] : nodes) {
    outcome.document["nodes"][name] = node_json(node, done);
    sum.restored += node.restored.size();
    sum.left += node.left.size();
    if (auto text = node_text(node, dry_run ? "would be taken back" : "taken back"); !text.empty()) {
      texts[name] = std::move(text);
    }
    if (node.error) {
      ++sum.failed;
      errors.emplace(name, *node.error);
    }
  }
  outcome.document["summary"] = {{"nodes", nodes.size()}, {done, sum.restored}, {"left", sum.left},
                                 {"failed", sum.failed}};
  outcome.text = folded_text(texts, app.width()) + folded_errors(errors, app.width()) +
                 fmt::format("\n{} {}, {} left\n", count_of(sum.restored, "step"),
                             dry_run ? "would be taken back" : "taken back", sum.left);
  if (sum.failed > 0) {
    outcome.exit_code = kNodesFailed;
    outcome.problems.push_back(
        fmt::format("{} of {} failed", sum.failed, count_of(nodes.size(), "node")));
    outcome.next = next_command(app, "undo");
  }
  app.save("undone.json", outcome.document);
  return outcome;
}

/// The plan in the shape of its result, for showing it.
std::map<NodeId, NodeUndone> foreseen(const UndoPlan& plan) {
  std::map<NodeId, NodeUndone> nodes;
  for (const auto& [name, error] : plan.failed) nodes[name].error = error;
  for (const auto& [name, work] : plan.nodes) {
    nodes[name] = {.restored = work.ids(), .left = work.left, .error = {}};
  }
  return nodes;
}

Status confirm_undo(App& app, const UndoPlan& plan) {
  std::size_t steps = 0;
  std::map<NodeId, std::string> texts;
  for (const auto& [name, node] : foreseen(plan)) {
    steps += node.restored.size();
    texts[name] = node.restored.empty() ? node_text(node, "to take back")
                                        : join(node.restored, "\n") + "\n" +
                                              node_text({.restored = {}, .left = node.left, .error = Error{}}, "");
  }
  if (app.asks()) app.tell(folded_text(texts, app.width()) + "\n");
  app.events().info(fmt::format("to take back: {} on {}", count_of(steps, "step"),
                                count_of(plan.nodes.size(), "node")));
  return app.confirm("Take this back?");
}

Result<Outcome> run_undo(App& app, const UndoArguments& arguments) {
  const auto opened = app.open(arguments.dry_run ? App::Access::reads : App::Access::changes);
  if (!opened) return fail(opened.error());
  auto& site = **opened;
  const auto plan = plan_undo(site, arguments.options);
  if (app.cancelled()) return fail(Fault::cancelled, "interrupted before anything was changed");
  if (arguments.dry_run) return outcome_of(app, foreseen(plan), true);
  const bool anything =
      std::ranges::any_of(plan.nodes, [](const auto& node) { return !node.second.take.empty(); });
  if (anything) {
    if (auto yes = confirm_undo(app, plan); !yes) return fail(yes.error());
  }
  return outcome_of(app, undo(site, plan), false);
}

}  // namespace

Command undo_command() {
  auto arguments = std::make_shared<UndoArguments>();
  return {
      .name = "undo",
      .group = "Decide and install",
      .summary = "takes back what the ledger says is ours",
      .details =
          "Every step of apply is written down on its node, in /var/lib/podwright/ledger, with what was there "
          "before: files with owner and mode, services, accounts, kernel parameters, the packages that a "
          "transaction brought. undo goes from the last step to the first, asks before it does (as apply "
          "does), and leaves a node with the files and packages that it had.\n\n"
          "What a person changed since is left and named, and so is a folder that holds something that is not "
          "ours, and a command for which the profile gives no undo. Entries that were left stay in the "
          "ledger. --force takes those back all the same: a change made by hand is lost then, and what has "
          "no way back is forgotten.\n\n"
          "An undo that was cut off is run again. What was left does not make it fail; exit code 3 means "
          "that a node was not reached, or that something could not be put back.",
      .options = {list_option("--component", "NAME", "only what this component of the profile brought; what another "
                              "one built upon is left", arguments->options.components),
                  flag("--dry-run", "show what would be taken back, and what would be left", arguments->dry_run),
                  flag("--force", "also what was changed since", arguments->options.force)},
      .examples = {{"podwright undo --dry-run", "what podwright changed here, and what of it can be taken back"},
                   {"podwright undo -n cu07", "leave cu07 as it was before the first apply"},
                   {"podwright undo --component monitoring/node-exporter", "only one part"}},
      .exits = {kNodesFailed},
      .run = [arguments](App& app) { return run_undo(app, *arguments); }};
}

}  // namespace podwright::cli
