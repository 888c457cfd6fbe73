#include "transport/credentials.hpp"

#include <fmt/format.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/text.hpp"

namespace podwright {

namespace {

constexpr auto agent_deadline = std::chrono::seconds(2);
/// An agent's list of keys: more is not a list of keys.
constexpr std::size_t most_agent_bytes = std::size_t{256} * 1024;
constexpr int passphrase_attempts = 3;

SshKey own(ssh_key key) {
  return {key, [](ssh_key each) { ssh_key_free(each); }};
}

/// libssh asks for a passphrase through this; that it asks is all we want to know.
int note_encrypted(const char*, char*, std::size_t, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

SshKey read_private(const std::string& file, const char* passphrase, bool* encrypted) {
  ssh_key key = nullptr;
  if (ssh_pki_import_privkey_file(file.c_str(), passphrase, note_encrypted, encrypted, &key) !=
      SSH_OK) {
    return {};
  }
  return own(key);
}

std::string base64_of(const ssh_key key) {
  char* text = nullptr;
  if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK) return {};
  std::string base64 = text;
  ssh_string_free_char(text);
  return base64;
}

void note_public_half(KeyFile& key, const std::string& file) {
  ssh_key half = nullptr;
  if (key.private_key) {
    if (ssh_pki_export_privkey_to_pubkey(key.private_key.get(), &half) != SSH_OK) return;
  } else if (ssh_pki_import_pubkey_file((file + ".pub").c_str(), &half) != SSH_OK) {
    return;
  }
  key.public_key = own(half);
  key.type = ssh_key_type_to_char(ssh_key_type(half));
  key.base64 = base64_of(half);
}

/// Reads from or writes to the agent until all is done or the deadline passes.
template <class Transfer>
bool transfer_all(int fd, short events, std::size_t size, SteadyTime deadline, Transfer transfer) {
  std::size_t done = 0;
  while (done < size) {
    const auto left =
        std::chrono::duration_cast<Millis>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{.fd = fd, .events = events, .revents = 0};
    if (left.count() <= 0 || poll(&waiting, 1, static_cast<int>(left.count())) <= 0) return false;
    const auto moved = transfer(done);
    if (moved < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (moved <= 0) return false;
    done += static_cast<std::size_t>(moved);
  }
  return true;
}

/// Walks the agent protocol's length-prefixed strings.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : bytes_(bytes) {}
  std::optional<std::uint32_t> number() {
    if (bytes_.size() < 4) return std::nullopt;
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      value = (value << 8U) | static_cast<unsigned char>(bytes_[static_cast<std::size_t>(i)]);
    }
    bytes_.remove_prefix(4);
    return value;
  }
  std::optional<std::string_view> text() {
    const auto size = number();
    if (!size || *size > bytes_.size()) return std::nullopt;
    const auto value = bytes_.substr(0, *size);
    bytes_.remove_prefix(*size);
    return value;
  }

