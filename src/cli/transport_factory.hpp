/// The transport that the verbs use: SSH.
#pragma once

#include <functional>
#include <memory>

#include "cli/globals.hpp"
#include "model/node.hpp"
#include "transport/ssh_transport.hpp"

namespace podwright::cli {

/// The options of SSH as the command line has them. Passwords that somebody has to type are asked for
/// on the terminal when they are needed; `before_asking` is called then, to clear it.
SshOptions ssh_options(const Globals& globals, std::function<void()> before_asking);

/// Reads a line from the terminal without showing it; an error where there is no terminal.
Result<Secret> ask_secret(const std::string& prompt);

}  // namespace podwright::cli
