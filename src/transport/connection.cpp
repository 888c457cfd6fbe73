#include "transport/connection.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include "base/text.hpp"
#include "transport/tunnel.hpp"

namespace podwright {

namespace {

// libssh's own defaults (all classical), with what costs least first: curve25519 takes 0.8 ms of a
// client's processor, DH group 16 takes 15. AES-GCM authenticates without a MAC of its own.
constexpr const char* key_exchanges =
    "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,"
    "ecdh-sha2-nistp521,diffie-hellman-group14-sha256,diffie-hellman-group16-sha512,"
    "diffie-hellman-group18-sha512,diffie-hellman-group-exchange-sha256";
constexpr const char* ciphers =
    "aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,"
    "aes192-ctr,aes128-ctr";
constexpr const char* all_host_keys =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,"
    "rsa-sha2-256";

// A dead peer is noticed after 15 + 4 * 5 s of silence, or 30 s after data that nobody acknowledged.
constexpr int keepalive_idle_s = 15;
constexpr int keepalive_interval_s = 5;
constexpr int keepalive_probes = 4;
constexpr unsigned unacknowledged_ms = 30000;

/// Reads in one go before others get their turn: 4 KB each.
constexpr int most_polls = 64;
/// A peer that trickles bytes makes progress for ever: this many login timeouts are the end of it.
constexpr int most_login_timeouts = 4;

constexpr auto first_retry = std::chrono::milliseconds(200);
constexpr auto longest_retry = std::chrono::milliseconds(3000);

void set_option(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof value);
}

void tune_socket(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_s);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_s);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
}

/// The signature algorithms for pinned key types: without them the server shows another key than
/// the one that is pinned.
std::string host_key_algorithms(const std::vector<std::string>& types) {
  std::string list;
  for (const auto& type : types) {
    std::string_view algorithms = type;
    if (type == "ssh-rsa") algorithms = "rsa-sha2-512,rsa-sha2-256";
    if (std::string_view(all_host_keys).find(algorithms) == std::string_view::npos) continue;
    if (!list.empty()) list += ',';
    list += algorithms;
  }
  return list.empty() ? all_host_keys : list;
}

std::optional<HostKey> server_key(ssh_session session) {
  ssh_key key = nullptr;
  if (ssh_get_server_publickey(session, &key) != SSH_OK) return std::nullopt;
  char* base64 = nullptr;
  std::optional<HostKey> found;
  if (ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK) {
    found = HostKey{.type = ssh_key_type_to_char(ssh_key_type(key)), .base64 = base64};
    ssh_string_free_char(base64);
  }
  ssh_key_free(key);
  return found;
}

std::string connect_error_text(int error, const std::string& endpoint) {
  switch (error) {
    case ECONNREFUSED:
      return endpoint + " refuses the connection";
    case EHOSTUNREACH:
      return "there is no way to " + endpoint + " (no route, or nobody has the address)";
    case ENETUNREACH:
      return "there is no route to the network of " + endpoint;
    case ETIMEDOUT:
      return endpoint + " did not answer";
    default:
      return fmt::format("cannot connect to {}: {}", endpoint, std::strerror(error));
  }
}

std::string connect_hint(int error) {
  switch (error) {
    case ECONNREFUSED:
      return "is sshd running there, and on that port?";
    default:
      return "is the node powered on, its network up, and its firewall open for SSH?";
  }
}

/// "Socket error: disconnected" and its kind, in an operator's words.
std::string plain(std::string_view libssh_says) {
  if (libssh_says.find("disconnected") != std::string_view::npos) return "the other side closed it";
  constexpr std::string_view prefix = "Socket error: ";
  if (libssh_says.starts_with(prefix)) libssh_says.remove_prefix(prefix.size());
  return clean_output(libssh_says);
}

Millis with_jitter(Millis delay) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return delay + Millis(std::uniform_int_distribution<std::int64_t>(0, delay.count() / 2)(random));
}

}  // namespace

std::string Destination::endpoint() const {
  return port == 22 ? host : fmt::format("[{}]:{}", host, port);
}

Connection::Connection(ConnectionContext& context, Destination destination, Connection* via)
    : context_(context),
      destination_(std::move(destination)),
      via_(via),
      watch_(context.loop, *this) {}