 private:
  std::string_view bytes_;
};

struct AgentSocket {
  int fd = -1;
  ~AgentSocket() {
    if (fd >= 0) close(fd);
  }
};

AgentKeys ask_agent(const std::string& path) {
  AgentKeys agent{.socket = path};
  const auto problem = [&agent](std::string why) {
    agent.problem = std::move(why);
    return agent;
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return problem("the socket's path is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const AgentSocket socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (socket.fd < 0 ||
      connect(socket.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return problem(fmt::format("{}: {}", path, std::strerror(errno)));
  }

  const auto deadline = std::chrono::steady_clock::now() + agent_deadline;
  const std::string_view request("\0\0\0\1\x0b", 5);  // SSH2_AGENTC_REQUEST_IDENTITIES
  const bool sent = transfer_all(socket.fd, POLLOUT, request.size(), deadline, [&](std::size_t at) {
    return send(socket.fd, request.data() + at, request.size() - at, MSG_NOSIGNAL);
  });
  const auto receive = [&](std::string& into) {
    return transfer_all(socket.fd, POLLIN, into.size(), deadline, [&](std::size_t at) {
      return recv(socket.fd, into.data() + at, into.size() - at, 0);
    });
  };
  std::string header(4, '\0');
  if (!sent || !receive(header)) return problem(path + ": the agent did not answer within 2 s");
  const auto size = WireReader(header).number().value_or(0);
  if (size < 5 || size > most_agent_bytes) return problem(path + ": not an agent's answer");
  std::string body(size, '\0');
  if (!receive(body)) return problem(path + ": the agent did not answer within 2 s");
  if (body[0] != 12) return problem(path + ": the agent refuses to list its keys (locked?)");

  WireReader reader(std::string_view(body).substr(1));
  const auto count = reader.number().value_or(0);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto blob = reader.text();
    const auto comment = reader.text();
    if (!blob || !comment) break;
    agent.keys.push_back({.base64 = base64_encode(*blob), .comment = clean_output(*comment)});
  }
  if (agent.keys.empty()) return problem("the agent holds no keys");
  return agent;
}

}  // namespace

Credentials::Credentials(AskPassword ask, std::string home, DeadlineClock& clock)
    : ask_(std::move(ask)), home_(std::move(home)), clock_(clock) {}

KeyFile& Credentials::key_file(const std::string& path) {
  const auto found = keys_.find(path);
  if (found != keys_.end()) return found->second;
  auto& key = keys_.emplace(path, KeyFile{.path = path}).first->second;

  const auto file = path.starts_with("~/") ? home_ + path.substr(1) : path;
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) {
    key.missing = errno == ENOENT;
    key.problem = key.missing ? "there is no such file" : std::strerror(errno);
    return key;
  }
  if (S_ISDIR(status.st_mode)) {
    key.problem = "it is a directory";
    return key;
  }
  // The same rule as ssh's: only what is ours can be fixed by us.
  if (status.st_uid == geteuid() && (status.st_mode & 077U) != 0) {
    key.problem = fmt::format("others may read it (mode {:04o}); run: chmod 600 {}",
                              status.st_mode & 07777U, path);
    return key;
  }
  if (access(file.c_str(), R_OK) != 0) {
    key.problem = std::strerror(errno);
    return key;
  }
  key.private_key = read_private(file, nullptr, &key.encrypted);
  if (!key.private_key && !key.encrypted) {
    key.problem = "it is not a private key that can be used (ssh-keygen -y -f tells more)";
    return key;
  }
  note_public_half(key, file);
  return key;
}

bool Credentials::unlock(KeyFile& key) {
  if (key.private_key) return true;
  if (!key.problem.empty()) return false;
  const auto file = key.path.starts_with("~/") ? home_ + key.path.substr(1) : key.path;
  for (int attempt = 0; attempt < passphrase_attempts; ++attempt) {
    const auto passphrase = ask(fmt::format("Passphrase for key {}: ", key.path));
    if (!passphrase) {
      key.problem = "it is encrypted, and " + passphrase.error().what;
      return false;
    }
    bool asked_again = false;
    key.private_key = read_private(file, passphrase->reveal().c_str(), &asked_again);
    if (key.private_key) {
      note_public_half(key, file);
      return true;
    }
  }
  key.problem = "the passphrase is wrong";
  return false;
}

const AgentKeys& Credentials::agent(const std::string& socket) {
  const auto found = agents_.find(socket);
  if (found != agents_.end()) return found->second;
  auto path = socket;
  if (path.empty()) {
    const char* variable = std::getenv("SSH_AUTH_SOCK");
    if (variable != nullptr) path = variable;
  }
  if (path.starts_with("~/")) path = home_ + path.substr(1);
  auto keys = path.empty()
                  ? AgentKeys{.socket = {}, .problem = "no agent ($SSH_AUTH_SOCK is not set)"}
                  : ask_agent(path);
  return agents_.emplace(socket, std::move(keys)).first->second;
}

Result<Secret> Credentials::from_environment(const std::string& variable) {
  const char* value = std::getenv(variable.c_str());
  if (value == nullptr || *value == '\0') {
    return fail(Fault::auth, fmt::format("${} is not set", variable),
                fmt::format("export {}, which cluster.toml names, before running", variable));
  }
  return Secret(value);
}

Result<Secret> Credentials::ask_password(const std::string& user) {
  const auto found = typed_.find(user);
  if (found != typed_.end()) return found->second;
  return typed_.emplace(user, ask(fmt::format("SSH password for {}: ", user))).first->second;
}

Result<Secret> Credentials::ask(const std::string& prompt) {
  if (!ask_) return fail(Fault::auth, "nobody can be asked here");
  const auto begun = std::chrono::steady_clock::now();
  auto answer = ask_(prompt);
  clock_.skip(std::chrono::steady_clock::now() - begun);
  return answer;
}

}  // namespace podwright
