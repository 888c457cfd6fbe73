/// Signatures of repositories, checked by gpgv with a keyring of its own: it is what apt itself
/// trusts, every Debian, Red Hat and SUSE system has it, it parses hostile input in a process of its
/// own, and nobody's ~/.gnupg plays a part.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace podwright {

/// The binary form of armored public keys, several blocks included, as gpgv wants them.
Result<std::string> dearmor(std::string_view armored);

struct Signed {
  std::string text;                       ///< what the signature covers, and nothing besides
  std::vector<std::string> fingerprints;  ///< of the keys whose signatures are good, sorted
};

/// `keys` are armored public keys. `what` names the thing in errors ("debian bookworm InRelease").
/// A good signature of one of the keys suffices; a bad one by any of them does not.
Result<Signed> verify_clearsigned(const std::filesystem::path& file, std::string_view keys,
                                  const std::string& what);
Result<Signed> verify_detached(const std::filesystem::path& file,
                               const std::filesystem::path& signature, std::string_view keys,
                               const std::string& what);

}  // namespace podwright
