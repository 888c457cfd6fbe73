#include "transport/ssh_key.hpp"

#include <fmt/format.h>
#include <libssh/libssh.h>
#include <sys/stat.h>

#include <memory>

namespace podwright {

Result<std::string> generate_ssh_key(const std::filesystem::path& file,
                                     const std::string& comment) {
  const auto problem = [&](std::string_view doing) {
    return fail(Fault::internal, fmt::format("cannot {} an SSH key at {}", doing, file.string()),
                "check the disk and the permissions of state_dir");
  };
  ssh_key raw = nullptr;
  if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &raw) != SSH_OK) return problem("make");
  const std::unique_ptr<ssh_key_struct, decltype(&ssh_key_free)> key(raw, &ssh_key_free);
  const auto before = ::umask(0077);
  const int written =
      ssh_pki_export_privkey_file(key.get(), nullptr, nullptr, nullptr, file.c_str());
  ::umask(before);
  if (written != SSH_OK) return problem("write");
  char* text = nullptr;
  if (ssh_pki_export_pubkey_base64(key.get(), &text) != SSH_OK) return problem("export");
  auto line = fmt::format("ssh-ed25519 {} {}", text, comment);
  ssh_string_free_char(text);
  return line;
}

}  // namespace podwright
