#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/help.hpp"

namespace podwright::cli {

namespace {

struct Options {
  std::vector<std::string> verbs;
  bool man = false;
};

Result<Outcome> run_help(const Options& options) {
  const auto commands = all_commands();
  if (options.man) {
    const auto page = man_page(commands);
    return Outcome{.document = {{"man", page}}, .text = page};
  }
  if (options.verbs.empty()) return Outcome{.document = overview_json(commands), .text = overview(commands)};
  const std::vector<Command>* level = &commands;
  const Command* found = nullptr;
  std::string path;
  for (const auto& word : options.verbs) {
    const auto place = std::ranges::find(*level, word, &Command::name);
    if (place == level->end()) {
      std::vector<std::string> names;
      for (const auto& command : *level) names.push_back(command.name);
      return fail(Fault::usage, fmt::format("unknown verb \"{}\"{}", word, did_you_mean(word, names)),
                  "`podwright --help` lists the verbs");
    }
    found = &*place;
    level = &found->commands;
    path += (path.empty() ? "" : " ") + word;
  }
  return Outcome{.document = help_json(*found, path), .text = help_text(*found, path)};
}

}  // namespace

Command help_command() {
  auto options = std::make_shared<Options>();
  return {.name = "help",
          .group = "This program",
          .summary = "help about a verb, or the man page",
          .details = "The same as VERB --help. --man prints the page podwright(1), for packages.",
          .options = {flag("--man", "the man page, in roff", options->man)},
          .positionals = {.usage = "[VERB…]", .help = "the verb", .least = 0, .most = 2, .into = &options->verbs},
          .examples = {{"podwright help plan", "about plan"}, {"podwright help --man | man -l -", "read the man page"}},
          .run = [options](App&) { return run_help(*options); }};
}

}  // namespace podwright::cli