Connection::~Connection() { close(); }

std::string Connection::where() const {
  return destination_.label.empty()
             ? destination_.endpoint()
             : fmt::format("{} ({})", destination_.label, destination_.endpoint());
}

bool Connection::may_replace_key() const {
  return context_.replace_keys.contains(destination_.host) ||
         context_.replace_keys.contains(destination_.written);
}

void Connection::note(std::string method, std::string detail, bool ok) {
  trace_.push_back({.method = std::move(method), .detail = std::move(detail), .ok = ok});
}

void Connection::open(std::function<void()> on_change) {
  on_change_ = std::move(on_change);
  drops_ = 0;
  newly_pinned_ = false;
  opened_ = context_.clock.now();
  begin();
}

void Connection::begin() {
  trace_.clear();
  connect_errors_.clear();
  addresses_.clear();
  next_address_ = 0;
  banner_seen_ = false;
  stage_begun_ = context_.clock.now();
  moved();
  if (destination_.impossible) return fail_with(*destination_.impossible);
  if (via_ != nullptr) {
    state_ = State::behind_jump;
    return wait_for_jump();
  }
  state_ = State::resolving;
  resolve();
}

void Connection::resolve() {
  auto found = context_.resolver.resolve(destination_.host, destination_.port);
  if (!found) return;  // asked again by tick()
  if (!*found) {
    note("resolve", found->error().what, false);
    context_.resolver.forget(destination_.host);
    return fail_with(found->error());
  }
  addresses_ = std::move(**found);
  if (addresses_.empty()) {
    return fail_with({.fault = Fault::unreachable, .what = destination_.host + " has no address"});
  }
  if (addresses_.front().text() != destination_.host) {
    std::vector<std::string> texts;
    for (const auto& address : addresses_) texts.push_back(address.text());
    note("resolve", fmt::format("{} is {}", destination_.host, human_list(texts)), true);
  }
  connect_next();
}

void Connection::connect_next() {
  int error = 0;
  while (next_address_ < addresses_.size()) {
    const auto& address = addresses_[next_address_++];
    state_ = State::connecting;
    stage_begun_ = context_.clock.now();
    fd_ = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) {
      return fail_with(
          {.fault = Fault::internal,
           .what = fmt::format("cannot make a socket: {}", std::strerror(errno)),
           .hint = errno == EMFILE ? "raise the limit of open files (ulimit -n)" : ""});
    }
    tune_socket(fd_);
    if (connect(fd_, address.get(), address.size) == 0 || errno == EINPROGRESS) {
      watch_.set(fd_, EPOLLOUT);
      return;
    }
    error = errno;
    ::close(std::exchange(fd_, -1));
    connect_errors_ = connect_error_text(error, destination_.endpoint());
  }
  note("tcp", connect_errors_, false);
  context_.resolver.forget(destination_.host);
  fail_with({.fault = Fault::unreachable, .what = connect_errors_, .hint = connect_hint(error)});
}

void Connection::on_connected() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0) {
    note("tcp",
         fmt::format("connected to {} port {}", addresses_[next_address_ - 1].text(),
                     destination_.port),
         true);
    return start_session();
  }
  watch_.clear();
  ::close(std::exchange(fd_, -1));
  connect_errors_ = connect_error_text(error, destination_.endpoint());
  if (next_address_ < addresses_.size()) return connect_next();
  note("tcp", connect_errors_, false);
  context_.resolver.forget(destination_.host);
  fail_with({.fault = Fault::unreachable, .what = connect_errors_, .hint = connect_hint(error)});
}

void Connection::wait_for_jump() {
  if (via_->busy() || via_->ready() || via_->login_failed_) {
    if (!via_->busy()) return jump_changed();
    via_->dependents_.push_back(this);
    return;
  }
  via_->dependents_.push_back(this);
  via_->open([jump = via_] {
    for (auto* each : std::exchange(jump->dependents_, {})) each->jump_changed();
  });
}

