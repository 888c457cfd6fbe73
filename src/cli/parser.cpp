#include "cli/parser.hpp"

#include <CLI/App.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Config.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace podwright::cli {

namespace {

std::vector<std::string> names_of(const std::vector<Command>& commands) {
  std::vector<std::string> names;
  for (const auto& command : commands) names.push_back(command.name);
  return names;
}

bool is_option(std::string_view word) { return word.size() > 1 && word.front() == '-'; }

const Option* find_option(const std::vector<Option>& options, std::string_view name) {
  const auto found = std::ranges::find_if(options, [&](const Option& option) {
    const auto names = split(option.names, ',');
    return std::ranges::find(names, name) != names.end();
  });
  return found == options.end() ? nullptr : &*found;
}

/// Whether this word of the command line takes the next one as its value: "--nodes", "-c", not
/// "--nodes=x", "-cfile" or "-v".
bool takes_next(const std::vector<Option>& options, std::string_view word) {
  if (word.find('=') != std::string_view::npos) return false;
  if (word.starts_with("--")) {
    const auto* option = find_option(options, word);
    return option != nullptr && !option->value.empty();
  }
  // A cluster of short ones: the first that takes a value takes the rest, or the next word.
  for (std::size_t i = 1; i < word.size(); ++i) {
    const auto* option = find_option(options, "-" + std::string(1, word[i]));
    if (option == nullptr) return false;
    if (!option->value.empty()) return i + 1 == word.size();
  }
  return false;
}

tl::unexpected<Error> unknown_option(std::string_view word, const std::vector<Option>& options,
                                     const std::string& path) {
  std::vector<std::string> known;
  for (const auto& option : options) {
    for (const auto name : split(option.names, ',')) known.emplace_back(name);
  }
  const auto name = word.substr(0, word.find('='));
  const auto help = path.empty() ? std::string("podwright --help") : "podwright " + path + " --help";
  return fail(Fault::usage,
              fmt::format("unknown option \"{}\"{}", name, did_you_mean(name, known)),
              fmt::format("`{}` lists the options", help));
}

tl::unexpected<Error> unknown_verb(const std::string& word, const std::vector<Command>& commands,
                                   const std::string& path) {
  return fail(Fault::usage,
              fmt::format("unknown verb \"{}{}{}\"{}", path, path.empty() ? "" : " ", word,
                          did_you_mean(word, names_of(commands))),
              fmt::format("`podwright{}{} --help` lists the verbs", path.empty() ? "" : " ", path));
}

struct Split {
  Parsed parsed;
  std::vector<std::string> words;  ///< the command line without the verb
  std::vector<std::string> rest;   ///< behind "--"
  bool help = false;
};

/// Takes the verb out of the command line. The library knows subcommands too, but mistakes a word that
/// is a verb's name for one wherever it stands ("init report", "help plan").
Result<Split> find_verb(const std::vector<std::string>& arguments, const std::vector<Command>& commands,
                        const std::vector<Option>& global) {
  Split split;
  const std::vector<Command>* level = &commands;
  std::vector<Option> known = global;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& word = arguments[i];
    if (word == "--") {
      split.rest.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
      break;
    }
    if (is_option(word)) {
      split.words.push_back(word);
      split.help = split.help || word == "--help" || word == "-h";
      if (takes_next(known, word)) {
        if (i + 1 < arguments.size()) split.words.push_back(arguments[++i]);
      } else if (level == &commands && find_option(known, word.substr(0, word.find('='))) == nullptr &&
                 word.starts_with("--")) {
        return unknown_option(word, known, {});
      }
      continue;
    }
    if (level == nullptr && split.parsed.command->positionals.verbatim) {
      split.rest.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
      break;
    }
    if (level == nullptr) {
      split.words.push_back(word);
      continue;
    }
    const auto found = std::ranges::find(*level, word, &Command::name);
    if (found == level->end()) return unknown_verb(word, *level, split.parsed.path);
    split.parsed.command = &*found;
    split.parsed.path += (split.parsed.path.empty() ? "" : " ") + word;
    level = found->commands.empty() ? nullptr : &found->commands;
    known.insert(known.end(), found->options.begin(), found->options.end());
  }
  return split;
}

