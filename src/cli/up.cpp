#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/bundle_words.hpp"
#include "cli/commands.hpp"
#include "cli/discovery_text.hpp"
#include "cli/facts_text.hpp"
#include "cli/fold.hpp"
#include "cli/outcomes.hpp"
#include "cli/plan_file.hpp"
#include "cli/plan_text.hpp"
#include "cli/report_file.hpp"
#include "cli/result_text.hpp"
#include "cli/version.hpp"
#include "config/json.hpp"
#include "engine/apply.hpp"
#include "engine/check.hpp"
#include "engine/handoff.hpp"
#include "engine/report_data.hpp"
#include "engine/validate.hpp"
#include "transport/host_keys.hpp"
#include "transport/ssh_transport.hpp"

namespace podwright::cli {

namespace {

/// The whole chain. Each phase takes the nodes that the one before it left, and says what became of
/// the others; run() is the table of contents.
class Up {
 public:
  Up(App& app, Batch batch, const BundleWords& bundle) : app_(app), batch_(batch), bundle_(bundle), style_(app.style()), width_(app.width()) {}

  Result<Outcome> run();

 private:
  Status discover_unknown();
  Status plan();
  Status apply();
  Status validate_fabric();
  Status check_nodes(const std::vector<const Check*>& checks);
  Status hand_over();
  Status write_report();

  void phase(std::string_view name) {
    app_.say(style_.bold(fmt::format("\n== {}", name)) + "\n");
    document_["phases"].push_back({{"name", name}, {"status", "ok"}});
  }
  void ended(std::string_view status, const std::string& text) {
    document_["phases"].back()["status"] = status;
    app_.say(text);
  }
  /// Takes a phase's outcome: its text now, its problems and exit code for the end.
  void took(const Outcome& outcome) {
    ended(outcome.exit_code == kOk ? "ok" : "failed", outcome.text);
    problems_.insert(problems_.end(), outcome.problems.begin(), outcome.problems.end());
    exit_code_ = std::max(exit_code_, outcome.exit_code);
    if (next_.empty()) next_ = outcome.next;
  }
  /// A phase that could not be done at all: told, and the next ones go on.
  void broke(const Error& error) {
    ended("failed", error.message() + "\n");
    problems_.push_back(error.message());
    exit_code_ = std::max<int>(exit_code_, exit_code(error.fault));
  }
  void skipped(const std::string& why) { ended("skipped", "skipped: " + why + "\n"); }

  /// Keeps a node out of everything that follows, with the reason in the report.
  void set_aside(const NodeId& node, const std::string& why, const std::string& hint);
  [[nodiscard]] std::vector<NodeId> good() const;
  [[nodiscard]] bool quorum_holds() const;
  [[nodiscard]] Status stopped(std::string_view left) const;

