#include <fmt/format.h>

#include <memory>

#include "base/shell.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/fold.hpp"
#include "engine/fan_out.hpp"

namespace podwright::cli {

namespace {

struct ExecOptions {
  std::vector<std::string> words;
  bool no_become = false;
};

std::string_view status_of(const Result<Reply>& reply) {
  if (reply) return reply->exit_status == 0 ? "ok" : "failed";
  return reply.error().fault == Fault::timeout ? "timeout"
         : reply.error().fault == Fault::remote || reply.error().fault == Fault::cancelled ? "failed"
                                                                                           : "unreachable";
}

Json node_json(const Result<Reply>& reply) {
  Json json = {{"status", status_of(reply)}};
  json["exit"] = reply ? Json(reply->exit_status) : Json(nullptr);
  json["stdout"] = reply ? clean_output(reply->out) : "";
  json["stderr"] = reply ? clean_output(reply->err) : "";
  if (reply && reply->dropped_bytes > 0) json["dropped_bytes"] = reply->dropped_bytes;
  if (!reply) {
    json["error"] = clean_output(reply.error().what);
    json["hint"] = clean_output(reply.error().hint);
  }
  return json;
}

/// What one node printed, as a person wants to read it.
std::string node_text(const Reply& reply) {
  std::string text = clean_output(reply.out);
  const auto complaints = clean_output(reply.err);
  if (reply.exit_status != 0) text += fmt::format("{}[exit status {}]\n", text.empty() || text.ends_with('\n') ? "" : "\n", reply.exit_status);
  if (!trim(complaints).empty()) {
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
    for (const auto line : lines(complaints)) text += fmt::format("stderr: {}\n", line);
  }
  if (reply.dropped_bytes > 0) text += fmt::format("[{} more not shown]\n", human_bytes(reply.dropped_bytes));
  return text;
}

Result<Outcome> run_exec(App& app, const ExecOptions& options) {
  // One word is a command line, as ssh has it; several are words, and stay what they are.
  const auto command = options.words.size() == 1 ? options.words.front() : sh::join(options.words);
  const auto opened = app.open(App::Access::reads, App::Sessions::closed);
  if (!opened) return fail(opened.error());
  auto& site = **opened;
  const auto deadline = app.globals().timeout.value_or(Millis(300000));
  const auto replies = run_everywhere(site, command, "exec", deadline, !options.no_become);

  Outcome outcome;
  outcome.document = {{"command", command}, {"nodes", Json::object()}};
  std::map<NodeId, std::string> texts;
  std::map<NodeId, Error> errors;
  std::vector<NodeId> failed;
  for (const auto& node : site.nodes) {
    const auto& reply = replies.at(node);
    outcome.document["nodes"][node] = node_json(reply);
    if (reply) texts[node] = node_text(*reply);
    else errors.emplace(node, reply.error());
    if (!reply || reply->exit_status != 0) failed.push_back(node);
  }
  outcome.text = folded_text(texts, app.width()) + folded_errors(errors, app.width());
  if (!failed.empty()) {
    outcome.exit_code = kNodesFailed;
    outcome.problems.push_back(fmt::format("{} of {} failed: {}", failed.size(),
                                           count_of(site.nodes.size(), "node"), who(failed)));
    outcome.next = next_command(
        app, errors.empty() ? "exec -n NODESET -- CMD" : "doctor -n " + errors.begin()->first);
  }
  return outcome;
}

}  // namespace

Command exec_command() {
  auto options = std::make_shared<ExecOptions>();
  return {
      .name = "exec",
      .group = "Look",
      .summary = "run a command on the nodes; identical outputs are folded together",
      .details =
          "Runs the command on every selected node at the same time, as root where cluster.toml says "
          "become = \"sudo\". One word is a shell command line: exec -- 'dmesg | tail'. Several words "
          "are one command with its arguments, passed on exactly as they are. Options of podwright stand "
          "before the command. Nodes that printed the same are named together, the most frequent answer "
          "first.",
      .options = {flag("--no-become", "as the login user, even where sudo is set", options->no_become)},
      .positionals = {.usage = "-- CMD…", .help = "the command", .least = 1, .most = kAny, .into = &options->words,
                      .verbatim = true},
      .examples = {{"podwright exec -- uname -r", "the kernel of every node"},
                   {"podwright exec -n @role:compute --timeout 10s -- 'df -h / | tail -1'",
                    "a shell command line, on the compute nodes"}},
      .exits = {kNodesFailed},
      .run = [options](App& app) { return run_exec(app, *options); }};
}

}  // namespace podwright::cli
