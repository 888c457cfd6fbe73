/// Help, man page and shell completions, all made from the verbs themselves.
#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"

namespace podwright::cli {

/// `podwright --help`: verbs by job.
std::string overview(const std::vector<Command>& commands);
Json overview_json(const std::vector<Command>& commands);

/// `podwright VERB --help`. `path` is the verb as typed: "profile show".
std::string help_text(const Command& command, const std::string& path);
Json help_json(const Command& command, const std::string& path);

/// podwright.1 in roff, a section a verb.
std::string man_page(const std::vector<Command>& commands);

/// The completion script of bash, zsh or fish.
std::string completion_script(const std::string& shell, const std::vector<Command>& commands);

}  // namespace podwright::cli
