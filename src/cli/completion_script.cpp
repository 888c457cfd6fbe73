#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cli/globals.hpp"
#include "cli/help.hpp"

namespace podwright::cli {

namespace {

/// A verb by its path, and what may follow it.
struct Leaf {
  std::string path;
  const Command* command;
};

std::vector<Leaf> leaves(const std::vector<Command>& commands, const std::string& before = {}) {
  std::vector<Leaf> all;
  for (const auto& command : commands) {
    const auto path = before.empty() ? command.name : before + " " + command.name;
    all.push_back({path, &command});
    const auto below = leaves(command.commands, path);
    all.insert(all.end(), below.begin(), below.end());
  }
  return all;
}

std::vector<std::string> option_names(const std::vector<Option>& options) {
  std::vector<std::string> names;
  for (const auto& option : options) {
    for (const auto name : split(option.names, ',')) names.emplace_back(name);
  }
  return names;
}

std::vector<std::string> verb_names(const std::vector<Command>& commands) {
  std::vector<std::string> names;
  for (const auto& command : commands) names.push_back(command.name);
  return names;
}

/// What bash runs to fill COMPREPLY for a value.
std::string bash_values(Completes completes, const std::vector<std::string>& choices) {
  switch (completes) {
    case Completes::nothing: return "return";
    case Completes::file: return "compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")); return";
    case Completes::folder: return "compopt -o filenames; COMPREPLY=($(compgen -d -- \"$cur\")); return";
    case Completes::node_set: return "COMPREPLY=($(compgen -W \"$(_podwright_values nodes)\" -- \"$cur\")); return";
    case Completes::profile:
      return "COMPREPLY=($(compgen -W \"$(_podwright_values profiles)\" -- \"$cur\") $(compgen -f -X '!*.toml' -- \"$cur\")); return";
    case Completes::run: return "COMPREPLY=($(compgen -W \"$(_podwright_values runs)\" -- \"$cur\")); return";
    case Completes::choices:
      return fmt::format("COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")); return", join(choices, " "));
  }
  return "return";
}

std::string bash_value_cases(const std::vector<Option>& options) {
  std::string text;
  for (const auto& option : options) {
    if (option.value.empty()) continue;
    std::vector<std::string> names;
    for (const auto name : split(option.names, ',')) names.emplace_back(name);
    text += fmt::format("        {}) {};;\n", join(names, "|"), bash_values(option.completes, option.choices));
  }
  return text;
}

std::string bash(const std::vector<Command>& commands) {
  Globals globals;
  const auto global = global_options(globals);
  std::string with_value;
  for (const auto& option : global) {
    if (option.value.empty()) continue;
    for (const auto name : split(option.names, ',')) with_value += (with_value.empty() ? "" : "|") + std::string(name);
  }
  std::string text =
      "# bash completion of podwright; made by `podwright completion bash`\n"
      "_podwright_values() {\n"
      "    local file=() i\n"
      "    for ((i = 1; i < ${#COMP_WORDS[@]} - 1; i++)); do\n"
      "        case ${COMP_WORDS[i]} in -c|--cluster) file=(-c \"${COMP_WORDS[i+1]}\");; esac\n"
      "    done\n"
      "    podwright \"${file[@]}\" completion --values \"$1\" 2>/dev/null\n"
      "}\n"
      "_podwright() {\n"
      "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= word i\n"
      "    COMPREPLY=()\n"
      "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "        word=${COMP_WORDS[i]}\n"
      "        case $word in\n";
  text += fmt::format("            {}) ((i++)); continue;;\n", with_value);
  text +=
      "            -*) continue;;\n"
      "        esac\n"
      "        verb=\"${verb:+$verb }$word\"\n"
      "    done\n"
      "    case $prev in\n" +
      bash_value_cases(global) + "    esac\n    case $verb in\n";
  // The longest paths first: "profile show" before "profile".
  auto all = leaves(commands);
  std::ranges::stable_sort(all, std::ranges::greater{}, [](const Leaf& leaf) { return split(leaf.path, ' ').size(); });
  for (const auto& [path, command] : all) {
    text += fmt::format("    \"{}\"|\"{} \"*)\n", path, path);
    if (const auto cases = bash_value_cases(command->options); !cases.empty()) {
      text += "        case $prev in\n" + cases + "        esac\n";
    }
    auto names = option_names(command->options);
    const auto global_names = option_names(global);
    names.insert(names.end(), global_names.begin(), global_names.end());
    text += fmt::format("        if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")); return; fi\n", join(names, " "));
    if (!command->commands.empty()) {
      text += fmt::format("        COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))\n", join(verb_names(command->commands), " "));
    } else {
      text += "        " + bash_values(command->positionals.completes, command->positionals.choices) + "\n";
    }
    text += "        ;;\n";
  }
  text += fmt::format(
      "    *)\n"
      "        if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")); return; fi\n"
      "        COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))\n"
      "        ;;\n"
      "    esac\n"
      "}}\n"
      "complete -F _podwright podwright\n",
      join(option_names(global), " "), join(verb_names(commands), " "));
  return text;
}

