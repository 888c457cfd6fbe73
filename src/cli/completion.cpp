#include <memory>

#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/help.hpp"
#include "config/config.hpp"

namespace podwright::cli {

namespace {

const std::vector<std::string> kShells = {"bash", "zsh", "fish"};

struct Options {
  std::vector<std::string> shells;
  std::string values;
};

/// What a completion script asks for while somebody types.
std::vector<std::string> values_of(App& app, const std::string& what) {
  if (what == "profiles") return list_profiles();
  const auto inventory = app.inventory();
  if (!inventory) return {};
  if (what == "runs") return RunFolder::list((*inventory)->state_dir);
  auto names = (*inventory)->names();
  std::vector<std::string> roles;
  for (const auto& node : (*inventory)->nodes) {
    for (const auto& role : node.roles) {
      if (std::ranges::find(roles, "@role:" + role) == roles.end()) roles.push_back("@role:" + role);
    }
  }
  names.insert(names.end(), roles.begin(), roles.end());
  return names;
}

Result<Outcome> run_completion(App& app, const Options& options) {
  if (!options.values.empty()) {
    const auto values = values_of(app, options.values);
    return Outcome{.document = {{"values", values}}, .text = values.empty() ? "" : join(values, "\n") + "\n"};
  }
  if (options.shells.empty()) return fail(Fault::usage, "SHELL is missing", "it is one of bash, zsh and fish");
  const auto script = completion_script(options.shells.front(), all_commands());
  return Outcome{.document = {{"shell", options.shells.front()}, {"script", script}}, .text = script};
}

}  // namespace

Command completion_command() {
  auto options = std::make_shared<Options>();
  return {.name = "completion",
          .group = "This program",
          .summary = "the completion script of bash, zsh or fish",
          .details = "Prints a script that completes verbs, options, node names, profiles and runs. Packages install "
                     "it; else put it where your shell looks.",
          .options = {choice_option("--values", "print the values that may stand there (for the scripts)",
                                    {"nodes", "profiles", "runs"}, options->values)},
          .positionals = {.usage = "SHELL", .help = "bash, zsh or fish", .least = 0, .most = 1, .into = &options->shells,
                          .completes = Completes::choices, .choices = kShells},
          .examples = {{"podwright completion bash > ~/.local/share/bash-completion/completions/podwright", "for bash"},
                       {"podwright completion zsh > \"${fpath[1]}/_podwright\"", "for zsh"},
                       {"podwright completion fish > ~/.config/fish/completions/podwright.fish", "for fish"}},
          .run = [options](App& app) { return run_completion(app, *options); }};
}

}  // namespace podwright::cli
