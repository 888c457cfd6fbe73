/// What ~/.ssh/config says about a host: the keys that matter to reach it. Parsed once for all
/// nodes.
///
/// Understood: Host (patterns, exceptions), Match all|host|originalhost, Include, HostName, User,
/// Port, IdentityFile, IdentitiesOnly, IdentityAgent, ProxyJump, ProxyCommand of the form
/// "ssh -W %h:%p JUMP", ConnectTimeout. Other Match criteria (exec, user, …) never match, and say
/// so in notes(); host keys are never taken from UserKnownHostsFile: cluster.toml names its own
/// store.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace podwright {

struct HostSettings {
  std::optional<std::string> host_name{};
  std::optional<std::string> user{};
  std::optional<int> port{};
  std::vector<std::string> identity_files{};  ///< tokens and "~" expanded
  bool identities_only = false;
  std::optional<std::string> identity_agent{};  ///< a path, "none", or "" for $SSH_AUTH_SOCK
  std::vector<std::string> proxy_jump{};        ///< "user@host:port", in the order of the hops
  std::string proxy_command{};                  ///< one that is no jump host in disguise
  std::optional<int> connect_timeout_seconds{};
};

class SshConfig {
 public:
  /// `files` in order of precedence; those that do not exist are empty. `home` expands "~".
  static Result<SshConfig> load(const std::vector<std::filesystem::path>& files,
                                const std::string& home);

  /// What applies to `host`, as the operator wrote it.
  [[nodiscard]] HostSettings lookup(const std::string& host) const;
  /// What was found in the files and could not be honoured.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  struct Condition {
    bool never = false;
    bool host_name = false;  ///< compares the resolved name (Match host), not the written one
    std::string patterns;    ///< separated by blanks
  };
  struct Line {
    std::size_t condition = 0;  ///< an index into conditions_
    std::string key;            ///< lower case
    std::vector<std::string> values;
  };

  Status read(const std::filesystem::path& file, std::size_t condition, int depth);
  std::size_t add_condition(std::size_t enclosing, Condition condition);
  [[nodiscard]] bool applies(std::size_t condition, const std::string& host,
                             const HostSettings& settings) const;

  std::string home_;
  /// Each is a chain: an included file's Host sits inside the Host that includes it.
  std::vector<std::pair<std::size_t, Condition>> conditions_{{0, Condition{.patterns = "*"}}};
  std::vector<Line> lines_;
  std::vector<std::string> notes_;
};

/// "user@host:port", "[::1]:22", "ssh://user@host:port": the parts; user empty and port 0 when
/// absent.
struct JumpHost {
  std::string user;
  std::string host;
  int port = 0;
};
Result<JumpHost> parse_jump_host(std::string_view text);

}  // namespace podwright