std::string zsh_quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') out += "'\\''";
    else if (c == '[' || c == ']' || c == ':' || c == '\\') out += std::string("\\") + c;
    else out += c;
  }
  return out;
}

std::string zsh_values(Completes completes, const std::vector<std::string>& choices) {
  switch (completes) {
    case Completes::nothing: return "";
    case Completes::file: return "_files";
    case Completes::folder: return "_files -/";
    case Completes::node_set: return "_podwright_values nodes";
    case Completes::profile: return "_podwright_values profiles";
    case Completes::run: return "_podwright_values runs";
    case Completes::choices: return "(" + join(choices, " ") + ")";
  }
  return "";
}

/// The arguments of _arguments for the options.
std::string zsh_options(const std::vector<Option>& options) {
  std::string text;
  for (const auto& option : options) {
    for (const auto name : split(option.names, ',')) {
      text += fmt::format(" \\\n        '{}{}[{}]", option.repeats ? "*" : "", name, zsh_quoted(option.help));
      if (!option.value.empty()) text += fmt::format(":{}:{}", zsh_quoted(option.value), zsh_values(option.completes, option.choices));
      text += "'";
    }
  }
  return text;
}

std::string zsh(const std::vector<Command>& commands) {
  Globals globals;
  const auto global = zsh_options(global_options(globals));
  const auto described = [](const std::vector<Command>& verbs) {
    std::string text;
    for (const auto& verb : verbs) text += fmt::format(" '{}:{}'", verb.name, zsh_quoted(verb.summary));
    return text;
  };
  std::string text =
      "#compdef podwright\n"
      "# zsh completion of podwright; made by `podwright completion zsh`\n"
      "_podwright_values() {\n"
      "    local -a values\n"
      "    values=(${(f)\"$(podwright completion --values $1 2>/dev/null)\"})\n"
      "    compadd -a values\n"
      "}\n"
      "_podwright() {\n"
      "    local curcontext=$curcontext state line\n"
      "    typeset -A opt_args\n"
      "    _arguments -C" + global + " \\\n        '1: :->verb' '*:: :->rest'\n"
      "    case $state in\n"
      "    verb)\n"
      "        local -a verbs\n"
      "        verbs=(" + described(commands) + ")\n"
      "        _describe verb verbs;;\n"
      "    rest)\n"
      "        case $line[1] in\n";
  const auto arguments = [&](const Command& command) {
    auto one = "_arguments" + zsh_options(command.options) + global;
    if (command.positionals.usage.empty()) return one;
    return one + fmt::format(" \\\n        '*:{}:{}'", zsh_quoted(command.positionals.usage),
                             zsh_values(command.positionals.completes, command.positionals.choices));
  };
  for (const auto& command : commands) {
    text += fmt::format("        {})\n", command.name);
    if (command.commands.empty()) {
      text += "            " + arguments(command) + ";;\n";
      continue;
    }
    text += "            case $((CURRENT > 2)):$words[2] in\n";
    for (const auto& sub : command.commands) {
      text += fmt::format("            1:{}) shift words; ((CURRENT--)); {};;\n", sub.name, arguments(sub));
    }
    std::string verbs;
    for (const auto& sub : command.commands) {
      std::string summary;
      for (const char c : zsh_quoted(sub.summary)) summary += c == ' ' ? "\\ " : std::string(1, c);
      verbs += fmt::format("{}{}\\:{}", verbs.empty() ? "" : " ", sub.name, summary);
    }
    text += fmt::format("            *) _arguments{}{} \\\n        '1:verb:(({}))';;\n            esac;;\n", zsh_options(command.options), global, verbs);
  }
  text += "        esac;;\n    esac\n}\n_podwright \"$@\"\n";
  return text;
}

