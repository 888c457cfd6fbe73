/// The transport that the verbs use: SSH.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>

#include "cli/globals.hpp"
#include "model/node.hpp"
#include "transport/ssh_transport.hpp"

namespace podwright::cli {

/// The options of SSH as the command line has them. Passwords that somebody has to type are asked for
/// on the terminal when they are needed; `before_asking` is called then, to clear it. `stop` ends the
/// question.
SshOptions ssh_options(const Globals& globals, std::stop_token stop, std::function<void()> before_asking);

/// Reads a line from the terminal without showing it; an error where there is no terminal, and
/// Fault::cancelled, with the echo back, when `stop` comes first.
Result<Secret> ask_secret(const std::string& prompt, const std::stop_token& stop);

}  // namespace podwright::cli
