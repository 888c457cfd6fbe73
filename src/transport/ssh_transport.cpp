#include "transport/ssh_transport.hpp"

#include <fmt/format.h>
#include <libssh/libssh.h>
#include <sys/resource.h>

#include <algorithm>
#include <deque>
#include <stdexcept>
#include <utility>

#include "base/files.hpp"
#include "base/text.hpp"
#include "transport/command.hpp"
#include "transport/sigpipe.hpp"
#include "transport/ssh_config.hpp"

namespace podwright {

namespace {

/// Deadlines are looked at this often; a stop and everything on a socket is noticed at once.
constexpr Millis tick_every{50};
/// A login without progress for so long waits for a dead machine: others may begin meanwhile.
constexpr Millis counts_as_waiting{1000};
/// Descriptors that are not sessions: files, pipes, the loop.
constexpr std::size_t spare_descriptors = 100;

const std::vector<std::string> usual_keys = {"~/.ssh/id_ed25519", "~/.ssh/id_rsa",
                                             "~/.ssh/id_ecdsa"};

/// Lets this process open as many files as it may, and says how many that are.
std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    auto raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return limit.rlim_cur == RLIM_INFINITY ? 1U << 20U : static_cast<std::size_t>(limit.rlim_cur);
}

Error named(Error error, const NodeId& node) {
  if (!error.node) error.node = node;
  return error;
}

}  // namespace

struct SshTransport::Impl {
  struct Link {
    Node node;
    std::unique_ptr<Connection> connection{};
    bool in_use = false;
  };
  struct Job {
    const Request* request = nullptr;
    Link* link = nullptr;
    std::unique_ptr<Command> command{};
    bool reused = false;  ///< runs on a session that was open before
    bool connecting = false;
    bool done = false;
  };
  struct Run {
    std::deque<Job> jobs;
    std::deque<Job*> queue;       ///< wait for a session
    std::vector<Job*> connected;  ///< their session is there, or will not be
    std::vector<Job*> ended;      ///< their command ended
    bool look_at_queue = true;    ///< a login or a command ended, or time passed
    std::size_t unfinished = 0;
    TransportObserver* observer = nullptr;
    std::map<NodeId, Result<Reply>> results;
  };

  Impl(const std::vector<Node>& nodes, SshOptions given)
      : options(std::move(given)),
        resolver(loop),
        credentials(options.ask, options.home, clock),
        context{.loop = loop,
                .resolver = resolver,
                .credentials = credentials,
                .clock = clock,
                .login_timeout = options.login_timeout,
                .policy = options.host_keys,
                .replace_keys = options.accept_new_keys} {
    for (const auto& node : nodes) links.emplace(node.name, Link{.node = node});
    // Besides its own, a session may need a socket pair to its jump host, or one to the agent.
    const auto descriptors = raise_descriptor_limit();
    const auto affordable = descriptors > 2 * spare_descriptors
                                ? (descriptors - spare_descriptors) / 3
                                : spare_descriptors / 3;
    options.max_open = std::clamp<std::size_t>(options.max_open, 1, affordable);
    options.width = std::clamp<std::size_t>(options.width, 1, options.max_open);
  }
  ~Impl() {
    links.clear();
    // A jump host behind another one was made after it.
    while (!jumps.empty()) jumps.pop_back();
  }

  // What ssh_config and cluster.toml say together.
  const Result<SshConfig>& config_of(const SshSettings& settings);
  HostKeyStore* store_of(const std::string& path, std::optional<Error>& problem);
  Destination destination(const SshSettings& settings, const std::string& address,
                          std::vector<std::string>* jump_hosts);
  Connection* jump_chain(const SshSettings& settings, const std::vector<std::string>& hops,
                         std::optional<Error>& problem);
  Connection& connection_of(Link& link);

  // A run.
  void start_logins(Run& run);
  void start_command(Run& run, Job& job);
  void process_connected(Run& run);
  void process_ended(Run& run);
  void process_stirred(Run& run);
  void finish(Run& run, Job& job, Result<Reply> result);
  void tick(Run& run);
  void cancel(Run& run);
  void save_host_keys(Run& run);
  [[nodiscard]] std::size_t open_sessions() const;
  bool make_room();

