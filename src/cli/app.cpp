#include "cli/app.hpp"
#include "base/json.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <iostream>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/help.hpp"
#include "cli/parser.hpp"
#include "cli/schema.hpp"
#include "cli/signals.hpp"
#include "cli/transport_factory.hpp"
#include "config/config.hpp"
#include "config/json.hpp"
#include "config/nodeset.hpp"
#include "engine/planner.hpp"
#include "events/journal_sink.hpp"
#include "events/ndjson_sink.hpp"
#include "events/plain_sink.hpp"
#include "events/terminal.hpp"
#include "events/tty_sink.hpp"
#include "transport/local_transport.hpp"

namespace podwright::cli {

namespace fs = std::filesystem;

namespace {

const events::Write& to_stdout() {
  static const events::Write write = events::writer_to(STDOUT_FILENO);
  return write;
}

const events::Write& to_stderr() {
  static const events::Write write = events::writer_to(STDERR_FILENO);
  return write;
}

std::string document_text(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json error_document(const Error& error) {
  // The keys of an error are a contract: all of them, always.
  return {{"error",
           {{"fault", to_string(error.fault)},
            {"what", clean_output(error.what)},
            {"hint", clean_output(error.hint)},
            {"node", error.node ? Json(*error.node) : Json(nullptr)},
            {"step", error.step.empty() ? Json(nullptr) : Json(error.step)}}}};
}

/// An error on stderr: what on the first line, the remedy beneath.
std::string error_text(const Error& error, const Style& style) {
  std::string where = error.node ? *error.node + ": " : "";
  if (!error.step.empty()) where += error.step + ": ";
  std::string text = fmt::format("{} {}{}\n", style.bad("podwright:"), where, clean_output(error.what));
  if (!error.hint.empty()) text += fmt::format("  hint: {}\n", clean_output(error.hint));
  return text;
}

/// A configuration that cannot be read is the operator's to mend, whatever the reader called it.
Error as_usage(Error error) {
  error.fault = Fault::usage;
  return error;
}

}  // namespace

App::App(Globals globals, std::string verb) : globals_(std::move(globals)), verb_(std::move(verb)) {
  const auto detail = globals_.quiet     ? events::Detail::quiet
                      : globals_.verbose ? events::Detail::verbose
                                         : events::Detail::normal;
  if (::isatty(STDERR_FILENO) == 1) {
    tty_ = std::make_shared<events::TtySink>(
        events::TtyOptions{.write = to_stderr(),
                           .width = [] { return events::terminal_width(STDERR_FILENO); },
                           .detail = detail,
                           .color = wants_color(globals_.color, STDERR_FILENO)});
    bus_.attach(tty_);
  } else {
    bus_.attach(std::make_shared<events::PlainSink>(to_stderr(), detail));
  }
  if (globals_.output == Output::ndjson) {
    bus_.attach(std::make_shared<events::NdjsonSink>(to_stdout()));
  }
  signals_ = std::make_unique<Signals>([this](int) {
    bus_.warn("stopping what runs on the nodes; once more stops at once");
  });
}

App::~App() {
  if (lock_ >= 0) ::close(lock_);
}

std::stop_token App::stop() const { return signals_->token(); }
bool App::cancelled() const { return signals_->requested(); }

Style App::style() const { return {.color = wants_color(globals_.color, STDOUT_FILENO)}; }
std::size_t App::width() const {
  return std::clamp<std::size_t>(events::terminal_width(STDOUT_FILENO), 40, 200);
}

Result<const Inventory*> App::inventory() {
  if (inventory_) return &*inventory_;
  std::error_code problem;
  if (!fs::exists(globals_.cluster, problem)) {
    return fail(Fault::usage, fmt::format("there is no {}", globals_.cluster),
                globals_.cluster_given ? "check --cluster, or write one with `podwright init`"
                                       : "write one with `podwright init`, or name it with --cluster FILE");
  }
  auto loaded = load_inventory(globals_.cluster);
  if (!loaded) return fail(as_usage(loaded.error()));
  inventory_ = std::move(*loaded);
  return &*inventory_;
}

Result<std::vector<NodeId>> App::selected() {
  const auto inventory = this->inventory();
  if (!inventory) return fail(inventory.error());
  if (!globals_.nodes.empty()) {
    auto nodes = select_nodes(globals_.nodes, **inventory);
    if (!nodes) return fail(as_usage(nodes.error()));
    return nodes;
  }
  auto all = (*inventory)->names();
  if (all.empty()) {
    return fail(Fault::usage, fmt::format("{} names no node", globals_.cluster),
                "add [[node]] tables, or find the machines with `podwright discover CIDR`");
  }
  return all;
}

Result<const Profile*> App::profile() {
  if (profile_) return &*profile_;
  const auto inventory = this->inventory();
  if (!inventory) return fail(inventory.error());
  const auto& name = globals_.profile.empty() ? (*inventory)->profile : globals_.profile;
  if (name.empty()) {
    return fail(Fault::usage, fmt::format("{} names no profile", globals_.cluster),
                "set [cluster] profile, or use --profile NAME; `podwright profile list` shows them");
  }
  auto loaded = load_profile(name, (*inventory)->directory, (*inventory)->vars, globals_.set,
                             catalog_schema());
  if (!loaded) return fail(as_usage(loaded.error()));
  if (auto complete = require_variables(*loaded); !complete) return fail(complete.error());
  if (auto compatible = check_compatibility(*loaded); !compatible) return fail(compatible.error());
  profile_ = std::move(*loaded);
  return &*profile_;
}

Status App::open_run(Access access) {
  const auto inventory = this->inventory();
  if (!inventory) return fail(inventory.error());
  const fs::path state_dir = (*inventory)->state_dir;
  if (access == Access::changes && lock_ < 0) {
    if (auto made = make_directories(state_dir, 0700); !made) return fail(made.error());
    lock_ = ::open((state_dir / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_ < 0) {
      return fail(Fault::internal, fmt::format("cannot open {}: {}", (state_dir / "lock").string(),
                                               std::strerror(errno)),
                  "check the permissions of state_dir");
    }
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
      return fail(Fault::usage, fmt::format("another podwright is changing the cluster {} right now",
                                            (*inventory)->name),
                  "wait until it has ended; its log is the newest in " + (state_dir / "runs").string());
    }
  }
  auto folder = RunFolder::create(state_dir, verb_);
  if (!folder) return fail(folder.error());
  run_.emplace(std::move(*folder));
  auto journal = events::JournalSink::open(run_->file("events.ndjson"));
  if (!journal) return fail(journal.error());
  journal_ = *journal;
  bus_.attach(journal_);
  bus_.emit(events::RunStarted{verb_, run_->id(), run_->path().string()});
  return {};
}

Result<Site*> App::open(Access access, Sessions sessions) {
  auto nodes = selected();
  if (!nodes) return fail(nodes.error());
  if (!local_) {
    auto options = ssh_options();
    options.keep_sessions = sessions == Sessions::kept;
    transport_ = std::make_unique<SshTransport>(inventory_->nodes, std::move(options));
    for (const auto& note : transport_->notes()) bus_.debug(note);
    if (!run_) {
      if (auto opened = open_run(access); !opened) return fail(opened.error());
    }
  }
  Transport& transport = local_ ? static_cast<Transport&>(*local_) : *transport_;
  site_.emplace(Site{.inventory = *inventory_,
                     .nodes = std::move(*nodes),
                     .transport = transport,
                     .events = bus_,
                     .stop = signals_->token(),
                     .timeout = globals_.timeout.value_or(Millis(60000))});
  return &*site_;
}

namespace {

constexpr const char* installed_cluster_file = "/etc/podwright/cluster.toml";
constexpr const char* state_of_this_machine = "/var/lib/podwright/state";

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  const std::string full = name.data();
  return full.substr(0, full.find('.'));
}

LocalOptions local_options(const SshSettings& ssh) {
  return {.become = ssh.become, .become_password_env = ssh.become_password_env};
}

}  // namespace

Status App::use_this_machine() {
  const auto name = host_name();
  std::error_code problem;
  if (!globals_.cluster_given && !fs::exists(globals_.cluster, problem)) {
    if (fs::exists(installed_cluster_file, problem)) {
      globals_.cluster = installed_cluster_file;
    } else {
      Node node;
      node.name = name;
      Inventory alone;
      alone.name = name;
      alone.directory = ".";
      alone.state_dir = state_of_this_machine;
      alone.nodes.push_back(std::move(node));
      use_inventory(std::move(alone));
      if (globals_.profile.empty()) profile_.emplace();
    }
  }
  const auto inventory = this->inventory();
  if (!inventory) return fail(inventory.error());
  auto nodes = globals_.nodes.empty() ? std::vector<NodeId>{name} : std::vector<NodeId>{};
  if (nodes.empty()) {
    auto named = selected();
    if (!named) return fail(named.error());
    nodes = std::move(*named);
  }
  if (nodes.size() != 1 || (*inventory)->find(nodes.front()) == nullptr) {
    return fail(Fault::usage,
                nodes.size() == 1 ? fmt::format("{} has no node {}, which is what this machine is called", globals_.cluster, name)
                                  : fmt::format("this machine is one node, and {} are named", nodes.size()),
                "say which node of it this machine is: -n NODE");
  }
  globals_.nodes = nodes.front();
  local_ = std::make_unique<LocalTransport>(local_options((*inventory)->find(nodes.front())->ssh));
  return {};
}

SshOptions App::ssh_options() {
  return cli::ssh_options(globals_, signals_->token(), [this] {
    if (tty_) tty_->close();
  });
}

void App::use_profile(std::string profile, std::vector<std::string> set) {
  globals_.profile = std::move(profile);
  globals_.set = std::move(set);
}

void App::keep_only(std::vector<NodeId> nodes) { site_->nodes = std::move(nodes); }

SecretStore& App::secrets() {
  if (!secrets_) secrets_.emplace(fs::path(inventory_->state_dir) / "secrets");
  return *secrets_;
}

void App::save(std::string_view name, const Json& document, OnDisk when) {
  if (!run_) return;
  if (const auto saved = run_->save(name, document, when); !saved) bus_.warn(saved.error().message());
}

bool App::asks() const { return !globals_.yes && ::isatty(STDIN_FILENO) == 1; }

Status App::confirm(const std::string& question) {
  if (!asks()) return {};
  if (tty_) tty_->close();
  to_stderr()(question + " [y/N] ");
  std::string answer;
  // Not getline: Ctrl-C must end the question too.
  for (;;) {
    if (cancelled()) {
      to_stderr()("\n");
      return fail(Fault::cancelled, "interrupted before anything was changed");
    }
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, 100) <= 0) continue;
    char c = 0;
    if (::read(STDIN_FILENO, &c, 1) <= 0 || c == '\n') break;
    answer += c;
  }
  if (trim(answer) == "y" || trim(answer) == "Y" || trim(answer) == "yes") return {};
  return fail(Fault::cancelled, "not confirmed: nothing was changed", "--yes does not ask");
}

