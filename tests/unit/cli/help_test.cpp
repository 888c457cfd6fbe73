#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "base/process.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/globals.hpp"
#include "cli/help.hpp"

using namespace podwright;
using namespace podwright::cli;

namespace {

void each(const std::vector<Command>& commands, const std::string& before,
          const std::function<void(const Command&, const std::string&)>& visit) {
  for (const auto& command : commands) {
    const auto path = before.empty() ? command.name : before + " " + command.name;
    visit(command, path);
    each(command.commands, path, visit);
  }
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

}  // namespace

TEST_CASE("help: the overview names each group of verbs once") {
  std::vector<std::string> groups;
  for (const auto& command : all_commands()) {
    if (groups.empty() || groups.back() != command.group) groups.push_back(command.group);
  }
  CHECK(std::set<std::string>(groups.begin(), groups.end()).size() == groups.size());
}

TEST_CASE("every verb explains itself: summary, details, example, exit codes") {
  each(all_commands(), "", [](const Command& command, const std::string& path) {
    CAPTURE(path);
    CHECK_FALSE(command.summary.empty());
    CHECK_FALSE(command.details.empty());
    CHECK_FALSE(command.summary.ends_with('.'));
    CHECK((command.run != nullptr) != !command.commands.empty());
    if (command.commands.empty()) CHECK_FALSE(command.examples.empty());
    for (const auto& example : command.examples) CHECK(example.command.find("podwright ") != std::string::npos);
    const auto help = help_text(command, path);
    CHECK(help.find("Example") != std::string::npos);
    CHECK(help.find("Exit codes:") != std::string::npos);
    CHECK(help.find("130  cancelled") != std::string::npos);
    for (const auto& option : command.options) {
      CHECK_FALSE(option.help.empty());
      CHECK(help.find(option.main_name()) != std::string::npos);
    }
  });
}

TEST_CASE("no option of a verb takes a name from an option of every verb") {
  Globals globals;
  std::vector<std::string> global;
  for (const auto& option : global_options(globals)) {
    for (const auto name : split(option.names, ',')) global.emplace_back(name);
  }
  each(all_commands(), "", [&](const Command& command, const std::string& path) {
    CAPTURE(path);
    for (const auto& option : command.options) {
      for (const auto name : split(option.names, ',')) {
        CAPTURE(std::string(name));
        CHECK(std::ranges::find(global, name) == global.end());
      }
    }
  });
}

TEST_CASE("the overview and the man page name every verb and every option") {
  const auto commands = all_commands();
  const auto front = overview(commands);
  const auto man = replaced(man_page(commands), "\\-", "-");
  Globals globals;
  for (const auto& option : global_options(globals)) {
    for (const auto name : split(option.names, ',')) {
      CAPTURE(std::string(name));
      CHECK(front.find(name) != std::string::npos);
      CHECK(man.find("\\fB" + std::string(name) + "\\fR") != std::string::npos);
    }
  }
  each(commands, "", [&](const Command& command, const std::string& path) {
    CAPTURE(path);
    CHECK(man.find(".SS \"podwright " + path + " ") != std::string::npos);
    for (const auto& option : command.options) {
      CHECK(man.find("\\fB" + option.main_name() + "\\fR") != std::string::npos);
    }
    for (const auto& example : command.examples) {
      CHECK(man.find(replaced(replaced(example.command, "\\", "\\e"), "…", "...")) != std::string::npos);
    }
  });
  for (const auto& command : commands) CHECK(front.find("  " + command.name + " ") != std::string::npos);
  for (const auto line : lines(front)) CHECK(line.size() <= 96);
}

TEST_CASE("completions know every verb and option") {
  const auto commands = all_commands();
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    CAPTURE(shell);
    const auto script = completion_script(shell, commands);
    each(commands, "", [&](const Command& command, const std::string& path) {
      CAPTURE(path);
      CHECK(script.find(command.name) != std::string::npos);
      // fish writes "-l out".
      for (const auto& option : command.options) {
        const auto name = option.main_name();
        CHECK((script.find(name) != std::string::npos || script.find("-l " + name.substr(2)) != std::string::npos));
      }
    });
  }
}

TEST_CASE("the bash completion completes in a real bash") {
  const auto script = completion_script("bash", all_commands());
  const auto ask = [&](const std::string& line) {
    // COMP_WORDS as readline would cut the line; the word being typed is the last.
    const auto run = run_process({"bash", "-c",
                                  script + "\nread -ra COMP_WORDS <<<\"$1\"; [[ $1 == *' ' ]] && COMP_WORDS+=(\"\")\n"
                                           "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _podwright; printf '%s\\n' \"${COMPREPLY[@]}\"",
                                  "bash", line},
                                 "", Millis(10000));
    REQUIRE(run);
    CHECK(run->err.empty());
    return run->out;
  };
  CHECK(ask("podwright pla") == "plan\n");
  CHECK(ask("podwright -c x.toml val") == "validate\n");
  CHECK(ask("podwright profile s") == "show\n");
  CHECK(ask("podwright plan --show-") == "--show-script\n");
  CHECK(ask("podwright plan --output js") == "json\n");
  CHECK(ask("podwright report --format ju") == "junit\n");
  CHECK(ask("podwright completion z") == "zsh\n");
}
