#include "engine/secrets.hpp"

#include <fmt/format.h>
#include <openssl/rand.h>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "transport/ssh_key.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

/// What munge wants at least is 32 bytes; its own tool makes 128. A kilobyte is its documented size.
constexpr std::int64_t default_bytes = 1024;

std::string secret_name(const Wanted& secret) { return secret.text("name", secret.name); }

Status generate(const fs::path& path, const Wanted& secret) {
  if (auto made = make_directories(path.parent_path(), 0700); !made) return made;
  const auto kind = secret.text("kind", "random");
  if (kind == "ssh-ed25519") {
    const auto line = generate_ssh_key(path, secret_name(secret));
    if (!line) return fail(line.error());
    return write_file(path.string() + ".pub", *line + "\n", 0600);
  }
  const auto bytes = secret.integer("bytes", default_bytes);
  std::string random(static_cast<std::size_t>(bytes), '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), static_cast<int>(bytes)) != 1) {
    return fail(Fault::internal, "the system gives no random numbers");
  }
  return write_file(path, random, 0600);
}

}  // namespace

fs::path SecretStore::path_of(const std::string& name) const {
  // A name is a path of the profile ("/etc/munge/munge.key") or a word; it must stay in the folder.
  std::string file;
  for (const char c : name) file += c == '/' || c == '\0' ? '_' : c;
  if (file.starts_with('.')) file.front() = '_';
  return folder_ / file;
}

Result<std::optional<std::string>> SecretStore::digest(const Wanted& secret) const {
  const auto path = path_of(secret_name(secret));
  if (!fs::exists(path)) return std::nullopt;
  const auto content = read_file(path);
  if (!content) return fail(content.error());
  return sha256_hex(*content);
}

Result<Secret> SecretStore::bytes(const Wanted& secret) {
  const auto path = path_of(secret_name(secret));
  if (!fs::exists(path)) {
    if (auto made = generate(path, secret); !made) return fail(made.error());
  }
  auto content = read_file(path);
  if (!content) return fail(content.error());
  return Secret(std::move(*content));
}

Result<std::string> SecretStore::public_half(const Wanted& secret) {
  if (auto made = bytes(secret); !made) return fail(made.error());
  const auto line = read_file(path_of(secret_name(secret)).string() + ".pub");
  if (!line) return fail(line.error());
  return std::string(trim(*line));
}

}  // namespace podwright