void Connection::jump_changed() {
  if (!via_->ready()) {
    const auto& error = via_->error();
    note("jump host", error.what, false);
    return fail_with({.fault = error.fault,
                      .what = fmt::format("{} is behind a jump host, which failed: {}",
                                          destination_.endpoint(), error.what),
                      .hint = error.hint});
  }
  stage_begun_ = context_.clock.now();
  moved();
  tunnel_ = std::make_unique<Tunnel>(context_.loop, *via_, destination_.host, destination_.port);
  tunnel_->open([this] { tunnel_changed(); });
}

void Connection::tunnel_changed() {
  if (state_ != State::behind_jump) return;
  if (tunnel_->error()) {
    note("jump host", tunnel_->error()->what, false);
    auto error = *tunnel_->error();
    return fail_with(std::move(error));
  }
  note("jump host", fmt::format("{} connects to {}", via_->where(), destination_.endpoint()), true);
  fd_ = tunnel_->take_socket();
  start_session();
}

void Connection::start_session() {
  state_ = State::greeting;
  stage_begun_ = context_.clock.now();
  moved();
  session_ = ssh_new();
  if (session_ == nullptr) throw std::bad_alloc();
  const int no = 0;
  ssh_options_set(session_, SSH_OPTIONS_PROCESS_CONFIG, &no);
  // libssh would look our home up in the password database, once a session; nothing is read there.
  ssh_options_set(session_, SSH_OPTIONS_SSH_DIR, "/nonexistent");
  ssh_options_set(session_, SSH_OPTIONS_USER, destination_.login.user.c_str());
  ssh_options_set(session_, SSH_OPTIONS_KEY_EXCHANGE, key_exchanges);
  ssh_options_set(session_, SSH_OPTIONS_CIPHERS_C_S, ciphers);
  ssh_options_set(session_, SSH_OPTIONS_CIPHERS_S_C, ciphers);
  const auto types = destination_.host_keys->types(destination_.host, destination_.port);
  ssh_options_set(session_, SSH_OPTIONS_HOSTKEYS,
                  may_replace_key() ? all_host_keys : host_key_algorithms(types).c_str());
  ssh_options_set(session_, SSH_OPTIONS_FD, &fd_);
  ssh_set_blocking(session_, 0);
  session_has_fd_ = true;
  drive();
}

/// False once libssh has closed the socket by itself.
bool Connection::check_descriptor() {
  if (!session_has_fd_ || ssh_get_fd(session_) >= 0) return true;
  watch_.abandon();
  fd_ = -1;
  return false;
}

void Connection::on_events(std::uint32_t /*events*/) {
  moved();
  if (state_ == State::connecting) return on_connected();
  if (session_ != nullptr) drive();
}

void Connection::drive() {
  // Twice at most: every write makes libssh wait for the socket to be writable again, which it
  // usually is; asking libssh costs less than asking epoll.
  for (int pass = 0; pass < 2; ++pass) {
    if (state_ == State::greeting) step_greeting();
    if (state_ == State::logging_in) step_login();
    if (state_ == State::ready) return pump();
    if (session_ == nullptr) return;
    // A peer that says goodbye makes libssh close the socket, and then wait for it for ever.
    if (!check_descriptor()) return session_died();
    if ((ssh_get_poll_flags(session_) & SSH_WRITE_PENDING) == 0) break;
  }
  rearm();
}

void Connection::session_died() {
  const std::string libssh_says = ssh_get_error(session_);
  if (state_ == State::greeting) return drop_or_fail(libssh_says);
  login_->broken(libssh_says);
  trace_.insert(trace_.end(), login_->trace().begin(), login_->trace().end());
  fail_with(login_->error(where()));
}

void Connection::rearm() {
  if (session_ == nullptr || !check_descriptor()) return;
  std::uint32_t events = EPOLLIN;
  if ((ssh_get_poll_flags(session_) & SSH_WRITE_PENDING) != 0) events |= EPOLLOUT;
  watch_.set(fd_, events);
  // Its answers are small and we wait for each: a delayed acknowledgement would cost 40 ms a time.
  set_option(fd_, IPPROTO_TCP, TCP_QUICKACK, 1);
}