  SshOptions options;
  EventLoop loop;
  DeadlineClock clock;
  Resolver resolver;
  Credentials credentials;
  ConnectionContext context;
  std::map<std::string, HostKeyStore> stores;
  std::map<std::string, Result<SshConfig>> configs;
  std::vector<std::pair<std::string, std::unique_ptr<Connection>>> jumps;
  std::map<NodeId, Link> links;
};

const Result<SshConfig>& SshTransport::Impl::config_of(const SshSettings& settings) {
  const auto key = settings.use_ssh_config ? "file " + settings.ssh_config : std::string("none");
  const auto known = configs.find(key);
  if (known != configs.end()) return known->second;
  std::vector<std::filesystem::path> files;
  if (settings.use_ssh_config && settings.ssh_config.empty()) {
    files = {options.home + "/.ssh/config", "/etc/ssh/ssh_config"};
  } else if (settings.use_ssh_config) {
    files = {expand_home(settings.ssh_config)};
  }
  return configs.emplace(key, SshConfig::load(files, options.home)).first->second;
}

HostKeyStore* SshTransport::Impl::store_of(const std::string& path, std::optional<Error>& problem) {
  const auto known = stores.find(path);
  if (known != stores.end()) return &known->second;
  auto store = HostKeyStore::load(expand_home(path));
  if (!store) {
    problem = store.error();
    return nullptr;
  }
  return &stores.emplace(path, std::move(*store)).first->second;
}

/// `jump_hosts` receives the hops, unless it is null: then what ssh_config says of them is not
/// asked.
Destination SshTransport::Impl::destination(const SshSettings& settings, const std::string& address,
                                            std::vector<std::string>* jump_hosts) {
  Destination to;
  to.written = address;
  HostSettings says;
  const auto& config = config_of(settings);
  if (config) {
    says = config->lookup(address);
  } else {
    to.impossible = config.error();
  }
  to.host = says.host_name.value_or(address);
  to.port = settings.port_set ? settings.port : says.port.value_or(settings.port);
  to.connect_timeout = says.connect_timeout_seconds
                           ? Millis(std::chrono::seconds(*says.connect_timeout_seconds))
                           : options.connect_timeout;
  auto& login = to.login;
  login.user = settings.user_set ? settings.user : says.user.value_or(settings.user);
  // The key of cluster.toml is meant for the nodes: a jump host may have one of its own.
  const bool jump = jump_hosts == nullptr;
  if (jump || settings.key.empty()) login.keys = says.identity_files;
  if (!settings.key.empty()) login.keys.push_back(settings.key);
  if (!says.identities_only) login.default_keys = usual_keys;
  login.agent = settings.agent && !says.identities_only && says.identity_agent != "none";
  login.agent_socket = says.identity_agent.value_or("");
  login.password_env = settings.password_env;
  login.ask_password = settings.ask_password;
  to.host_keys = store_of(settings.known_hosts, to.impossible);
  if (jump) return to;
  *jump_hosts = settings.jump_set || !settings.jump.empty() ? settings.jump : says.proxy_jump;
  if (jump_hosts->empty() && !settings.jump_set && !says.proxy_command.empty()) {
    to.impossible =
        Error{.fault = Fault::usage,
              .what = fmt::format("ssh_config reaches {} through ProxyCommand {}, which "
                                  "podwright does not run",
                                  address, says.proxy_command),
              .hint =
                  "write jump = [\"user@host:port\"] in cluster.toml, or ProxyJump in "
                  "ssh_config"};
  }
  return to;
}

