/// One SSH connection: from a name to a session that is logged in, and kept open after that.
/// Never waits; the loop calls it when its socket is ready, its owner calls tick() for deadlines.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "transport/event_loop.hpp"
#include "transport/host_keys.hpp"
#include "transport/login.hpp"
#include "transport/resolver.hpp"

struct ssh_session_struct;
struct ssh_channel_struct;
struct ssh_event_struct;
struct ssh_channel_callbacks_struct;

namespace podwright {

class Tunnel;

enum class HostKeyPolicy {
  pinned,   ///< only keys that are in the store
  pin_new,  ///< an unknown host's key is remembered; a changed one is refused all the same
};

/// Where a connection goes, with everything merged that has a say in it.
struct Destination {
  std::string label;  ///< who it is for people: "cu01", "jump host admin@10.0.0.9"
  std::string host;
  std::string written{};  ///< the address as the operator wrote it, before ssh_config
  int port = 22;
  LoginPlan login;
  HostKeyStore* host_keys = nullptr;
  Millis connect_timeout{10000};
  std::optional<Error> impossible{};  ///< why it cannot even be tried (a ProxyCommand)

  /// "10.0.0.1", "[10.0.0.1]:2222": as known_hosts names it.
  [[nodiscard]] std::string endpoint() const;
};

/// What all connections of a transport share.
struct ConnectionContext {
  EventLoop& loop;
  Resolver& resolver;
  Credentials& credentials;
  DeadlineClock& clock;
  Millis login_timeout{30000};
  HostKeyPolicy policy = HostKeyPolicy::pinned;
  std::set<std::string> replace_keys{};  ///< addresses whose changed key is accepted and pinned
};

/// What runs on a connection: a command, or a tunnel to the next hop.
class ChannelUser {
 public:
  virtual ~ChannelUser() = default;
  /// The session moved; called only while `restless`.
  virtual void on_progress() = 0;
  /// The session is gone, and with it every channel: they must not be touched any more.
  virtual void on_lost(const Error& error) = 0;
  /// Wants to be called after everything that the session does.
  bool restless = true;
};

class Connection : public FdHandler {
 public:
  enum class State {
    closed,  ///< not opened yet, or lost; see error()
    resolving,
    behind_jump,  ///< the jump host is not there yet
    connecting,
    greeting,  ///< banner and key exchange
    logging_in,
    backing_off,  ///< dropped before the banner; tried again shortly
    ready,
  };

  /// `via` is the jump host's connection, or null; it must outlive this one.
  Connection(ConnectionContext& context, Destination destination, Connection* via);
  ~Connection() override;

  /// Begins; `on_change` is called once, maybe at once: when it is ready, or closed with error().
  void open(std::function<void()> on_change);
  /// Ends the session politely; whoever uses it is told.
  void close();
  /// Lets a jump host that failed be tried again: the nodes behind it do not each try by themselves.
  void forgive() { login_failed_ = false; }
  void tick(SteadyTime now);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool ready() const { return state_ == State::ready; }
  [[nodiscard]] bool busy() const { return state_ != State::ready && state_ != State::closed; }
  /// Why it is closed.
  [[nodiscard]] const Error& error() const { return error_; }
  [[nodiscard]] SteadyTime last_progress() const { return last_progress_; }
  [[nodiscard]] const std::vector<AuthTrace>& trace() const { return trace_; }
  [[nodiscard]] const std::optional<HostKey>& host_key() const { return host_key_; }
  /// The key was not known before this connection, and is pinned now.
  [[nodiscard]] bool newly_pinned() const { return newly_pinned_; }
  [[nodiscard]] const Destination& destination() const { return destination_; }
  [[nodiscard]] Connection* via() const { return via_; }

  [[nodiscard]] ssh_session_struct* session() const { return session_; }
  void attach(ChannelUser& user);
  void detach(ChannelUser& user);
  /// After a user wrote to its channel outside of on_progress().
  void rearm();
  /// Nothing that was written waits for the socket: time to write more.
  [[nodiscard]] bool writable() const;
  /// Closes and frees a channel whose user is done with it.
  void release(ssh_channel_struct* channel, ssh_channel_callbacks_struct* callbacks);

  void on_events(std::uint32_t events) override;

 private:
  void begin();
  void resolve();
  void connect_next();
  void on_connected();
  void start_session();
  void drive();
  void session_died();
  void step_greeting();
  bool verify_host_key();
  void step_login();
  void become_ready();
  void pump();
  void poke_users();
  void close_channels();
  void wait_for_jump();
  void jump_changed();
  void tunnel_changed();
  void fail_with(Error error);
  void drop_or_fail(const std::string& libssh_says);
  void free_session(bool politely);
  void moved() { last_progress_ = context_.clock.now(); }
  void note(std::string method, std::string detail, bool ok);
  [[nodiscard]] std::string where() const;
  [[nodiscard]] bool may_replace_key() const;
  bool check_descriptor();

  ConnectionContext& context_;
  Destination destination_;
  Connection* via_;
  std::function<void()> on_change_;
  State state_ = State::closed;
  Error error_{.fault = Fault::unreachable, .what = "not connected"};
  std::vector<AuthTrace> trace_;

  Watch watch_;
  int fd_ = -1;  ///< ours until the session has it
  ssh_session_struct* session_ = nullptr;
  ssh_event_struct* event_ = nullptr;
  bool session_has_fd_ = false;
  std::unique_ptr<Login> login_;
  std::unique_ptr<Tunnel> tunnel_;
  std::unique_ptr<Tunnel> dead_tunnel_;  ///< may be the one that is calling us just now
  std::vector<Connection*> dependents_;  ///< wait for this jump host
  std::vector<ChannelUser*> users_;
  std::vector<ssh_channel_struct*> closing_;

  std::vector<SocketAddress> addresses_;
  std::size_t next_address_ = 0;
  std::string connect_errors_;
  SteadyTime opened_;
  SteadyTime stage_begun_;
  SteadyTime last_progress_;
  SteadyTime retry_at_;
  int drops_ = 0;
  bool login_failed_ = false;
  bool banner_seen_ = false;
  std::optional<HostKey> host_key_;
  bool newly_pinned_ = false;
};

}  // namespace podwright