std::string fish_quoted(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return "'" + out + "'";
}

std::string fish_values(Completes completes, const std::vector<std::string>& choices) {
  switch (completes) {
    case Completes::nothing: return "-x";
    case Completes::file: return "-r -F";
    case Completes::folder: return "-x -a '(__fish_complete_directories)'";
    case Completes::node_set: return "-x -a '(podwright completion --values nodes 2>/dev/null)'";
    case Completes::profile: return "-x -a '(podwright completion --values profiles 2>/dev/null)'";
    case Completes::run: return "-x -a '(podwright completion --values runs 2>/dev/null)'";
    case Completes::choices: return "-x -a " + fish_quoted(join(choices, " "));
  }
  return "";
}

std::string fish_options(const std::vector<Option>& options, const std::string& condition) {
  std::string text;
  for (const auto& option : options) {
    text += "complete -c podwright" + condition;
    for (const auto name : split(option.names, ',')) {
      text += name.starts_with("--") ? fmt::format(" -l {}", name.substr(2)) : fmt::format(" -s {}", name.substr(1));
    }
    if (!option.value.empty()) text += " " + fish_values(option.completes, option.choices);
    text += " -d " + fish_quoted(option.help) + "\n";
  }
  return text;
}

std::string fish(const std::vector<Command>& commands) {
  Globals globals;
  std::string text = "# fish completion of podwright; made by `podwright completion fish`\ncomplete -c podwright -f\n";
  text += fish_options(global_options(globals), "");
  for (const auto& command : commands) {
    text += fmt::format("complete -c podwright -n __fish_use_subcommand -a {} -d {}\n", command.name, fish_quoted(command.summary));
    const auto condition = fmt::format(" -n '__fish_seen_subcommand_from {}'", command.name);
    text += fish_options(command.options, condition);
    const auto words_of = [](const Positionals& words, const std::string& where) {
      if (words.usage.empty() || words.completes == Completes::nothing) return std::string();
      auto values = fish_values(words.completes, words.choices);
      if (values.starts_with("-r ")) values = values.substr(3);
      return fmt::format("complete -c podwright{} {}\n", where, values);
    };
    for (const auto& sub : command.commands) {
      text += fmt::format("complete -c podwright{} -a {} -d {}\n", condition, sub.name, fish_quoted(sub.summary));
      const auto both = fmt::format(" -n '__fish_seen_subcommand_from {}; and __fish_seen_subcommand_from {}'", command.name, sub.name);
      text += fish_options(sub.options, both) + words_of(sub.positionals, both);
    }
    text += words_of(command.positionals, condition);
  }
  return text;
}

}  // namespace

std::string completion_script(const std::string& shell, const std::vector<Command>& commands) {
  if (shell == "zsh") return zsh(commands);
  if (shell == "fish") return fish(commands);
  return bash(commands);
}

}  // namespace podwright::cli