void App::say(std::string_view text) {
  if (globals_.output != Output::text) return;
  if (tty_) tty_->close();
  to_stdout()(text);
}

void App::tell(std::string_view text) {
  if (tty_) tty_->close();
  to_stderr()(text);
}

void App::print_error(const Error& error) {
  if (globals_.output == Output::json) to_stdout()(document_text(error_document(error)));
  if (globals_.output == Output::ndjson) {
    Json line = {{"event", "error"}};
    line.update(error_document(error));
    to_stdout()(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  }
  to_stderr()(error_text(error, {.color = wants_color(globals_.color, STDERR_FILENO)}));
}

void App::print_trailer(int code, const std::string& next) {
  if (code == kOk) return;
  std::string text;
  if (run_) text += fmt::format("  log:  {}\n", run_->file("events.ndjson").string());
  if (!next.empty()) text += fmt::format("  next: {}\n", next);
  to_stderr()(text);
}

std::string App::next_after(const Error& error) const {
  switch (error.fault) {
    case Fault::unreachable:
    case Fault::auth:
    case Fault::timeout:
      return next_command(*this, error.node ? "doctor -n " + *error.node : std::string("doctor"));
    case Fault::stale: return next_command(*this, "plan --out FILE");
    default: return next_command(*this, verb_);
  }
}

int App::finish(const Result<Outcome>& outcome) {
  int code = outcome ? outcome->exit_code : exit_code(outcome.error().fault);
  if (cancelled()) code = kCancelled;
  if (run_) bus_.emit(events::RunFinished{verb_, run_->id(), code == kOk, code});
  if (tty_) tty_->close();
  if (journal_ && !journal_->status()) to_stderr()("warning: " + journal_->status().error().message() + "\n");

  if (!outcome) {
    print_error(outcome.error());
    print_trailer(code, run_ ? next_after(outcome.error()) : std::string{});
    return code;
  }
  switch (globals_.output) {
    case Output::text: to_stdout()(outcome->text); break;
    case Output::json: to_stdout()(document_text(outcome->document)); break;
    case Output::ndjson: {
      Json line = {{"event", "result"}};
      line["result"] = outcome->document;
      to_stdout()(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
      break;
    }
  }
  const Style style{.color = wants_color(globals_.color, STDERR_FILENO)};
  if (code == kCancelled) to_stderr()(style.bad("podwright:") + " interrupted\n");
  for (const auto& problem : outcome->problems) {
    to_stderr()(fmt::format("{} {}\n", style.bad("podwright:"), clean_output(problem)));
  }
  // Whatever was looked at and not finished is looked at again; only apply has more to say.
  print_trailer(code, code == kCancelled && verb_ != "apply" ? next_command(*this, verb_) : outcome->next);
  return code;
}

std::string next_command(const App& app, std::string_view rest) {
  std::string text = "podwright";
  if (app.globals().cluster_given) text += " -c " + sh::join({app.globals().cluster});
  return text + " " + std::string(rest);
}

namespace {

Error bug(std::string_view what) {
  return {.fault = Fault::internal,
          .what = fmt::format("internal error: {}", what),
          .hint = "this is a bug in podwright; please report it with the command line"};
}

int run_verb(const std::vector<std::string>& arguments) {
  const auto commands = all_commands();
  Globals globals;
  const auto parsed = parse(arguments, commands, globals);
  if (!parsed) {
    globals.output = output_of(arguments);
    App app(globals, "podwright");
    return app.finish(fail(parsed.error()));
  }
  App app(globals, parsed->command == nullptr ? "podwright" : parsed->command->name);
  if (globals.help) {
    const auto text = parsed->command == nullptr ? overview(commands)
                                                 : help_text(*parsed->command, parsed->path);
    const auto document = parsed->command == nullptr ? overview_json(commands)
                                                     : help_json(*parsed->command, parsed->path);
    return app.finish(Outcome{.document = document, .text = text});
  }
  if (globals.version) return app.finish(version_command().run(app));
  if (parsed->command == nullptr) {
    return app.finish(fail(Fault::usage, "no verb was given",
                           fmt::format("`podwright --help` lists the verbs; a new cluster begins with "
                                       "`podwright init`")));
  }
  try {
    return app.finish(parsed->command->run(app));
  } catch (const std::exception& exception) {
    return app.finish(fail(bug(exception.what())));
  }
}

}  // namespace

int run(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  try {
    return run_verb(arguments);
  } catch (const std::exception& exception) {
    const auto error = bug(exception.what());
    if (output_of(arguments) == Output::json) to_stdout()(document_text(error_document(error)));
    to_stderr()(error_text(error, {}));
    return kInternal;
  }
}

}  // namespace podwright::cli
