/// The catalog: everything podwright KNOWS, one file a thing, self-registering. Entries are pure:
/// they write shell text and read its output, and never touch a node themselves.
///
/// To add a thing: write one file in the fitting folder with a `const Registered…` object at its end,
/// and a case file in tests/cases/. Help, `--list` and the conformance tests find it here.
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.hpp"
#include "base/result.hpp"
#include "model/check.hpp"
#include "model/facts.hpp"
#include "model/fabric.hpp"
#include "model/node.hpp"
#include "model/plan.hpp"
#include "model/profile.hpp"
#include "model/report.hpp"

namespace podwright {

/// What a probe printed on a node: stdout bounded and cleaned, stderr apart.
struct Observed {
  int exit_status = 0;
  std::string out;
  std::string err{};
  bool timed_out = false;
  bool operator==(const Observed&) const = default;
};

// --- facts -----------------------------------------------------------------------------------------

/// Reads a part of the facts: read-only POSIX sh that runs as root, and the parser of its output.
struct Probe {
  std::string_view id;       ///< "cpu", "pci"
  std::string_view summary;
  std::string_view script;   ///< POSIX sh; no tool is taken for granted
  std::chrono::seconds deadline{10};
  /// Fills its part of the facts; a failure lands in Facts::missing.
  Status (*parse)(const Observed& observed, Facts& facts);
};

// --- resources -------------------------------------------------------------------------------------

enum class FieldType { text, flag, integer, number, list, mode, any };

/// A field of a resource kind: checked on load, and its documentation.
struct Field {
  std::string_view name;
  FieldType type = FieldType::text;
  bool required = false;
  std::string_view doc;
  std::vector<std::string_view> choices{};  ///< allowed texts; empty: any
};

/// What a planner may know besides the resource itself.
struct PlanContext {
  const Facts& facts;
  /// Ids of the resources of this node for which steps were planned before this one; empty when a
  /// probe after a step is judged.
  const std::set<std::string>& changing;
  /// The last step before this one that needs a reboot which no [[reboot]] has brought; empty: none.
  std::string rebooting{};
};

/// A kind of resource: what is now (probe), what would change (plan). A step was successful when the
/// probe runs again after it and `plan` finds nothing left to do: no kind has a second way to say so.
struct ResourceKind {
  std::string_view table;    ///< "package": [[package]] in a profile
  std::string_view key;      ///< the field that names one: "name", "path"
  std::string_view summary;
  std::vector<Field> fields;  ///< the key included; roles, when and after are everybody's
  /// Read-only sh that prints the state which `plan` judges.
  std::string (*probe)(const Wanted& wanted, const Facts& facts);
  Result<std::vector<Step>> (*plan)(const Wanted& wanted, const Observed& observed,
                                    const PlanContext& context);
  /// The same as the probe would print, when the facts already tell it; saves running it. May be null.
  std::optional<Observed> (*known)(const Wanted& wanted, const Facts& facts) = nullptr;
  /// What the probe prints on a machine that has nothing of it yet: plans against recorded facts judge
  /// this. Null: "type absent", as of a file that is not there.
  std::string (*nothing)(const Wanted& wanted, const Facts& facts) = nullptr;
};

/// The state as the facts tell it, and else as on a machine that has nothing of the resource: what plans
/// against recorded facts take for observed.
Observed assumed_state(const ResourceKind& kind, const Wanted& wanted, const Facts& facts);

/// The files that make a repository known to a packager.
struct RepoFiles {
  std::string path{};      ///< of the definition: /etc/apt/sources.list.d/NAME.sources
  std::string content{};   ///< of the definition; it names key_path where a key is given
  std::string key_path{};  ///< where the key given in `key` or `key_source` lies
  std::string pin_path{};  ///< of a file with preferences; empty: this packager has none
  std::string pin{};       ///< its content; empty: the file should not be there
};

/// How a family of distributions handles packages.
struct Packager {
  std::string_view id;  ///< apt | dnf | zypper
  std::string_view summary;
  /// Read-only sh that prints what a node has of a package: "state installed" or "state broken" (a run
  /// was cut off in the middle), "version V" for each version that is there, "held yes". Prints
  /// nothing for a package that is not installed.
  std::string (*query)(const std::string& name);
  /// sh that ends in a command; the packages' names follow as its quoted words. Deals with a package
  /// database that was left half way, with old metadata, and with somebody else's lock.
  std::string install;
  std::string remove;
  std::string hold;    ///< keeps the version that is installed
  std::string unhold;
  /// `name` at `version` as one word of the install command: name=version, name-version.
  std::string (*versioned)(const std::string& name, const std::string& version);
  /// Read-only sh that prints the state of all packages, for the ledger: "package NAME VERSION" of
  /// each that is installed, "config NAME" where only its configuration is, "hold NAME" and "auto NAME"
  /// (came as a dependency) where the packager knows such marks, and list_accounts().
  std::string list;
  std::string take_back;  ///< take_back_packages() for it
  /// Read-only sh that prints, a line each and sorted, the keys that are trusted for all repositories at
  /// once; empty where each repository has its own. `distrust` ends in a command; such keys follow.
  std::string keys{};
  std::string distrust{};
  bool version_globs = true;  ///< the version may be a pattern: 4.3*
  /// What a [[repo]] is here. A field that is missing or wrong is an error.
  Result<RepoFiles> (*repo)(const Wanted& wanted) = nullptr;
  /// sh that ends in a command; a folder and the repository's name follow as its words. The folder
  /// holds `definition` (named like the real one), which names the key beside it. Fetches the metadata of
  /// that one repository and verifies it, says why when it can't, and changes nothing else.
  std::string try_repo{};
};

/// The packager of a node, by Facts::package_manager; null when there is none that we know.
const Packager* packager_for(const Facts& facts);
/// The same, as an error that says so.
Result<const Packager*> require_packager(const Wanted& wanted, const Facts& facts);

// --- preflight -------------------------------------------------------------------------------------

/// What a rule of the preflight looks at besides what its probe printed.
struct PreflightContext {
  const Facts& facts;
  const std::vector<Step>& steps;         ///< planned for the node; never empty
  const std::vector<Wanted>& resources;   ///< all of the node
};

/// What is in the way of a node's steps. Fatal: nothing is begun on the node; else it is a warning.
struct PreflightFinding {
  bool fatal = true;
  std::string what;
  std::string hint;
};

/// A reason for not beginning with a node that has something to do, found before anything is touched.
struct Preflight {
  std::string_view id;
  std::string_view summary;
  std::string_view source;   ///< where rule and threshold come from
  /// Read-only sh that travels with the probes of the resources: quick, and lines that do not begin with
  /// "[". Empty: the facts suffice.
  std::string_view probe{};
  std::optional<PreflightFinding> (*judge)(std::string_view printed, const PreflightContext& context) = nullptr;
};

// --- checks ----------------------------------------------------------------------------------------

/// F blocks the hand-off, W warns, I informs.
enum class Severity { fatal, warning, info };

/// Everything a judge may compare with.
struct Expectation {
  const Value::Table& options;  ///< of [[check]] with this id; empty: defaults
  const Facts& facts;
  const Node& node;
  const Inventory& inventory;  ///< whose nodes the cohort is made of: roles tell who is comparable
  /// Its resources are those of this node alone: rendered, roles and `when` already applied.
  const Profile& profile;
  const std::map<NodeId, Facts>& cohort;  ///< all nodes: "63 of 64 have 8"
};

/// A health check: a probe (what is read) and a judge (pure). Run it through `judge_check`.
struct Check {
  std::string_view id;       ///< "fs.use"
  std::string_view summary;
  Severity severity = Severity::fatal;
  std::string_view source;   ///< where rule and threshold come from
  std::vector<Field> options{};           ///< keys of [[check]] besides id and enabled
  std::vector<std::string_view> needs{};  ///< ids of the probes whose facts it reads
  /// "nvidia", "amd", "ascend", "intel" or "rdma": where the facts tell of none, the probe is not run, and
  /// the judge, which is given an empty output, skips.
  std::string_view hardware{};
  std::string_view probe{};  ///< POSIX sh, read-only; empty: the facts suffice
  std::chrono::seconds deadline{10};
  /// A diagnosis with levels has an integer option `level`, from 1 on, with a deadline each. The probe finds
  /// it in the shell variable `level`, empty where the profile names none: then `deadline` counts.
  std::vector<std::chrono::seconds> levels{};
  /// Names the probe where several checks have the same one: it then runs once for all of them, and a
  /// snapshot keeps its output under this name. Empty: the id.
  std::string_view reads{};
  /// One result, or one for each thing that was judged ("svc.chrony", "svc.slurmd"). `observed` is of
  /// a probe that ended in time with exit status 0.
  std::vector<CheckResult> (*judge)(const Check& check, const Observed& observed,
                                    const Expectation& expectation) = nullptr;
};

/// The verdicts of a check, and what every judge would have to do first: an option that does not
/// exist or has a wrong type, facts that are missing, a probe that failed or ran out of time are a
/// CheckStatus::error. Never empty.
std::vector<CheckResult> judge_check(const Check& check, const Observed& observed,
                                     const Expectation& expectation);

/// The verdict of a failed rule: fail, or warn for a check of that severity.
CheckStatus broken(const Check& check);

/// Whether the node has the hardware that the check is about.
bool concerns(const Check& check, const Facts& facts);

/// The probe and its deadline under the options of its [[check]]; a level that does not exist counts as none.
std::string probe_text(const Check& check, const Value::Table& options);
std::chrono::seconds probe_deadline(const Check& check, const Value::Table& options);

/// The name of a check's probe, in a snapshot and where it is run.
std::string_view probe_name(const Check& check);

// --- parsers ---------------------------------------------------------------------------------------

/// Reads what a known tool prints: `podwright parse KIND`.
struct Parser {
  std::string_view kind;     ///< "nvidia-smi-q"
  std::string_view summary;
  std::string_view command;  ///< what prints it: "nvidia-smi -q"
  /// The output as JSON, or an error that names the line at fault. `text` was cleaned.
  Result<Json> (*parse)(std::string_view text);
};

// --- measurements ----------------------------------------------------------------------------------

/// One pair to be measured.
struct PairJob {
  const Endpoint& from;  ///< the client
  const Endpoint& to;    ///< the server
  int port = 0;          ///< of the server
  double seconds = 2;    ///< of one direction
  const Value::Table& options;  ///< further keys of the [[measurement]]
};

/// A tool that measures between two end points: a server on one, a client on the other.
struct Measurement {
  std::string_view tool;     ///< "iperf3"
  std::string_view kind;     ///< "pairwise"
  std::string_view summary;
  std::string_view package;  ///< what to install when it is missing, for the hint
  std::vector<Field> options{};  ///< keys of [[measurement]] besides kind, tool and seconds
  /// sh that runs the server in the foreground until its one client is served or the deadline ends it.
  std::string (*server)(const PairJob& job) = nullptr;
  /// sh that measures from the client to the server, both directions, and prints what `parse` reads.
  std::string (*client)(const PairJob& job) = nullptr;
  struct Rates {
    double gbps_forward = 0;   ///< client to server
    double gbps_backward = 0;  ///< server to client
    std::optional<double> latency_us{};  ///< 99th percentile, where the tool was asked for it
  };
  /// An output without a result is an error that names the line, never a zero.
  Result<Rates> (*parse)(const Observed& client_output) = nullptr;
};

/// What a tool measures all at once: between the accelerators of all nodes, or within each node.
struct CollectiveJob {
  int nodes = 1;
  int devices = 1;  ///< ranks on each node
  const Value::Table& options;  ///< further keys of the [[measurement]]
};
struct CollectiveSample {
  std::string operation;  ///< "all_reduce", "host_to_device_memcpy_ce"
  std::uint64_t bytes = 0;  ///< 0: the tool does not say
  double busbw_gbytes_per_s = 0;
};
struct Collective {
  std::string_view tool;     ///< "nccl-tests"
  std::string_view summary;
  std::string_view package;  ///< what brings it, for the hint
  bool within_node = false;  ///< run on every node by itself; else by a launcher, with ranks everywhere
  std::vector<Field> options{};
  std::string_view carried{};  ///< a file of the head that every rank finds at $copy; empty: none
  /// sh that runs one rank (or the whole, within a node); says "is not installed" and ends with 127
  /// where the program is missing. Must not read stdin.
  std::string (*program)(const CollectiveJob& job) = nullptr;
  /// What was reached, the largest message of each operation. Wrong results are an error.
  Result<std::vector<CollectiveSample>> (*parse)(const Observed& observed, const CollectiveJob& job) = nullptr;
};

// --- hand-off --------------------------------------------------------------------------------------

struct HandoffContext {
  const Inventory& inventory;
  const Profile& profile;
  const std::map<NodeId, Facts>& facts;  ///< of the healthy nodes
};

/// A target of the hand-off: the resources that its component brings, and the proof that it works.
struct Handoff {
  std::string_view name;     ///< "slurm"
  std::string_view summary;
  /// The profile component whose resources are this target: "handoff/slurm".
  std::string_view component;
  /// sh for the head that proves the target by use; empty: nothing beyond the resources' own probes.
  std::string (*proof)(const HandoffContext& context) = nullptr;
  ProofResult (*judge)(const Observed& observed, const HandoffContext& context) = nullptr;
  std::chrono::seconds deadline{120};
  /// What the proof measures: the tool of a collective [[measurement]] whose floor it judges.
  std::string_view collective{};
};

// --- the registry ----------------------------------------------------------------------------------

/// All entries of a type, sorted by name. T is one of the structs above.
template <class T>
const std::vector<T>& catalog();
/// The entry of that name, or null.
template <class T>
const T* find_in_catalog(std::string_view name);
template <class T>
std::vector<std::string> names_in_catalog();

std::string_view name_of(const Probe& entry);
std::string_view name_of(const ResourceKind& entry);
std::string_view name_of(const Packager& entry);
std::string_view name_of(const Preflight& entry);
std::string_view name_of(const Check& entry);
std::string_view name_of(const Parser& entry);
std::string_view name_of(const Measurement& entry);
std::string_view name_of(const Collective& entry);
std::string_view name_of(const Handoff& entry);

/// `const Registered entry{Probe{…}};` at namespace scope puts the entry into the catalog.
template <class T>
struct Registered {
  explicit Registered(T entry);
};

}  // namespace podwright
