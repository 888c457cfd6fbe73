/// Making key pairs for the cluster's own use.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace podwright {

/// Writes a new Ed25519 private key (OpenSSH format, mode 0600) and returns its public line,
/// "ssh-ed25519 AAAA… comment".
Result<std::string> generate_ssh_key(const std::filesystem::path& file, const std::string& comment);

}  // namespace podwright