  App& app_;
  Batch batch_;
  const BundleWords& bundle_;
  std::optional<OfflineSource> offline_;
  Style style_;
  std::size_t width_;
  Site* site_ = nullptr;
  const Profile* profile_ = nullptr;
  std::size_t selected_ = 0;  ///< nodes at the beginning, for the quorum
  std::optional<Planned> planned_;
  Applied applied_;
  bool changed_ = false;
  /// Why the fabric keeps the cluster from being handed over even without the nodes set aside.
  std::string gate_;
  Json document_ = {{"run", ""}, {"pass", false}, {"phases", Json::array()}};
  std::vector<std::string> problems_;
  std::string next_;
  int exit_code_ = kOk;
};

Status Up::stopped(std::string_view left) const {
  if (!app_.cancelled()) return {};
  return fail(Fault::cancelled, fmt::format("interrupted; not done: {}", left),
              "`" + next_command(app_, "up") + "` goes on: what is done stays done");
}

std::vector<NodeId> Up::good() const {
  std::vector<NodeId> nodes;
  for (const auto& [name, node] : applied_.nodes) {
    if (node.status == NodeStatus::ok) nodes.push_back(name);
  }
  // In the order of the inventory, as every list of nodes.
  std::vector<NodeId> ordered;
  for (const auto& name : site_->inventory.names()) {
    if (std::ranges::find(nodes, name) != nodes.end()) ordered.push_back(name);
  }
  return ordered;
}

bool Up::quorum_holds() const {
  const auto healthy = static_cast<double>(good().size());
  return healthy > 0 && healthy >= site_->inventory.quorum * static_cast<double>(selected_);
}

void Up::set_aside(const NodeId& node, const std::string& why, const std::string& hint) {
  auto& entry = applied_.nodes[node];
  if (entry.status != NodeStatus::ok) return;
  entry.status = NodeStatus::quarantined;
  entry.error = why;
  entry.hint = hint;
  document_["quarantined"][node] = why;
  app_.save("applied.json", to_json(applied_));
}

/// Nodes whose host key nobody has seen yet: discover pins them, as nothing else does.
Status Up::discover_unknown() {
  const auto inventory = app_.inventory();
  if (!inventory) return fail(inventory.error());
  const auto selected = app_.selected();
  if (!selected) return fail(selected.error());
  std::vector<std::string> unknown;
  std::map<std::string, Result<HostKeyStore>> stores;
  for (const auto& name : *selected) {
    const auto& node = *(*inventory)->find(name);
    const auto& file = node.ssh.known_hosts;
    if (!stores.contains(file)) stores.emplace(file, HostKeyStore::load(file));
    const auto& store = stores.at(file);
    if (!store) return fail(store.error());
    if (store->types(node.address, node.ssh.port).empty()) unknown.push_back(name);
  }
  if (unknown.empty()) return {};

  phase(fmt::format("discover: {} not seen before", count_of(unknown.size(), "node")));
  const auto discovery = podwright::discover(**inventory, {.targets = {}, .ssh = app_.ssh_options()}, app_.events(), app_.stop());
  if (!discovery) return fail(discovery.error());
  app_.save("discovery.json", discovery_document(*discovery));
  const auto failed = discovery_failures(*discovery, {});
  ended(failed.empty() ? "ok" : "failed", discovery_text(*discovery, {}, style_, width_));
  return stopped("plan, apply, validate, check, handoff");
}

Status Up::plan() {
  phase("plan");
  auto planned = plan_cluster(*site_, *profile_, app_.secrets());
  if (!planned) return fail(planned.error());
  planned_ = std::move(*planned);
  const auto& plan = planned_->plan;
  app_.save("facts.json", facts_document({.facts = planned_->facts, .failed = plan.failed}));
  app_.save("plan.json", plan_document(plan, {.profile = app_.globals().profile, .set = app_.globals().set, .components = {}}));
  if (auto go_on = stopped("apply, validate, check, handoff"); !go_on) return go_on;
  ended(plan.failed.empty() ? "ok" : "failed",
        plan_text(plan, {.diffs = app_.globals().verbose, .width = width_, .style = style_}));
  if (plan.nodes.empty()) return {};
  if (plan.step_count() == 0) return {};
  // With --output json the plan was not shown above.
  return app_.globals().output == Output::text ? app_.confirm("Do this?") : confirm_plan(app_, plan);
}

Status Up::apply() {
  phase("apply");
  applied_ = apply_plan(*site_, *planned_, app_.secrets(), app_.run_folder(), {.batch = batch_, .offline = offline_ ? &*offline_ : nullptr});
  changed_ = std::ranges::any_of(applied_.nodes, [](const auto& n) { return !n.second.changed.empty(); });
  auto outcome = apply_outcome(app_, applied_);
  if (planned_->plan.nodes.empty()) outcome.text = "there is no node to apply anything to\n";
  took(outcome);
  document_["nodes"] = to_json(applied_)["nodes"];
  return stopped("validate, check, handoff");
}

Status Up::validate_fabric() {
  phase("validate");
  if (profile_->measurements.empty()) {
    skipped("the profile names no measurement");
    return {};
  }
  const auto endpoints =
      fabric_endpoints(site_->inventory, site_->nodes, planned_->facts, profile_->fabric.transport);
  const ValidateOptions options{};
  std::set<NodeId> nodes;
  for (const auto& end : endpoints) nodes.insert(end.node);
  if (nodes.size() < 2) {
    skipped("fewer than two nodes are left to measure between");
    return {};
  }
  const auto report = measure_fabric(*site_, *profile_, planned_->facts, endpoints, options);
  if (auto go_on = stopped("validate, check, handoff"); !go_on) return go_on;
  if (!report) {
    gate_ = "the interconnect could not be measured";
    broke(report.error());
    return {};
  }
  took(fabric_outcome(app_, *report));
  for (const auto& fault : report->verdict.nodes) {
    set_aside(fault.name,
              fault.cause == "failed" ? "its interconnect could not be measured"
                                      : fmt::format("its interconnect is slow: {} Gbit/s on rail {}", three_digits(fault.gbps), fault.rail),
              "mend it, then `" + next_command(app_, "up") + "`");
  }
  if (!report->verdict.links.empty()) gate_ = "a link of the interconnect is at fault";
  else if (!report->verdict.ambiguous.empty()) gate_ = "the interconnect's fault could not be pinned on a node";
  else if (!report->verdict.pass && report->verdict.nodes.empty()) gate_ = "the interconnect did not pass";
  else if (std::ranges::any_of(report->collectives, [](const auto& c) { return c.status != Verdict::pass; })) gate_ = "a collective did not pass";
  else if (std::ranges::any_of(report->counters, &CounterDelta::fatal)) gate_ = "error counters of ports rose while they were measured";
  return {};
}

Status Up::check_nodes(const std::vector<const Check*>& checks) {
  phase("check");
  // What apply changed, the facts must see; a node that changed nothing has them from the plan.
  Resolved resolved{.facts = planned_->facts, .failed = {}, .wanted = planned_->wanted};
  if (changed_) {
    auto again = resolve_cluster(*site_, *profile_, app_.secrets());
    if (!again) return fail(again.error());
    resolved = std::move(*again);
    auto facts = planned_->facts;
    for (const auto& [node, one] : resolved.facts) facts[node] = one;
    app_.save("facts.json", facts_document({.facts = facts, .failed = planned_->plan.failed}));
  }
  const auto among = [&](auto& map) {
    std::erase_if(map, [&](const auto& e) { return std::ranges::find(site_->nodes, e.first) == site_->nodes.end(); });
  };
  among(resolved.facts);
  among(resolved.wanted);
  const auto report = run_checks(*site_, {site_->inventory, *profile_, resolved.wanted, resolved.facts}, resolved.failed, checks);
  if (auto go_on = stopped("check, handoff"); !go_on) return go_on;
  took(check_outcome(app_, report));
  for (const auto& [name, node] : report.nodes) {
    if (!node.error.empty()) set_aside(name, "could not be checked: " + node.error, "`" + next_command(app_, "doctor -n " + name) + "`");
    for (const auto& check : node.checks) {
      if (check.status != CheckStatus::fail && check.status != CheckStatus::error) continue;
      set_aside(name, fmt::format("check {}: {}", check.id, check.observed.empty() ? to_string(check.status) : check.observed),
                check.remedy);
    }
  }
  return {};
}

Status Up::hand_over() {
  phase("handoff");
  const auto nodes = good();
  const auto refuse = [&](const std::string& why, const std::string& next) {
    ended("skipped", style_.bad("not handed over: ") + why + "\n");
    problems_.push_back("not handed over: " + why);
    next_ = next;
    if (exit_code_ == kOk) exit_code_ = kNotPassed;
    return Status{};
  };
  if (profile_->handoff_targets.empty()) {
    skipped("the profile names no hand-off target");
    return {};
  }
  if (!quorum_holds()) {
    return refuse(fmt::format("{} of {} are good, and the quorum is {:.0f} %; mend the nodes above first",
                              nodes.size(), count_of(selected_, "node"), site_->inventory.quorum * 100),
                  next_command(app_, "up"));
  }
  if (!gate_.empty()) {
    return refuse(gate_ + "; mend it and run this again, or hand over all the same with the next command",
                  next_command(app_, "handoff"));
  }
  app_.keep_only(nodes);
  const auto report = hand_off(*site_, *profile_, app_.secrets(), app_.run_folder());
  if (auto go_on = stopped("handoff"); !go_on) return go_on;
  if (!report) {
    broke(report.error());
    return {};
  }
  took(handoff_outcome(app_, *report));
  return {};
}

Status Up::write_report() {
  auto data = load_report(site_->inventory, app_.run_folder());
  if (!data) return fail(data.error());
  data->report.version = version_text();
  // Of the nodes that this run was about: the others are not its business.
  std::erase_if(data->report.nodes, [&](const Node& node) { return !applied_.nodes.contains(node.name); });
  app_.save("report.json", to_json(data->report));
  const auto page = format_report(data->report, "html");
  if (!page) return fail(page.error());
  const auto file = app_.run_folder().file("report.html");
  if (auto written = write_file(file, *page, 0600); !written) return written;
  document_["report"] = file.string();
  document_["pass"] = data->report.pass() && exit_code_ == kOk;
  return {};
}

Result<Outcome> Up::run() {
  const auto profile = app_.profile();
  if (!profile) return fail(profile.error());
  profile_ = *profile;
  const auto checks = select_checks(*profile_, {});
  if (!checks) return fail(checks.error());
  if (const auto nodes = app_.selected(); !nodes) return fail(nodes.error());
  Intent intent{.made_with = {.profile = app_.globals().profile, .set = app_.globals().set, .components = {}}, .nodes = {}};
  auto offline = open_bundle(app_, bundle_, intent);
  if (!offline) return fail(offline.error());
  offline_ = std::move(*offline);
  if (auto opened = app_.open_run(App::Access::changes); !opened) return fail(opened.error());
  document_["run"] = app_.run_folder().id();
  document_["quarantined"] = Json::object();

  if (auto done = discover_unknown(); !done) return fail(done.error());
  const auto opened = app_.open(App::Access::changes);
  if (!opened) return fail(opened.error());
  site_ = *opened;
  selected_ = site_->nodes.size();
  intent.nodes = site_->nodes;
  app_.save("intent.json", intent_document(intent));

  if (auto done = plan(); !done) return fail(done.error());
  if (auto done = apply(); !done) return fail(done.error());
  if (quorum_holds()) {
    app_.keep_only(good());
    if (auto done = validate_fabric(); !done) return fail(done.error());
    if (auto done = check_nodes(*checks); !done) return fail(done.error());
  }
  if (auto done = hand_over(); !done) return fail(done.error());

  phase("report");
  if (auto done = write_report(); !done) return fail(done.error());
  std::vector<NodeId> out;
  for (const auto& [name, node] : applied_.nodes) {
    if (node.status != NodeStatus::ok) out.push_back(name);
  }
  std::string text = fmt::format("{} of {} handed over{}\n", document_["phases"].empty() ? 0 : good().size(),
                                 count_of(selected_, "node"), out.empty() ? "" : "; left out: " + who(out));
  if (exit_code_ >= kNotPassed) text = fmt::format("{} good{}\n", count_of(good().size(), "node"), out.empty() ? "" : "; left out: " + who(out));
  document_["nodes"] = to_json(applied_)["nodes"];
  text += "report: " + document_["report"].get<std::string>() + "\n";
  return Outcome{.exit_code = exit_code_, .document = std::move(document_), .text = std::move(text),
                 .problems = std::move(problems_), .next = std::move(next_)};
}

}  // namespace

Command up_command() {
  struct Words {
    std::string batch = all_at_once;
    BundleWords bundle;
  };
  auto words = std::make_shared<Words>();
  auto options = bundle_options(words->bundle);
  options.insert(options.begin(), batch_option(words->batch));
  return {
      .name = "up",
      .group = "All of it",
      .summary = "discover if needed, plan, apply, validate, check, handoff, report",
      .details =
          "The whole chain with one command. Host keys of nodes that were never seen are pinned first. On a "
          "terminal it asks once, after the plan; without a terminal, or with --yes, it goes ahead.\n\n"
          "A node that fails, is named by validate or does not pass a check is set aside with the reason, and the "
          "others are handed over while the quorum of cluster.toml holds. A fault of the interconnect that is not "
          "a node's stops the hand-off. All documents and the report are in one run folder; running it again "
          "goes on where it stopped.\n\n" +
          bundle_details(),
      .options = std::move(options),
      .examples = {{"podwright up", "from bare nodes to the report"},
                   {"podwright up --bundle site.tar.zst --pub site.key.pub", "without internet"},
                   {"podwright up --yes --output json > up.json", "unattended"}},
      .exits = {kNodesFailed, kNotPassed},
      .run = [words](App& app) -> Result<Outcome> {
        const auto parsed = parse_batch(words->batch);
        if (!parsed) return fail(parsed.error());
        return Up(app, *parsed, words->bundle).run();
      }};
}

}  // namespace podwright::cli