Status take_positionals(const Command& command, const std::string& path,
                        std::vector<std::string> words) {
  const auto& wanted = command.positionals;
  const auto usage = fmt::format("usage: podwright {}{}{}", path, wanted.usage.empty() ? "" : " ", wanted.usage);
  if (words.size() > wanted.most) {
    return fail(Fault::usage, fmt::format("unexpected \"{}\"", words[wanted.most]), usage);
  }
  if (words.size() < wanted.least) {
    return fail(Fault::usage, fmt::format("{} is missing", wanted.usage), usage);
  }
  if (!wanted.choices.empty()) {
    for (const auto& word : words) {
      if (std::ranges::find(wanted.choices, word) != wanted.choices.end()) continue;
      return fail(Fault::usage,
                  fmt::format("unknown {} \"{}\"{}", wanted.usage, word, did_you_mean(word, wanted.choices)),
                  fmt::format("it is one of {}", human_list(wanted.choices, 20)));
    }
  }
  if (wanted.into != nullptr) *wanted.into = std::move(words);
  return {};
}

}  // namespace

Result<Parsed> parse(const std::vector<std::string>& arguments, const std::vector<Command>& commands,
                     Globals& globals) {
  const auto global = global_options(globals);
  auto found = find_verb(arguments, commands, global);
  if (!found) return fail(found.error());
  const auto& [parsed, words, rest, help] = *found;
  if (help) {
    globals.help = true;
    globals.output = output_of(arguments);
    return parsed;
  }

  std::vector<Option> options = parsed.command == nullptr ? std::vector<Option>{} : parsed.command->options;
  options.insert(options.end(), global.begin(), global.end());

  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  Status problem{};
  for (const auto& option : options) {
    // A value that is refused must not hide behind a later one: all are taken, in order.
    const auto take = [&problem, &option](const std::vector<std::string>& values) {
      for (const auto& value : values) {
        if (problem) problem = option.take(value);
      }
      return true;
    };
    auto* added = app.add_option(option.names, take, option.help);
    if (option.value.empty()) {
      added->expected(0)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    } else {
      added->type_name(option.value)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      added->type_size(1)->allow_extra_args(false);
    }
  }

  std::vector<std::string> reversed(words.rbegin(), words.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ArgumentMismatch& mismatch) {
    // "--nodes: 1 required NODESET missing"
    std::string_view what = mismatch.what();
    const auto name = what.substr(0, what.find(':'));
    const auto* option = find_option(options, name);
    return fail(Fault::usage,
                option == nullptr ? std::string(what)
                                  : fmt::format("{} needs a {}", name, option->value.empty() ? "value" : option->value),
                fmt::format("`podwright{}{} --help` shows what it takes", parsed.path.empty() ? "" : " ",
                            parsed.path));
  } catch (const CLI::ParseError& error) {
    return fail(Fault::usage, error.what(), "`podwright --help` shows the usage");
  }
  std::vector<std::string> positionals;
  for (const auto& word : app.remaining()) {
    if (is_option(word)) return unknown_option(word, options, parsed.path);
    positionals.push_back(word);
  }
  if (!problem) return fail(problem.error());

  if (parsed.command == nullptr) return parsed;
  if (parsed.command->run == nullptr) {
    return fail(Fault::usage, fmt::format("{} what?", parsed.path),
                fmt::format("one of {}; `podwright {} --help` explains them",
                            human_list(names_of(parsed.command->commands)), parsed.path));
  }
  positionals.insert(positionals.end(), rest.begin(), rest.end());
  if (auto taken = take_positionals(*parsed.command, parsed.path, std::move(positionals)); !taken) {
    return fail(taken.error());
  }
  return parsed;
}

}  // namespace podwright::cli