/// The last jump host's connection, made with those before it; shared by all nodes behind it.
Connection* SshTransport::Impl::jump_chain(const SshSettings& settings,
                                           const std::vector<std::string>& hops,
                                           std::optional<Error>& problem) {
  Connection* via = nullptr;
  std::string key = settings.known_hosts + "|" + settings.key + "|" + settings.password_env;
  for (const auto& hop : hops) {
    const auto jump = parse_jump_host(hop);
    if (!jump) {
      problem = jump.error();
      return nullptr;
    }
    // What is not written with the hop: ssh_config's word, then the node's own settings.
    auto own = settings;
    own.user_set = !jump->user.empty();
    if (own.user_set) own.user = jump->user;
    own.port_set = jump->port != 0;
    own.port = own.port_set ? jump->port : 22;
    auto to = destination(own, jump->host, nullptr);
    key += fmt::format("|{}@{}:{}", to.login.user, to.host, to.port);
    const auto known = std::ranges::find(jumps, key, [](const auto& each) { return each.first; });
    if (known != jumps.end()) {
      via = known->second.get();
      continue;
    }
    to.label = "jump host";
    auto made = std::make_unique<Connection>(context, std::move(to), via);
    via = made.get();
    jumps.emplace_back(key, std::move(made));
  }
  return via;
}

Connection& SshTransport::Impl::connection_of(Link& link) {
  if (link.connection) return *link.connection;
  std::vector<std::string> hops;
  auto to = destination(link.node.ssh, link.node.address, &hops);
  Connection* via = nullptr;
  if (!to.impossible) via = jump_chain(link.node.ssh, hops, to.impossible);
  link.connection = std::make_unique<Connection>(context, std::move(to), via);
  return *link.connection;
}

std::size_t SshTransport::Impl::open_sessions() const {
  return static_cast<std::size_t>(std::ranges::count_if(links, [](const auto& each) {
    const auto& connection = each.second.connection;
    return connection && connection->state() != Connection::State::closed;
  }));
}

/// Closes a session that nobody uses; false when there is none.
bool SshTransport::Impl::make_room() {
  const auto idle = std::ranges::find_if(links, [](const auto& each) {
    const auto& link = each.second;
    return !link.in_use && link.connection && link.connection->ready();
  });
  if (idle == links.end()) return false;
  idle->second.connection->close();
  return true;
}

void SshTransport::Impl::start_logins(Run& run) {
  if (run.queue.empty() || !std::exchange(run.look_at_queue, false)) return;
  const auto now = clock.now();
  auto active = static_cast<std::size_t>(std::ranges::count_if(run.jobs, [&](const Job& job) {
    return job.connecting && job.link->connection->state() != Connection::State::backing_off &&
           now - job.link->connection->last_progress() < counts_as_waiting;
  }));
  auto open = open_sessions();
  while (!run.queue.empty() && active < options.width) {
    if (open >= options.max_open) {
      if (!make_room()) return;
      --open;
    }
    auto& job = *run.queue.front();
    run.queue.pop_front();
    job.connecting = true;
    ++active;
    ++open;
    connection_of(*job.link).open([&run, &job] { run.connected.push_back(&job); });
  }
}

void SshTransport::Impl::start_command(Run& run, Job& job) {
  const auto& settings = job.link->node.ssh;
  auto& connection = *job.link->connection;
  const auto& user = connection.destination().login.user;
  std::optional<SudoSettings> sudo;
  if (job.request->become && settings.become == "sudo" && user != "root") {
    sudo = SudoSettings{.user = user, .password_env = settings.become_password_env};
    if (!settings.become_password_env.empty()) {
      auto password = Credentials::from_environment(settings.become_password_env);
      if (!password) return finish(run, job, fail(password.error()));
      sudo->password = std::move(*password);
    }
  }
  std::function<void(std::string_view)> on_output;
  if (run.observer != nullptr) {
    on_output = [&run, &node = job.request->node](std::string_view bytes) {
      run.observer->on_output(node, bytes);
    };
  }
  job.command = std::make_unique<Command>(connection, clock, *job.request, std::move(sudo),
                                          options.login_timeout, std::move(on_output),
                                          [&run, &job] { run.ended.push_back(&job); });
  job.command->start();
}

