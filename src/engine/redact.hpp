/// Secrets out of what is handed to somebody else.
#pragma once

#include <string>
#include <string_view>

namespace podwright {

/// The text with everything that looks like a secret as "[redacted]": private keys, passwords and tokens after
/// their name ("password=", "token:", "pass="), logins in addresses (https://user:pass@), keys of clouds and
/// tokens of bearers. Lines stay lines.
std::string redact(std::string_view text);

}  // namespace podwright
