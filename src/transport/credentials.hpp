/// What a login can be tried with: key files, the agent's keys, passwords. Each is read or asked
/// for once, however many nodes use it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "transport/event_loop.hpp"

struct ssh_key_struct;

namespace podwright {

/// Asks the operator; an error where nobody can be asked, or nobody answered. It may take its time:
/// deadlines stand still meanwhile.
using AskPassword = std::function<Result<Secret>(const std::string& prompt)>;

using SshKey = std::shared_ptr<ssh_key_struct>;

struct KeyFile {
  std::string path;      ///< as written: "~/.ssh/id_ed25519"
  std::string type{};    ///< "ssh-ed25519"
  std::string base64{};  ///< of the public half; empty when it is not known before unlocking
  SshKey public_key{};
  SshKey private_key{};  ///< null: not usable, or not yet unlocked
  bool encrypted = false;
  std::string problem{};  ///< why it cannot be used at all; empty when it can
  bool missing = false;   ///< there is no such file
};

struct AgentKeys {
  struct Key {
    std::string base64;
    std::string comment;
  };
  std::string socket;
  std::vector<Key> keys{};
  std::string
      problem{};  ///< "no agent runs ($SSH_AUTH_SOCK is not set)", "it did not answer in 2 s"
};

class Credentials {
 public:
  /// `home` is where "~" in paths of keys leads; `clock` stands still while the operator is asked.
  Credentials(AskPassword ask, std::string home, DeadlineClock& clock);

  /// The key of a file. A key that others may read is refused, as ssh does.
  KeyFile& key_file(const std::string& path);
  /// Asks for the passphrase of an encrypted key, once; false when it stays locked (see problem).
  bool unlock(KeyFile& key);

  /// The agent behind a socket, or behind $SSH_AUTH_SOCK for an empty path. Asked once, with a
  /// deadline of 2 s, so that an agent that hangs costs no login its time.
  const AgentKeys& agent(const std::string& socket);

  /// The password in an environment variable; an error that names the variable when it is unset.
  [[nodiscard]] static Result<Secret> from_environment(const std::string& variable);
  /// The password that the operator typed for `user`; the same answer for all nodes of that user.
  Result<Secret> ask_password(const std::string& user);

 private:
  Result<Secret> ask(const std::string& prompt);

  AskPassword ask_;
  std::string home_;
  DeadlineClock& clock_;
  std::map<std::string, KeyFile> keys_;
  std::map<std::string, AgentKeys> agents_;
  std::map<std::string, Result<Secret>> typed_;
};

}  // namespace podwright
