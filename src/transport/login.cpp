#include "transport/login.hpp"

#include <fmt/format.h>
#include <libssh/libssh.h>

#include <algorithm>

#include "base/text.hpp"

namespace podwright {

namespace {

/// Rounds of questions that a server may ask in keyboard-interactive: PAM asks one or two.
constexpr int most_rounds = 6;

}  // namespace

struct Login::Attempt {
  enum class Kind { key, agent, password, keyboard };
  Kind kind = Kind::key;
  KeyFile* key = nullptr;
  bool offer = false;     ///< ask whether the key would be accepted before signing with it
  bool accepted = false;  ///< the offered key would be
  bool typed = false;     ///< the password is the operator's, not the environment's
  int rounds = 0;

  [[nodiscard]] std::string method() const {
    switch (kind) {
      case Kind::key:
        return "key";
      case Kind::agent:
        return "agent";
      case Kind::password:
        return "password";
      case Kind::keyboard:
        return "keyboard-interactive";
    }
    return "key";
  }
};

Login::Login(ssh_session_struct* session, const LoginPlan& plan, Credentials& credentials)
    : session_(session), plan_(plan), credentials_(credentials) {
  plan_attempts();
}

Login::~Login() = default;

void Login::plan_attempts() {
  using Kind = Attempt::Kind;
  const AgentKeys none;
  const auto& agent = plan_.agent ? credentials_.agent(plan_.agent_socket) : none;
  const auto in_agent = [&agent](const KeyFile& key) {
    return !key.base64.empty() &&
           std::ranges::find(agent.keys, key.base64, &AgentKeys::Key::base64) != agent.keys.end();
  };
  bool agent_planned = false;
  const auto plan_agent = [&] {
    if (agent_planned || !plan_.agent) return;
    agent_planned = true;
    attempts_.push_back({.kind = Kind::agent});
  };

  for (const auto& path : plan_.keys) {
    auto& key = credentials_.key_file(path);
    // Somebody who loaded the key into the agent does not want to type its passphrase again.
    if (key.encrypted && !key.private_key && in_agent(key)) plan_agent();
    attempts_.push_back({.kind = Kind::key, .key = &key, .offer = plan_.keys.size() > 1});
  }
  plan_agent();
  for (const auto& path : plan_.default_keys) {
    auto& key = credentials_.key_file(path);
    if (key.missing || in_agent(key)) continue;
    if (std::ranges::find(plan_.keys, path) != plan_.keys.end()) continue;
    attempts_.push_back({.kind = Kind::key, .key = &key, .offer = true});
  }
  if (!plan_.password_env.empty()) {
    attempts_.push_back({.kind = Kind::password});
    attempts_.push_back({.kind = Kind::keyboard});
  }
  if (plan_.ask_password) {
    attempts_.push_back({.kind = Kind::password, .typed = true});
    attempts_.push_back({.kind = Kind::keyboard, .typed = true});
  }
}

void Login::note(const Attempt& attempt, std::string detail, bool ok) {
  trace_.push_back({.method = attempt.method(), .detail = std::move(detail), .ok = ok});
}

/// Nothing is known before the first refusal: then everything is worth a try.
bool Login::offered(const Attempt& attempt) const {
  const int methods = ssh_userauth_list(session_, nullptr);
  if (methods == 0) return true;
  switch (attempt.kind) {
    case Attempt::Kind::key:
    case Attempt::Kind::agent:
      return (methods & SSH_AUTH_METHOD_PUBLICKEY) != 0;
    case Attempt::Kind::password:
      return (methods & SSH_AUTH_METHOD_PASSWORD) != 0;
    case Attempt::Kind::keyboard:
      return (methods & SSH_AUTH_METHOD_INTERACTIVE) != 0;
  }
  return true;
}

Login::Step Login::step() {
  while (current_ < attempts_.size()) {
    auto& attempt = attempts_[current_];
    const auto noted = trace_.size();
    const bool first = !attempt.accepted && attempt.rounds == 0;
    if (first && !offered(attempt)) {
      note(attempt, "the server does not offer it", false);
      ++current_;
      continue;
    }
    const int rc = run(attempt);
    if (rc == SSH_AUTH_AGAIN) return Step::again;
    if (rc == SSH_AUTH_SUCCESS) return Step::done;
    if (rc == SSH_AUTH_ERROR) {
      if (trace_.size() == noted) {
        broken(ssh_get_error(session_));
      } else {
        lost_ = ssh_get_error(session_);
      }
      return Step::lost;
    }
    partial_ = partial_ || rc == SSH_AUTH_PARTIAL;
    ++current_;
  }
  return Step::refused;
}

void Login::broken(const std::string& why) {
  lost_ = clean_output(why);
  if (current_ < attempts_.size()) note(attempts_[current_], lost_, false);
}

int Login::run(Attempt& attempt) {
  switch (attempt.kind) {
    case Attempt::Kind::key:
      return run_key(attempt);
    case Attempt::Kind::password:
      return run_password(attempt);
    case Attempt::Kind::keyboard:
      return run_keyboard(attempt);
    case Attempt::Kind::agent:
      break;
  }
  const auto& agent = credentials_.agent(plan_.agent_socket);
  if (!agent.problem.empty()) {
    note(attempt, agent.problem, false);
    return SSH_AUTH_DENIED;
  }
  ssh_options_set(session_, SSH_OPTIONS_IDENTITY_AGENT, agent.socket.c_str());
  const int rc = ssh_userauth_agent(session_, nullptr);
  if (rc == SSH_AUTH_AGAIN) return rc;
  std::vector<std::string> names;
  for (const auto& key : agent.keys) names.push_back(key.comment);
  const auto keys = count_of(agent.keys.size(), "key") + ": " + human_list(names, 4);
  if (rc == SSH_AUTH_SUCCESS) note(attempt, "accepted (one of " + keys + ")", true);
  if (rc == SSH_AUTH_PARTIAL) note(attempt, "accepted; the server wants another proof too", true);
  if (rc == SSH_AUTH_DENIED) note(attempt, "refused (" + keys + ")", false);
  return rc;
}

int Login::run_key(Attempt& attempt) {
  auto& key = *attempt.key;
  if (!key.problem.empty()) {
    note(attempt, fmt::format("{}: {}", key.path, key.problem), false);
    return SSH_AUTH_DENIED;
  }
  // A locked key is offered first: nobody types a passphrase for a key that is not wanted.
  // What was begun with an offer goes on with it, though another node's login unlocks the key meanwhile.
  attempt.offer = attempt.offer || !key.private_key;
  if (attempt.offer && !attempt.accepted && key.public_key) {
    const int rc = ssh_userauth_try_publickey(session_, nullptr, key.public_key.get());
    if (rc == SSH_AUTH_AGAIN || rc == SSH_AUTH_ERROR) return rc;
    if (rc != SSH_AUTH_SUCCESS) {
      note(attempt, key.path + ": refused", false);
      return rc;
    }
    attempt.accepted = true;
  }
  if (!credentials_.unlock(key)) {
    note(attempt, fmt::format("{}: {}", key.path, key.problem), false);
    return SSH_AUTH_DENIED;
  }
  const int rc = ssh_userauth_publickey(session_, nullptr, key.private_key.get());
  if (rc == SSH_AUTH_SUCCESS) note(attempt, key.path + ": accepted", true);
  if (rc == SSH_AUTH_PARTIAL) note(attempt, key.path + ": accepted; another proof is wanted", true);
  if (rc == SSH_AUTH_DENIED) {
    const std::string_view why = ssh_get_error(session_);
    // A key that libssh itself will not use (too short an RSA key) is no refusal of the server's.
    const bool ours = why.find("not allowed") != std::string_view::npos;
    note(attempt, fmt::format("{}: {}", key.path, ours ? why : "refused"), false);
  }
  return rc;
}

int Login::run_password(Attempt& attempt) {
  const auto password = attempt.typed ? credentials_.ask_password(plan_.user)
                                      : Credentials::from_environment(plan_.password_env);
  const auto source = attempt.typed ? std::string("as typed") : "$" + plan_.password_env;
  if (!password) {
    note(attempt, password.error().what, false);
    return SSH_AUTH_DENIED;
  }
  const int rc = ssh_userauth_password(session_, nullptr, password->reveal().c_str());
  if (rc == SSH_AUTH_SUCCESS) note(attempt, source + ": accepted", true);
  if (rc == SSH_AUTH_PARTIAL) note(attempt, source + ": accepted; another proof is wanted", true);
  if (rc == SSH_AUTH_DENIED) note(attempt, source + ": refused", false);
  return rc;
}

int Login::run_keyboard(Attempt& attempt) {
  const auto password = attempt.typed ? credentials_.ask_password(plan_.user)
                                      : Credentials::from_environment(plan_.password_env);
  const auto source = attempt.typed ? std::string("as typed") : "$" + plan_.password_env;
  if (!password) {
    note(attempt, password.error().what, false);
    return SSH_AUTH_DENIED;
  }
  int rc = ssh_userauth_kbdint(session_, nullptr, nullptr);
  while (rc == SSH_AUTH_INFO) {
    if (++attempt.rounds > most_rounds) {
      note(attempt, "the server asks without end", false);
      return SSH_AUTH_DENIED;
    }
    const int prompts = ssh_userauth_kbdint_getnprompts(session_);
    for (int i = 0; i < prompts; ++i) {
      char echo = 0;
      const auto index = static_cast<unsigned>(i);
      const char* prompt = ssh_userauth_kbdint_getprompt(session_, index, &echo);
      if (echo != 0) {
        note(attempt,
             fmt::format("the server asks \"{}\", which is no password",
                         trim(clean_output(prompt == nullptr ? "" : prompt))),
             false);
        return SSH_AUTH_DENIED;
      }
      ssh_userauth_kbdint_setanswer(session_, index, password->reveal().c_str());
    }
    rc = ssh_userauth_kbdint(session_, nullptr, nullptr);
  }
  if (rc == SSH_AUTH_SUCCESS) note(attempt, source + ": accepted", true);
  if (rc == SSH_AUTH_PARTIAL) note(attempt, source + ": accepted; another proof is wanted", true);
  if (rc == SSH_AUTH_DENIED) note(attempt, source + ": refused", false);
  return rc;
}

std::string Login::offered_methods() const {
  const int methods = ssh_userauth_list(session_, nullptr);
  std::vector<std::string> names;
  if ((methods & SSH_AUTH_METHOD_PUBLICKEY) != 0) names.emplace_back("publickey");
  if ((methods & SSH_AUTH_METHOD_PASSWORD) != 0) names.emplace_back("password");
  if ((methods & SSH_AUTH_METHOD_INTERACTIVE) != 0) names.emplace_back("keyboard-interactive");
  if ((methods & SSH_AUTH_METHOD_HOSTBASED) != 0) names.emplace_back("hostbased");
  if ((methods & SSH_AUTH_METHOD_GSSAPI_MIC) != 0) names.emplace_back("gssapi-with-mic");
  return human_list(names);
}

Error Login::error(const std::string& where) const {
  if (attempts_.empty()) {
    return {
        .fault = Fault::auth,
        .what = fmt::format("cannot log in to {} as {}: no key, no agent and no password to try",
                            where, plan_.user),
        .hint = "set key or password_env in [ssh] of cluster.toml, or start ssh-agent"};
  }
  std::string tried;
  bool password_wrong = false;
  for (const auto& each : trace_) {
    if (!tried.empty()) tried += "; ";
    tried += each.method + " " + each.detail;
    password_wrong =
        password_wrong || (each.method == "password" && each.detail.ends_with("refused"));
  }
  auto what = fmt::format("{} refused the login as {}: {}", where, plan_.user, tried);
  if (const auto methods = offered_methods(); !methods.empty()) {
    what += fmt::format("; the server accepts {}", methods);
  }
  if (partial_) what += "; it wants more than one proof";
  if (lost_.find("Too many authentication failures") != std::string::npos) {
    return {.fault = Fault::auth,
            .what = std::move(what),
            .hint =
                "the server counts every key that is offered: name the right one with key in "
                "cluster.toml"};
  }
  if (!lost_.empty()) {
    return {.fault = Fault::unreachable,
            .what = fmt::format("the login to {} as {} broke off: {}", where, plan_.user, tried),
            .hint = "look at the log of its sshd"};
  }
  auto hint = password_wrong
                  ? fmt::format("check the password, and that {} may log in with one", plan_.user)
                  : fmt::format(
                        "put the public key into ~{}/.ssh/authorized_keys of the node, or "
                        "name another with key or password_env in cluster.toml",
                        plan_.user);
  return {.fault = Fault::auth, .what = std::move(what), .hint = std::move(hint)};
}

}  // namespace podwright
