/// Logging in: which methods are tried in which order, and why each one failed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "transport/credentials.hpp"

struct ssh_session_struct;

namespace podwright {

/// One thing that was tried on the way to a node, for people who want to know why it failed.
struct AuthTrace {
  std::string
      method;  ///< "resolve", "tcp", "banner", "key exchange", "host key", "key", "agent", …
  std::string detail;
  bool ok = false;
};

/// How one user logs in somewhere; ssh_config and cluster.toml are already merged.
struct LoginPlan {
  std::string user;
  std::vector<std::string> keys{};          ///< named by the operator: tried first
  std::vector<std::string> default_keys{};  ///< the usual files: those that exist are tried
  bool agent = true;
  std::string agent_socket{};  ///< empty: $SSH_AUTH_SOCK
  std::string password_env{};
  bool ask_password = false;
};

/// Tries one method after the other on a session whose key exchange is done and whose host key was
/// verified. Never waits: step() is called again whenever the socket is ready.
/// (One exception: libssh talks to a local agent with blocking reads. The agent was seen to answer
/// before; one that then hangs in a signature holds the loop.)
class Login {
 public:
  enum class Step { again, done, refused, lost };

  Login(ssh_session_struct* session, const LoginPlan& plan, Credentials& credentials);
  ~Login();
  Login(const Login&) = delete;
  Login& operator=(const Login&) = delete;

  Step step();
  /// The session died, `why` in libssh's words, while a step was waiting: the last word is `lost`.
  void broken(const std::string& why);
  [[nodiscard]] const std::vector<AuthTrace>& trace() const { return trace_; }
  /// After `refused` or `lost`: every method and why it failed. `where` is "cu01 (10.0.0.1)".
  [[nodiscard]] Error error(const std::string& where) const;

 private:
  struct Attempt;

  void plan_attempts();
  int run(Attempt& attempt);
  int run_key(Attempt& attempt);
  int run_password(Attempt& attempt);
  int run_keyboard(Attempt& attempt);
  bool offered(const Attempt& attempt) const;
  void note(const Attempt& attempt, std::string detail, bool ok);
  [[nodiscard]] std::string offered_methods() const;

  ssh_session_struct* session_;
  const LoginPlan& plan_;
  Credentials& credentials_;
  std::vector<Attempt> attempts_;
  std::size_t current_ = 0;
  bool partial_ = false;  ///< one factor was accepted, another is wanted
  std::string lost_;      ///< libssh's words when the session died
  std::vector<AuthTrace> trace_;
};

}  // namespace podwright
