/// Secrets that a profile wants (the munge key): made once on this machine, kept under the state
/// folder readable by its owner only, handed to nodes on stdin of their shell.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "model/profile.hpp"

namespace podwright {

class SecretStore {
 public:
  explicit SecretStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// SHA-256 of the bytes that the resource wants on the node; nothing while it was not generated.
  [[nodiscard]] Result<std::optional<std::string>> digest(const Wanted& secret) const;
  /// The bytes, generated on first use (field `kind`: random, or ssh-ed25519 with its public half
  /// beside it).
  Result<Secret> bytes(const Wanted& secret);
  /// A public half, for templates ({{secrets.NAME.public}}): generated with its private half.
  Result<std::string> public_half(const Wanted& secret);

 private:
  [[nodiscard]] std::filesystem::path path_of(const std::string& name) const;
  std::filesystem::path folder_;
};

}  // namespace podwright