void Connection::step_greeting() {
  const int rc = ssh_connect(session_);
  // libssh makes the socket blocking again when it has connected it; one peer that stops reading
  // would then hold everybody.
  if (!banner_seen_ && ssh_get_fd(session_) >= 0) fcntl(fd_, F_SETFL, O_NONBLOCK);
  if (!banner_seen_ && ssh_get_serverbanner(session_) != nullptr) {
    banner_seen_ = true;
    note("banner", clean_output(ssh_get_serverbanner(session_)), true);
  }
  if (rc == SSH_AGAIN) return;
  if (rc != SSH_OK) return drop_or_fail(ssh_get_error(session_));
  const char* kex = ssh_get_kex_algo(session_);
  const char* cipher = ssh_get_cipher_out(session_);
  note("key exchange",
       fmt::format("{}, {}", kex == nullptr ? "?" : kex, cipher == nullptr ? "?" : cipher), true);
  if (!verify_host_key()) return;
  state_ = State::logging_in;
  login_ = std::make_unique<Login>(session_, destination_.login, context_.credentials);
}

bool Connection::verify_host_key() {
  host_key_ = server_key(session_);
  if (!host_key_) {
    fail_with({.fault = Fault::auth, .what = where() + " showed no host key that can be read"});
    return false;
  }
  auto& store = *destination_.host_keys;
  const auto verdict = store.check(destination_.host, destination_.port, *host_key_);
  const auto shown = fmt::format("{} {}", host_key_->type, host_key_->fingerprint());
  const bool replace = may_replace_key();
  const auto pin = [&](std::string_view how) {
    store.pin(destination_.host, destination_.port, *host_key_);
    newly_pinned_ = true;
    note("host key", fmt::format("{}, {}", shown, how), true);
    return true;
  };
  const auto refuse = [&](std::string what, std::string hint) {
    note("host key", what, false);
    fail_with({.fault = Fault::auth, .what = std::move(what), .hint = std::move(hint)});
    return false;
  };
  switch (verdict.match) {
    case KeyMatch::match:
      note("host key", shown + ", as pinned", true);
      return true;
    case KeyMatch::revoked:
      return refuse(fmt::format("{} shows the host key {}, which is revoked in line {} of {}",
                                where(), shown, verdict.line, store.path().string()),
                    "this key must not be trusted: reinstall the machine's host keys");
    case KeyMatch::unknown:
      if (replace || context_.policy == HostKeyPolicy::pin_new) return pin("new, pinned");
      return refuse(
          fmt::format("the host key of {} is not known: {}", where(), shown),
          fmt::format("run podwright discover, which pins it in {}", store.path().string()));
    case KeyMatch::changed:
      break;
  }
  if (replace) return pin("changed, accepted");
  return refuse(
      fmt::format("the host key of {} has changed: it shows {}, but {} {} is pinned", where(),
                  shown, verdict.stored.type, verdict.stored.fingerprint()),
      fmt::format(
          "if the machine was reinstalled: podwright discover --accept-new-key {}, or remove "
          "line {} of {}; if it was not, somebody may be between you and it",
          destination_.host, verdict.line, store.path().string()));
}

void Connection::drop_or_fail(const std::string& libssh_says) {
  const auto now = context_.clock.now();
  if (!banner_seen_ && libssh_says.starts_with("Socket error")) {
    // What sshd does when too many log in at once (MaxStartups): politeness helps.
    ++drops_;
    if (now - opened_ < context_.login_timeout) {
      free_session(false);
      const auto delay =
          std::min<Millis>(longest_retry, first_retry * (1 << std::min(drops_ - 1, 5)));
      retry_at_ = now + with_jitter(delay);
      state_ = State::backing_off;
      return;
    }
    note("banner",
         "closed before the banner, " + count_of(static_cast<std::size_t>(drops_), "time"), false);
    return fail_with(
        {.fault = Fault::unreachable,
         .what = fmt::format("{} closed {} before its SSH banner came, within {}", where(),
                             count_of(static_cast<std::size_t>(drops_), "connection"),
                             human_duration(context_.login_timeout)),
         .hint =
             "its sshd may allow too few logins at once (MaxStartups), deny this address, or the "
             "port is not SSH"});
  }
  if (!banner_seen_) {
    note("banner", plain(libssh_says), false);
    return fail_with({.fault = Fault::unreachable,
                      .what = fmt::format("{} does not speak SSH: {}", where(), plain(libssh_says)),
                      .hint = "check the port in cluster.toml"});
  }
  const auto types = destination_.host_keys->types(destination_.host, destination_.port);
  if (libssh_says.find("no match for method server host key") != std::string::npos &&
      !types.empty()) {
    note("host key", "the pinned type is not offered any more", false);
    return fail_with({.fault = Fault::auth,
                      .what = fmt::format(
                          "the host key of {} has changed: the pinned {} is not offered any more",
                          where(), human_list(types)),
                      .hint = fmt::format(
                          "if the machine was reinstalled: podwright discover --accept-new-key {}; "
                          "if it was not, somebody may be between you and it",
                          destination_.host)});
  }
  note("key exchange", plain(libssh_says), false);
  const bool no_match = libssh_says.find("no match for method") != std::string::npos;
  fail_with(
      {.fault = no_match ? Fault::auth : Fault::unreachable,
       .what = fmt::format("the key exchange with {} failed: {}", where(), plain(libssh_says)),
       .hint =
           no_match ? "its sshd offers only algorithms that are too weak or unknown here" : ""});
}