void SshTransport::Impl::process_connected(Run& run) {
  run.look_at_queue = run.look_at_queue || !run.connected.empty();
  for (auto* job : std::exchange(run.connected, {})) {
    job->connecting = false;
    auto& connection = *job->link->connection;
    if (!connection.ready()) {
      finish(run, *job, fail(connection.error()));
      continue;
    }
    if (run.observer != nullptr) run.observer->on_connected(job->request->node);
    start_command(run, *job);
  }
}

void SshTransport::Impl::process_ended(Run& run) {
  run.look_at_queue = run.look_at_queue || !run.ended.empty();
  for (auto* job : std::exchange(run.ended, {})) {
    if (job->done) continue;
    auto result = job->command->take_result();
    const bool never_began = !result && !job->command->may_have_run();
    job->command.reset();
    if (never_began && job->reused && result.error().fault == Fault::unreachable) {
      // The kept session had died unnoticed, and the node has seen nothing of the command.
      job->reused = false;
      job->link->connection->close();
      run.queue.push_back(job);
      continue;
    }
    finish(run, *job, std::move(result));
    if (!options.keep_sessions) job->link->connection->close();
  }
}

/// What one node said may be an answer that others wait for.
void SshTransport::Impl::process_stirred(Run& run) {
  for (auto& job : run.jobs) {
    if (job.done || !job.command || job.request->feed == nullptr || !job.request->feed->stirred()) continue;
    job.link->connection->tick(clock.now());
  }
}

void SshTransport::Impl::finish(Run& run, Job& job, Result<Reply> result) {
  job.done = true;
  job.connecting = false;
  job.link->in_use = false;
  --run.unfinished;
  const auto& node = job.request->node;
  if (!result) result = fail(named(result.error(), node));
  const auto& kept = run.results.insert_or_assign(node, std::move(result)).first->second;
  if (run.observer != nullptr) run.observer->on_done(node, kept);
}

void SshTransport::Impl::tick(Run& run) {
  run.look_at_queue = true;
  const auto now = clock.now();
  if (run.observer != nullptr) run.observer->on_tick();
  for (const auto& [key, jump] : jumps) jump->tick(now);
  for (auto& job : run.jobs) {
    if (job.done) continue;
    if (job.link->connection) job.link->connection->tick(now);
    if (job.command) job.command->tick(now);
  }
}

void SshTransport::Impl::cancel(Run& run) {
  const Error stopped{.fault = Fault::cancelled, .what = "stopped by the operator"};
  for (auto& job : run.jobs) {
    if (job.done) continue;
    const bool running = job.command && job.command->may_have_run();
    if (job.command) job.command->abandon(stopped);
    job.command.reset();
    if (job.link->connection) job.link->connection->close();
    auto error = stopped;
    if (running) {
      error.what = "stopped while its command was running";
      error.hint = "what it had started may still be running there";
    }
    finish(run, job, fail(std::move(error)));
  }
  for (const auto& [key, jump] : jumps) {
    if (jump->busy()) jump->close();
  }
}

void SshTransport::Impl::save_host_keys(Run& run) {
  for (auto& [path, store] : stores) {
    const auto saved = store.save();
    if (saved) continue;
    for (auto& [node, result] : run.results) {
      const Connection* hop = links.at(node).connection.get();
      for (; hop != nullptr && result; hop = hop->via()) {
        if (!hop->newly_pinned() || hop->destination().host_keys != &store) continue;
        result = fail(named(saved.error(), node));
      }
    }
  }
}

SshTransport::SshTransport(const std::vector<Node>& nodes, SshOptions options) {
  ssh_init();
  if (options.home.empty()) options.home = expand_home("~").string();
  impl_ = std::make_unique<Impl>(nodes, std::move(options));
}

SshTransport::~SshTransport() = default;

