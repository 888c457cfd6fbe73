/// The program around the verbs: it owns what they use and says what they found.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/globals.hpp"
#include "cli/style.hpp"
#include "engine/run_folder.hpp"
#include "engine/secrets.hpp"
#include "engine/site.hpp"
#include "events/events.hpp"
#include "model/node.hpp"
#include "model/profile.hpp"

namespace podwright::events {
class JournalSink;
class TtySink;
}  // namespace podwright::events

namespace podwright {
class LocalTransport;
class SshTransport;
struct SshOptions;
}  // namespace podwright

namespace podwright::cli {

class Signals;

/// podwright's main: parses, runs the verb, prints its outcome. Returns the exit code.
int run(int argc, char** argv);

/// What every verb works with. Things are loaded when first asked for; everything up to open() reads
/// files of this machine only, so that a wrong configuration is told before any node is contacted.
class App {
 public:
  App(Globals globals, std::string verb);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  [[nodiscard]] const Globals& globals() const { return globals_; }
  [[nodiscard]] const std::string& verb() const { return verb_; }
  [[nodiscard]] events::Bus& events() { return bus_; }
  [[nodiscard]] std::stop_token stop() const;
  [[nodiscard]] bool cancelled() const;
  /// Colours of stdout, and the columns that its texts may take.
  [[nodiscard]] Style style() const;
  [[nodiscard]] std::size_t width() const;

  /// cluster.toml.
  Result<const Inventory*> inventory();
  /// In place of the file's: for a cluster that discover is about to write.
  void use_inventory(Inventory inventory) { inventory_ = std::move(inventory); }
  /// The nodes of --nodes, or all.
  Result<std::vector<NodeId>> selected();
  /// The profile of --profile or of cluster.toml, with its variables, checked against the catalog.
  Result<const Profile*> profile();

  /// This machine is the only node, reached without SSH; runs leave no folder. It is the node of cluster.toml
  /// (or of /etc/podwright/cluster.toml, which the component monitoring/health writes) with this
  /// machine's host name; where there is neither file, a node of its own with a profile that expects nothing.
  /// Before inventory() and profile() are asked for.
  Status use_this_machine();

  /// Whether the verb changes nodes: only one such run at a time is let at a cluster.
  enum class Access { reads, changes };
  /// Makes the run's folder and journal and the transport: from here on nodes may be contacted.
  /// Only after inventory() and profile(), where the verb needs one, were found right.
  /// `sessions` kept serve the next phase; a verb of one execution a node closes them.
  enum class Sessions { kept, closed };
  Result<Site*> open(Access access, Sessions sessions = Sessions::kept);
  /// The same for a verb that brings its nodes itself (discover).
  Status open_run(Access access);
  /// Leaves these nodes to the site: the next phases go without the others.
  void keep_only(std::vector<NodeId> nodes);

  [[nodiscard]] const RunFolder& run_folder() const { return *run_; }
  [[nodiscard]] bool has_run() const { return run_.has_value(); }
  SecretStore& secrets();
  /// Of the opened site; for what only SSH can answer (doctor).
  SshTransport& ssh() { return *transport_; }
  /// For verbs that make their own transport (discover).
  [[nodiscard]] SshOptions ssh_options();

  /// Plans and resumed runs remember what they were made with; for before profile() is asked for.
  void use_profile(std::string profile, std::vector<std::string> set);

  /// Saves a document of the run; a failure is a warning, for what was done is done.
  void save(std::string_view name, const Json& document, OnDisk when = OnDisk::now);

  /// Whether confirm() would ask somebody.
  [[nodiscard]] bool asks() const;
  /// Asks on the terminal; yes without asking where nobody can answer (stdin is no terminal) or with
  /// --yes. A "no" is Fault::cancelled.
  Status confirm(const std::string& question);

  /// Text for stdout now, not at the end: for verbs that tell a story (up). Nothing with --output json.
  void say(std::string_view text);

  /// Text for a person, on stderr, now: what a question is about.
  void tell(std::string_view text);

  /// Prints outcome or error as the contract wants it, ends the run; returns the exit code.
  int finish(const Result<Outcome>& outcome);

 private:
  void print_error(const Error& error);
  [[nodiscard]] std::string next_after(const Error& error) const;
  void print_trailer(int code, const std::string& next);

  Globals globals_;
  std::string verb_;
  events::Bus bus_;
  std::shared_ptr<events::TtySink> tty_;
  std::shared_ptr<events::JournalSink> journal_;
  std::unique_ptr<Signals> signals_;
  std::optional<Inventory> inventory_;
  std::optional<Profile> profile_;
  std::optional<RunFolder> run_;
  std::optional<SecretStore> secrets_;
  std::unique_ptr<SshTransport> transport_;
  std::unique_ptr<LocalTransport> local_;
  std::optional<Site> site_;
  int lock_ = -1;
};

/// The command line for the next step of this very cluster: "podwright -c FILE VERB".
std::string next_command(const App& app, std::string_view rest);

}  // namespace podwright::cli