void Connection::step_login() {
  const auto step = login_->step();
  if (step == Login::Step::again) return;
  trace_.insert(trace_.end(), login_->trace().begin(), login_->trace().end());
  if (step == Login::Step::done) return become_ready();
  fail_with(login_->error(where()));
}

void Connection::become_ready() {
  login_.reset();
  event_ = ssh_event_new();
  if (event_ == nullptr) throw std::bad_alloc();
  ssh_event_add_session(event_, session_);
  state_ = State::ready;
  login_failed_ = false;
  rearm();
  if (const auto tell = std::exchange(on_change_, nullptr)) tell();
}

void Connection::pump() {
  bool lost = false;
  for (int i = 0; i < most_polls && !lost; ++i) {
    const int rc = ssh_event_dopoll(event_, 0);
    if (rc == SSH_AGAIN) break;
    lost = rc == SSH_ERROR || ssh_is_connected(session_) == 0;
  }
  check_descriptor();
  poke_users();
  if (session_ == nullptr) return;
  close_channels();
  if (lost || ssh_is_connected(session_) == 0) {
    return fail_with({.fault = Fault::unreachable,
                      .what = fmt::format("the connection to {} was lost: {}", where(),
                                          plain(ssh_get_error(session_)))});
  }
  rearm();
}

void Connection::poke_users() {
  // Users may detach themselves, or others, while they are called.
  for (std::size_t i = 0; i < users_.size(); ++i) {
    if (users_[i] != nullptr && users_[i]->restless) users_[i]->on_progress();
  }
  std::erase(users_, nullptr);
}

void Connection::attach(ChannelUser& user) { users_.push_back(&user); }

void Connection::detach(ChannelUser& user) { std::ranges::replace(users_, &user, nullptr); }

bool Connection::writable() const {
  return session_ != nullptr && (ssh_get_status(session_) & SSH_WRITE_PENDING) == 0;
}

void Connection::release(ssh_channel_struct* channel, ssh_channel_callbacks_struct* callbacks) {
  ssh_remove_channel_callbacks(channel, callbacks);
  closing_.push_back(channel);
  close_channels();
  rearm();
}

void Connection::close_channels() {
  // ssh_channel_close() gives up before it sends the CLOSE when the socket is full; freeing the
  // channel then would leave the server's end open for ever.
  std::erase_if(closing_, [this](ssh_channel channel) {
    const bool bound = ssh_channel_is_open(channel) != 0 || ssh_channel_is_eof(channel) != 0;
    if (bound && ssh_is_connected(session_) != 0 && ssh_channel_close(channel) == SSH_AGAIN) {
      return false;
    }
    ssh_channel_free(channel);
    return true;
  });
}

void Connection::free_session(bool politely) {
  login_.reset();
  if (session_ != nullptr) {
    const bool open = session_has_fd_ && check_descriptor();
    watch_.clear();
    if (event_ != nullptr) {
      ssh_event_remove_session(event_, session_);
      ssh_event_free(event_);
      event_ = nullptr;
    }
    if (politely && open) {
      ssh_disconnect(session_);  // leaves a socket that was given to it to us
      ::close(std::exchange(fd_, -1));
    }
    ssh_free(session_);  // closes the socket unless that happened above
    session_ = nullptr;
    session_has_fd_ = false;
    fd_ = -1;
  }
  closing_.clear();
  watch_.clear();
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  if (tunnel_) {
    tunnel_->finish();
    dead_tunnel_ = std::move(tunnel_);
  }
}