std::map<NodeId, Result<Reply>> SshTransport::run(const std::vector<Request>& requests,
                                                  TransportObserver* observer,
                                                  std::stop_token stop) {
  const IgnoreSigpipe guard;
  auto& impl = *impl_;
  Impl::Run run;
  run.observer = observer;
  for (const auto& [key, jump] : impl.jumps) jump->forgive();
  for (const auto& request : requests) {
    const auto link = impl.links.find(request.node);
    if (link == impl.links.end()) {
      throw std::invalid_argument("a request for a node that the transport does not know: " +
                                  request.node);
    }
    if (link->second.in_use) throw std::invalid_argument("two requests for " + request.node);
    link->second.in_use = true;
    run.jobs.push_back({.request = &request, .link = &link->second});
  }
  run.unfinished = run.jobs.size();
  const std::stop_callback wake(stop, [&impl] { impl.loop.wake(); });

  for (auto& job : run.jobs) {
    if (!stop.stop_requested() && job.link->connection && job.link->connection->ready()) {
      job.reused = true;
      impl.start_command(run, job);
    } else {
      run.queue.push_back(&job);
    }
  }
  auto next_tick = std::chrono::steady_clock::now() + tick_every;
  while (run.unfinished > 0) {
    if (stop.stop_requested()) {
      impl.cancel(run);
      break;
    }
    impl.start_logins(run);
    const bool work = !run.connected.empty() || !run.ended.empty();
    impl.loop.wait(work ? Millis(0) : tick_every);
    // Sockets first: what is ready has made progress, however late we come to see it.
    if (const auto now = std::chrono::steady_clock::now(); now >= next_tick) {
      impl.tick(run);
      next_tick = now + tick_every;
    }
    impl.process_connected(run);
    impl.process_ended(run);
    impl.process_stirred(run);
  }
  impl.save_host_keys(run);
  return std::move(run.results);
}

Result<Diagnosis> SshTransport::diagnose(const NodeId& node, std::stop_token stop) {
  const auto link = impl_->links.find(node);
  if (link == impl_->links.end()) return fail(Fault::usage, "no node is named " + node);
  disconnect(node);
  for (const auto& [key, jump] : impl_->jumps) jump->close();
  const std::vector<Request> requests = {
      {.node = node, .command = "true", .deadline = impl_->options.login_timeout}};
  auto result = std::move(run(requests, nullptr, std::move(stop)).at(node));
  if (!result && result.error().fault == Fault::cancelled) return fail(result.error());

  Diagnosis diagnosis;
  const auto& connection = *link->second.connection;
  std::vector<const Connection*> chain;
  for (const auto* each = &connection; each != nullptr; each = each->via()) chain.push_back(each);
  for (auto each = chain.rbegin(); each != chain.rend(); ++each) {
    const bool jump = *each != &connection;
    for (auto step : (*each)->trace()) {
      if (jump)
        step.method = fmt::format("{} ({})", step.method, (*each)->destination().endpoint());
      diagnosis.steps.push_back(std::move(step));
    }
  }
  const auto& settings = link->second.node.ssh;
  const bool sudo = settings.become == "sudo" && connection.destination().login.user != "root";
  const bool logged_in = connection.ready();
  if (logged_in) {
    diagnosis.steps.push_back(
        {.method = sudo ? "sudo" : "command",
         .detail = result ? (sudo ? "commands run as root" : "commands run") : result.error().what,
         .ok = result.has_value() && result->exit_status == 0});
  }
  if (!result) diagnosis.error = result.error();
  return diagnosis;
}

std::optional<HostKey> SshTransport::host_key(const NodeId& node) const {
  const auto link = impl_->links.find(node);
  if (link == impl_->links.end() || !link->second.connection) return std::nullopt;
  return link->second.connection->host_key();
}

std::vector<std::string> SshTransport::notes() const {
  std::vector<std::string> notes;
  for (const auto& [key, config] : impl_->configs) {
    if (config) notes.insert(notes.end(), config->notes().begin(), config->notes().end());
  }
  return notes;
}

void SshTransport::disconnect(const NodeId& node) {
  const auto link = impl_->links.find(node);
  if (link != impl_->links.end() && link->second.connection) link->second.connection->close();
}

void SshTransport::disconnect_all() {
  for (auto& [name, link] : impl_->links) {
    if (link.connection) link.connection->close();
  }
  for (const auto& [key, jump] : impl_->jumps) jump->close();
}

}  // namespace podwright
