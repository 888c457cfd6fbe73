#include "cli/help.hpp"
#include "base/json.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cli/globals.hpp"
#include "cli/style.hpp"
#include "cli/version.hpp"

namespace podwright::cli {

namespace {

std::string option_cell(const Option& option) {
  const auto names = split(option.names, ',');
  // Long names stand under each other, with or without a short one.
  std::string cell = names.front().starts_with("--") ? "    " : "";
  for (const auto name : names) cell += fmt::format("{}{}", cell.empty() || cell == "    " ? "" : ", ", name);
  return option.value.empty() ? cell : cell + " " + option.value;
}

std::string option_table(const std::vector<Option>& options) {
  // Long names of values would push all explanations aside: those options get a line of their own.
  constexpr std::size_t kColumn = 26;
  std::string text;
  for (const auto& option : options) {
    const auto cell = "  " + option_cell(option);
    const auto explained = paragraph(option.help + (option.repeats ? " (repeatable)" : ""), 80 - kColumn);
    if (cell.size() + 2 > kColumn) {
      text += cell + "\n" + indented(explained, kColumn);
    } else {
      auto block = indented(explained, kColumn);
      block.replace(0, cell.size(), cell);
      text += block;
    }
  }
  return text;
}

std::vector<ExitCode> exits_of(const Command& command) {
  std::vector<ExitCode> all = {kOk, kInternal, kUsage};
  all.insert(all.end(), command.exits.begin(), command.exits.end());
  std::ranges::sort(all);
  all.push_back(kCancelled);
  return all;
}

}  // namespace

std::string overview(const std::vector<Command>& commands) {
  std::string text =
      "podwright: racks of powered-on Linux machines in, a cluster proven ready to train out\n\n"
      "Usage: podwright [OPTIONS] VERB [ARGUMENTS]\n";
  std::string group;
  for (const auto& command : commands) {
    if (command.group != group) text += "\n" + command.group + "\n";
    group = command.group;
    text += fmt::format("  {:<12} {}\n", command.name, command.summary);
  }
  Globals globals;
  text += "\nOptions of every verb, before or after it\n" + option_table(global_options(globals));
  text +=
      "\nExamples:\n"
      "  podwright init 10.0.0.1 10.0.0.2    begin: write cluster.toml\n"
      "  podwright discover 10.0.0.0/24      or find the machines\n"
      "  podwright up                        everything, from bare nodes to the report\n"
      "\n`podwright VERB --help` explains a verb. Results go to stdout, everything else to stderr.\n";
  return text;
}

Json overview_json(const std::vector<Command>& commands) {
  Json verbs = Json::array();
  for (const auto& command : commands) {
    verbs.push_back({{"name", command.name}, {"group", command.group}, {"summary", command.summary}});
  }
  return {{"version", version_text()}, {"verbs", verbs}};
}

std::string help_text(const Command& command, const std::string& path) {
  std::string text = fmt::format("podwright {}: {}\n\n", path, command.summary);
  const bool has_verbs = !command.commands.empty();
  text += fmt::format("Usage: podwright {} [OPTIONS]{}{}\n", path,
                      has_verbs ? " VERB" : command.positionals.usage.empty() ? "" : " ",
                      has_verbs ? "" : command.positionals.usage);
  if (!command.details.empty()) text += "\n" + paragraph(command.details);
  if (has_verbs) {
    text += "\nVerbs:\n";
    for (const auto& sub : command.commands) text += fmt::format("  {:<12} {}\n", sub.name, sub.summary);
  }
  if (!command.positionals.help.empty()) {
    text += "\nArguments:\n" + paragraph(command.positionals.usage + "  " + command.positionals.help, 78, 2);
  }
  if (!command.options.empty()) text += "\nOptions:\n" + option_table(command.options);
  Globals globals;
  text += "\nOptions of every verb:\n" + option_table(global_options(globals));
  text += "\nExamples:\n";
  auto examples = command.examples;
  for (const auto& sub : command.commands) {
    examples.insert(examples.end(), sub.examples.begin(), sub.examples.end());
  }
  for (const auto& example : examples) {
    text += fmt::format("  {}\n{}", example.command, paragraph(example.says, 74, 6));
  }
  text += "\nExit codes:\n";
  for (const auto code : exits_of(command)) text += fmt::format("  {:>3}  {}\n", int{code}, meaning(code));
  return text;
}

Json help_json(const Command& command, const std::string& path) {
  Json options = Json::array();
  for (const auto& option : command.options) {
    options.push_back({{"names", option.names}, {"value", option.value}, {"help", option.help}});
  }
  Json examples = Json::array();
  for (const auto& example : command.examples) {
    examples.push_back({{"command", example.command}, {"says", example.says}});
  }
  Json verbs = Json::array();
  for (const auto& sub : command.commands) verbs.push_back({{"name", sub.name}, {"summary", sub.summary}});
  return {{"verb", path},        {"summary", command.summary},
          {"details", command.details}, {"arguments", command.positionals.usage},
          {"options", options},  {"verbs", verbs},
          {"examples", examples}};
}

}  // namespace podwright::cli