void Connection::fail_with(Error error) {
  login_failed_ = state_ != State::ready;
  free_session(false);
  state_ = State::closed;
  error_ = std::move(error);
  for (auto* user : std::exchange(users_, {})) {
    if (user != nullptr) user->on_lost(error_);
  }
  if (const auto tell = std::exchange(on_change_, nullptr)) tell();
}

void Connection::close() {
  if (via_ != nullptr) std::erase(via_->dependents_, this);
  if (state_ == State::closed && session_ == nullptr && fd_ < 0) return;
  const bool polite = state_ == State::ready;
  on_change_ = nullptr;
  const Error closed{.fault = Fault::unreachable, .what = "the connection was closed"};
  for (auto* user : std::exchange(users_, {})) {
    if (user != nullptr) user->on_lost(closed);
  }
  free_session(polite);
  state_ = State::closed;
  error_ = closed;
}

void Connection::tick(SteadyTime now) {
  const auto expired = [now](SteadyTime since, Millis allowed) { return now - since > allowed; };
  switch (state_) {
    case State::closed:
      return;
    case State::ready:
      // What a user asked of libssh may have read what others wait for.
      if (std::ranges::any_of(users_,
                              [](auto* user) { return user != nullptr && user->restless; })) {
        pump();
      }
      return;
    case State::backing_off:
      if (now >= retry_at_) begin();
      return;
    case State::resolving:
      resolve();
      if (state_ == State::resolving && expired(stage_begun_, destination_.connect_timeout)) {
        note("resolve", "no answer", false);
        fail_with(
            {.fault = Fault::unreachable,
             .what = fmt::format("the name server did not say within {} who {} is",
                                 human_duration(destination_.connect_timeout), destination_.host),
             .hint = "write an IP address in cluster.toml, or mend /etc/resolv.conf"});
      }
      return;
    case State::behind_jump: {
      if (!tunnel_) return;  // the jump host has deadlines of its own
      tunnel_->poll();
      if (state_ != State::behind_jump) return;
      if (!expired(stage_begun_, destination_.connect_timeout)) return;
      note("jump host", "no connection", false);
      return fail_with({.fault = Fault::unreachable,
                        .what = fmt::format("{} could not connect to {} within {}", via_->where(),
                                            destination_.endpoint(),
                                            human_duration(destination_.connect_timeout)),
                        .hint = connect_hint(ETIMEDOUT)});
    }
    case State::connecting: {
      if (!expired(stage_begun_, destination_.connect_timeout)) return;
      watch_.clear();
      ::close(std::exchange(fd_, -1));
      connect_errors_ = fmt::format("{} did not answer within {}", destination_.endpoint(),
                                    human_duration(destination_.connect_timeout));
      if (next_address_ < addresses_.size()) return connect_next();
      note("tcp", connect_errors_, false);
      return fail_with(
          {.fault = Fault::unreachable, .what = connect_errors_, .hint = connect_hint(ETIMEDOUT)});
    }
    case State::greeting:
    case State::logging_in: {
      if (!expired(last_progress_, context_.login_timeout) &&
          !expired(stage_begun_, context_.login_timeout * most_login_timeouts)) {
        return;
      }
      const auto waited = human_duration(context_.login_timeout);
      if (!banner_seen_) {
        note("banner", "none", false);
        return fail_with({.fault = Fault::unreachable,
                          .what = fmt::format("{} accepted the connection, but sent no SSH banner "
                                              "within {}",
                                              where(), waited),
                          .hint = "its sshd hangs or is overloaded, or the port is not SSH"});
      }
      const bool greeting = state_ == State::greeting;
      note(greeting ? "key exchange" : "login", "no progress", false);
      return fail_with(
          {.fault = Fault::unreachable,
           .what = fmt::format("the {} with {} made no progress for {}",
                               greeting ? "key exchange" : "login", where(), waited),
           .hint = "its sshd hangs or the machine is overloaded; look at it on its console"});
    }
  }
}

}  // namespace podwright
