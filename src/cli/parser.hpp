/// From argv to a verb with its options filled in.
#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/globals.hpp"

namespace podwright::cli {

struct Parsed {
  /// The verb, or null when the command line names none (`podwright --help`).
  const Command* command = nullptr;
  std::string path;  ///< "profile show"
};

/// Fills the options of the verb and `globals`. An unknown verb or option is an error with the nearest
/// known one. With --help anywhere nothing else is demanded.
Result<Parsed> parse(const std::vector<std::string>& arguments, const std::vector<Command>& commands,
                     Globals& globals);

}  // namespace podwright::cli
