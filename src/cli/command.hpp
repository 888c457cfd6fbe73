/// What a verb is, as data: its file states it once, and the parser, --help, the man page and the
/// shell completions are made from it. Only parser.cpp knows the command-line library.
#pragma once

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/exit_code.hpp"

namespace podwright::cli {

class App;

/// What a verb found or did. main prints it: the text or the document, never both.
struct Outcome {
  int exit_code = kOk;
  Json document = Json::object();
  std::string text{};
  /// Why the exit code is not 0, one sentence each; for stderr.
  std::vector<std::string> problems{};
  /// The next command to run, where there is one.
  std::string next{};
};

/// What a shell offers for a value.
enum class Completes { nothing, file, folder, node_set, profile, run, choices };

struct Option {
  std::string names;  ///< "-o,--out"
  std::string value;  ///< "FILE"; empty: a flag
  std::string help;
  /// Hears of each value given (a flag's is "true"); its error is a usage error.
  std::function<Status(const std::string&)> take;
  Completes completes = Completes::nothing;
  std::vector<std::string> choices{};
  bool repeats = false;  ///< each value counts; else the last one wins

  /// "--out", or the short name where there is no long one.
  [[nodiscard]] std::string main_name() const;
};

Option flag(std::string names, std::string help, bool& into);
Option text_option(std::string names, std::string value, std::string help, std::string& into,
                   Completes completes = Completes::nothing);
Option list_option(std::string names, std::string value, std::string help,
                   std::vector<std::string>& into, Completes completes = Completes::nothing);
Option choice_option(std::string names, std::string help, std::vector<std::string> choices,
                     std::string& into);

/// The words of a command line that are no options.
struct Positionals {
  std::string usage{};  ///< "[HOST…]"; empty: the verb takes none
  std::string help{};
  std::size_t least = 0;
  std::size_t most = 0;
  std::vector<std::string>* into = nullptr;
  Completes completes = Completes::nothing;
  std::vector<std::string> choices{};
  /// They are a command line of somebody else's: from the first on nothing is an option of ours.
  bool verbatim = false;
};
inline constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();

struct Example {
  std::string command;
  std::string says;
};

struct Command {
  std::string name;
  std::string group{};    ///< heading of `podwright --help`
  std::string summary{};  ///< one line, no full stop
  std::string details{};  ///< paragraphs, separated by an empty line
  std::vector<Option> options{};
  Positionals positionals{};
  std::vector<Example> examples{};
  std::vector<ExitCode> exits{};  ///< besides 0, 1, 2 and 130
  std::vector<Command> commands{};  ///< of a verb with verbs of its own: `profile list`
  std::function<Result<Outcome>(App&)> run{};
};

}  // namespace podwright::cli
