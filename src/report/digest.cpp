#include "report/digest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/text.hpp"
#include "config/nodeset.hpp"

namespace podwright {

namespace {

constexpr std::string_view stage_reach = "Nodes";
constexpr std::string_view stage_plan = "Plan";
constexpr std::string_view stage_install = "Installation";
constexpr std::string_view stage_fabric = "Interconnect";
constexpr std::string_view stage_checks = "Health checks";
constexpr std::string_view stage_handoff = "Hand-off";

bool quarantined(const Report& report, const NodeId& node) {
  if (!report.applied) return false;
  const auto found = report.applied->nodes.find(node);
  return found != report.applied->nodes.end() && found->second.status == NodeStatus::quarantined;
}

Stage::Outcome outcome(bool passed) {
  return passed ? Stage::Outcome::passed : Stage::Outcome::failed;
}

/// "3 pass, 1 fail": only what there is.
std::string counts(const std::vector<std::pair<std::size_t, std::string_view>>& parts) {
  std::vector<std::string> texts;
  for (const auto& [count, name] : parts) {
    if (count > 0) texts.push_back(fmt::format("{} {}", count, name));
  }
  return join(texts, ", ");
}

Stage reach_stage(const Report& report) {
  Stage stage{.name = std::string(stage_reach)};
  if (report.nodes.empty()) {
    stage.text = "no node is known";
    return stage;
  }
  std::size_t set_aside = 0;
  for (const auto& node : report.nodes) set_aside += quarantined(report, node.name) ? 1 : 0;
  std::size_t lost = 0;
  for (const auto& [node, error] : report.unreachable) lost += quarantined(report, node) ? 0 : 1;
  stage.outcome = outcome(lost == 0);
  stage.text = count_of(report.nodes.size(), "node");
  if (set_aside + lost > 0) {
    stage.text +=
        ": " +
        counts({{report.nodes.size() - std::min(report.nodes.size(), set_aside + lost), "ready"},
                {set_aside, "set aside"},
                {lost, "unreachable"}});
  }
  if (!report.facts.empty()) {
    const auto classes = classes_of(report).size();
    stage.text += fmt::format("; {} of hardware",
                              classes == 1 ? "one class" : fmt::format("{} classes", classes));
  }
  return stage;
}

Stage plan_stage(const Report& report) {
  Stage stage{.name = std::string(stage_plan), .text = "not planned in this run (podwright plan)"};
  if (!report.plan) return stage;
  const bool sound = std::ranges::all_of(
      report.plan->failed, [&](const auto& entry) { return quarantined(report, entry.first); });
  stage.outcome = outcome(sound);
  stage.text = fmt::format("{} on {}", count_of(report.plan->step_count(), "step"),
                           count_of(report.plan->nodes.size(), "node"));
  if (report.plan->step_count() == 0) stage.text = "nothing to change";
  if (const auto reboots = report.plan->reboot_count(); reboots > 0)
    stage.text += ", " + count_of(reboots, "reboot");
  if (!report.plan->failed.empty()) {
    stage.text +=
        fmt::format("; {} could not be planned", count_of(report.plan->failed.size(), "node"));
  }
  return stage;
}

Stage install_stage(const Report& report) {
  Stage stage{.name = std::string(stage_install),
              .text = "not installed in this run (podwright apply)"};
  if (!report.applied) return stage;
  std::map<NodeStatus, std::size_t> by_status;
  std::size_t changes = 0;
  for (const auto& [name, node] : report.applied->nodes) {
    ++by_status[node.status];
    changes += node.changed.size();
  }
  stage.outcome =
      outcome(by_status[NodeStatus::failed] == 0 && by_status[NodeStatus::unreachable] == 0);
  stage.text = counts({{by_status[NodeStatus::ok], "ok"},
                       {by_status[NodeStatus::failed], "failed"},
                       {by_status[NodeStatus::unreachable], "unreachable"},
                       {by_status[NodeStatus::quarantined], "set aside"}});
  stage.text += "; " + count_of(changes, "change");
  return stage;
}

/// Where a collective ran.
std::string place_of(const CollectiveResult& collective) {
  if (!collective.node.empty()) return one_line(collective.node);
  return count_of(static_cast<std::size_t>(std::max(0, collective.nodes)), "node");
}

Stage fabric_stage(const Report& report) {
  Stage stage{.name = std::string(stage_fabric),
              .text = "not measured in this run (podwright validate)"};
  if (!report.fabric) return stage;
  stage.outcome = outcome(passed(*report.fabric));
  const auto figures = figures_of(*report.fabric);
  stage.text = fmt::format(
      "{} in {}", count_of(static_cast<std::size_t>(std::max(0, report.fabric->probes)), "probe"),
      count_of(static_cast<std::size_t>(std::max(0, report.fabric->rounds)), "round"));
  if (figures.measured > 0) {
    stage.text +=
        fmt::format("; median {:.1f}, lowest {:.1f} Gbit/s", figures.median, figures.lowest);
  }
  const auto& verdict = report.fabric->verdict;
  std::set<NodeId> nodes;
  for (const auto& fault : verdict.nodes) nodes.insert(fault.name);
  std::vector<std::string> faults;
  if (!nodes.empty()) faults.push_back(count_of(nodes.size(), "node"));
  if (!verdict.links.empty()) faults.push_back(count_of(verdict.links.size(), "link"));
  if (!faults.empty()) stage.text += fmt::format("; {} at fault", join(faults, " and "));
  if (!verdict.ambiguous.empty())
    stage.text += fmt::format("; {} undecided", count_of(verdict.ambiguous.size(), "set"));
  const auto below = static_cast<std::size_t>(std::ranges::count_if(
      report.fabric->collectives, [](const CollectiveResult& one) { return one.status != Verdict::pass; }));
  if (below > 0) stage.text += fmt::format("; {} below what is expected", count_of(below, "collective"));
  return stage;
}

Stage checks_stage(const Report& report) {
  Stage stage{.name = std::string(stage_checks),
              .text = "not checked in this run (podwright check)"};
  if (!report.checks) return stage;
  stage.outcome = outcome(report.checks->pass());
  std::map<CheckStatus, std::size_t> by_status;
  std::size_t all = 0;
  std::size_t unchecked = 0;
  for (const auto& [name, node] : report.checks->nodes) {
    unchecked += node.error.empty() ? 0 : 1;
    for (const auto& check : node.checks) {
      ++by_status[check.status];
      ++all;
    }
  }
  stage.text = fmt::format("{}: {}", count_of(all, "result"),
                           counts({{by_status[CheckStatus::pass], "pass"},
                                   {by_status[CheckStatus::fail], "fail"},
                                   {by_status[CheckStatus::error], "could not run"},
                                   {by_status[CheckStatus::warn], "warn"},
                                   {by_status[CheckStatus::skip], "skipped"}}));
  if (all == 0) stage.text = "nothing was checked";
  if (unchecked > 0)
    stage.text += fmt::format("; {} could not be checked", count_of(unchecked, "node"));
  return stage;
}

Stage handoff_stage(const Report& report) {
  Stage stage{.name = std::string(stage_handoff),
              .text = "not handed off in this run (podwright handoff)"};
  if (!report.handoff) return stage;
  stage.outcome = outcome(report.handoff->pass());
  const auto ready = std::ranges::count(report.handoff->targets, "ok", &HandoffTarget::status);
  const auto proven = std::ranges::count(report.handoff->proofs, true, &ProofResult::pass);
  stage.text = fmt::format("{} of {} ready, {} of {} passed", ready,
                           count_of(report.handoff->targets.size(), "target"), proven,
                           count_of(report.handoff->proofs.size(), "proof"));
  return stage;
}

/// Collects findings; those with the same words are one, with all their nodes.
class Findings {
 public:
  void add(bool blocks, std::string_view stage, const NodeId& node, std::string what,
           std::string remedy = {}) {
    const std::tuple key{blocks, std::string(stage), what, remedy};
    const auto [known, added] = places_.try_emplace(key, findings_.size());
    if (added) {
      findings_.push_back({.blocks = blocks,
                           .stage = std::string(stage),
                           .where = {},
                           .what = std::move(what),
                           .remedy = std::move(remedy)});
      nodes_.emplace_back();
    }
    nodes_[known->second].push_back(node);
  }
  void add_text(bool blocks, std::string_view stage, std::string where, std::string what,
                std::string remedy = {}) {
    findings_.push_back({.blocks = blocks,
                         .stage = std::string(stage),
                         .where = std::move(where),
                         .what = std::move(what),
                         .remedy = std::move(remedy)});
    nodes_.emplace_back();
  }
  std::vector<Finding> take() {
    for (std::size_t i = 0; i < findings_.size(); ++i) {
      if (!nodes_[i].empty()) findings_[i].where = names_of(nodes_[i]);
    }
    std::ranges::stable_partition(findings_, [](const Finding& finding) { return finding.blocks; });
    return std::move(findings_);
  }

 private:
  std::map<std::tuple<bool, std::string, std::string, std::string>, std::size_t> places_;
  std::vector<Finding> findings_;
  std::vector<std::vector<NodeId>> nodes_;
};

/// Pairs of a leaf with many others are one finding: its uplinks.
void add_links(Findings& findings, const FabricVerdict& verdict, bool several_rails) {
  std::map<std::pair<std::string, int>, std::size_t> of_leaf;
  for (const auto& link : verdict.links) {
    if (link.a == link.b) continue;
    ++of_leaf[{link.a, link.rail}];
    ++of_leaf[{link.b, link.rail}];
  }
  std::set<std::pair<std::string, int>> said;
  for (const auto& link : verdict.links) {
    const auto rail = several_rails ? fmt::format(" on rail {}", link.rail) : std::string{};
    const std::pair a{link.a, link.rail};
    const std::pair b{link.b, link.rail};
    const auto common = of_leaf[a] >= of_leaf[b] ? a : b;
    if (link.a != link.b && of_leaf[common] >= 3) {
      if (!said.insert(common).second) continue;
      findings.add_text(
          true, stage_fabric, one_line(common.first),
          fmt::format("{} paths from {} to other leaves are at fault{}", of_leaf[common],
                      one_line(common.first), rail),
          "look at the uplinks of this leaf: cables, optics, and error counters of its switch");
      continue;
    }
    const auto where = link.a == link.b ? one_line(link.a) : one_line(link.a + " - " + link.b);
    const auto what = link.gbps > 0 ? fmt::format("the path reaches {:.1f} Gbit/s{}: {}", link.gbps,
                                                  rail, one_line(link.evidence))
                                    : fmt::format("the path carries nothing{}: {}", rail,
                                                  one_line(link.evidence));
    findings.add_text(true, stage_fabric, where, what,
                      "look at the cables, optics and error counters between these leaves");
  }
}

std::string remedy_of(const NodeFault& fault) {
  if (fault.cause == "failed")
    return "check that the port is up and that nothing filters it, then validate again";
  return "look at cable, optics, PCIe width and speed, and error counters of this port, then "
         "validate again";
}

void add_fabric(Findings& findings, const FabricReport& fabric) {
  const auto& verdict = fabric.verdict;
  const bool several = has_several_rails(fabric);
  for (const auto& fault : verdict.nodes) {
    const auto figure =
        fault.cause == "slow" ? fmt::format(", {:.1f} Gbit/s", fault.gbps) : std::string{};
    const auto evidence = fault.evidence.empty() ? std::string{} : ": " + one_line(fault.evidence);
    findings.add_text(true, stage_fabric, one_line(fault.name),
                      describe(fault, several) + figure + evidence, remedy_of(fault));
  }
  add_links(findings, verdict, several);
  for (const auto& set : verdict.ambiguous) {
    findings.add_text(true, stage_fabric, names_of(set),
                      "at least one of these is at fault, and the measurements cannot tell which",
                      "measure with more nodes, or swap a cable or a port and validate again");
  }
  if (!verdict.pass && verdict.nodes.empty() && verdict.links.empty() &&
      verdict.ambiguous.empty()) {
    findings.add_text(true, stage_fabric, "the fabric",
                      verdict.summary.empty() ? "did not pass" : one_line(verdict.summary));
  }
  for (const auto& collective : fabric.collectives) {
    if (collective.status == Verdict::pass) continue;
    auto what = collective.error.empty()
                    ? fmt::format("{} reaches {} of {} GB/s bus bandwidth", one_line(collective.name),
                                  three_digits(collective.busbw_gbytes_per_s),
                                  three_digits(collective.expected_gbytes_per_s))
                    : fmt::format("{}: {}", one_line(collective.name), one_line(collective.error));
    if (!collective.source.empty()) what += fmt::format(" (expected: {})", one_line(collective.source));
    findings.add_text(true, stage_fabric, place_of(collective), what);
  }
  // A port with several counters is one finding.
  std::map<std::pair<NodeId, std::string>, std::pair<bool, std::vector<std::string>>> ports;
  for (const auto& one : fabric.counters) {
    auto& [fatal, texts] = ports[{one.node, one.port}];
    fatal = fatal || one.fatal;
    texts.push_back(fmt::format("{} by {}", one_line(one.counter), one.delta));
  }
  for (const auto& [port, known] : ports) {
    findings.add_text(known.first, stage_fabric, one_line(port.first),
                      fmt::format("counters of {} rose while it was measured: {}", one_line(port.second),
                                  join(known.second, ", ")),
                      known.first ? "look at cable and optics of this port and of its other end, then validate again"
                                  : "congestion alone can do this; look at flow control where it should not");
  }
}

void add_handoff(Findings& findings, const HandoffReport& handoff) {
  for (const auto& target : handoff.targets) {
    if (target.status == "ok") continue;
    findings.add_text(true, stage_handoff, one_line(target.name),
                      target.error.empty() ? "is not ready" : one_line(target.error),
                      "podwright handoff --help");
  }
  for (const auto& proof : handoff.proofs) {
    if (proof.pass) continue;
    findings.add_text(
        true, stage_handoff, "proof " + one_line(proof.name), one_line(proof.summary),
        proof.command.empty() ? std::string{} : "repeat it with: " + one_line(proof.command));
  }
  if (handoff.targets.empty() && handoff.proofs.empty()) {
    findings.add_text(true, stage_handoff, "the cluster", "nothing was handed off");
  }
}

std::string failed_text(const AppliedNode& node) {
  auto text = node.error.empty() ? std::string("failed") : one_line(node.error);
  if (!node.failed_step.empty() && !text.starts_with(node.failed_step))
    text = one_line(node.failed_step) + ": " + text;
  return text;
}

/// "8 x NVIDIA H100": equal things counted, in the order of their first.
std::string counted(const std::vector<std::string>& things) {
  std::vector<std::pair<std::string, std::size_t>> kinds;
  for (const auto& thing : things) {
    const auto known = std::ranges::find(kinds, thing, &std::pair<std::string, std::size_t>::first);
    if (known == kinds.end()) kinds.emplace_back(thing, 1);
    else ++known->second;
  }
  std::vector<std::string> texts;
  for (const auto& [thing, count] : kinds) {
    texts.push_back(count == 1 ? thing : fmt::format("{} × {}", count, thing));
  }
  return join(texts, ", ");
}

NodeClass class_of(const Facts& facts) {
  NodeClass result;
  result.machine = one_line(facts.product);
  if (!facts.virtualization.empty() && facts.virtualization != "none") {
    result.machine += (result.machine.empty() ? "" : ", ") + one_line(facts.virtualization);
  }
  const auto model = facts.cpu.model.empty() ? std::string("processor") : one_line(facts.cpu.model);
  result.processor =
      facts.cpu.sockets > 1 ? fmt::format("{} × {}", facts.cpu.sockets, model) : model;
  if (facts.cpu.logical > 0) result.processor += fmt::format(" ({} CPUs)", facts.cpu.logical);
  if (facts.memory_bytes > 0) result.memory = human_bytes(facts.memory_bytes);
  std::vector<std::string> gpus;
  for (const auto& gpu : facts.gpus)
    gpus.push_back(one_line(gpu.model.empty() ? gpu.vendor : gpu.model));
  result.accelerators = counted(gpus);
  std::vector<std::string> ports;
  for (const auto& hca : facts.hcas) {
    ports.push_back(one_line(fmt::format("{:g} Gbit/s {}", hca.rate_gbps, hca.link_layer)));
  }
  if (ports.empty()) {
    for (const auto& nic : facts.nics) {
      if (nic.speed_gbps > 0) ports.push_back(fmt::format("{:g} Gbit/s Ethernet", nic.speed_gbps));
    }
  }
  result.network = counted(ports);
  std::vector<std::string> system;
  if (const auto os =
          one_line(facts.os.name.empty() ? facts.os.id + " " + facts.os.version : facts.os.name);
      !trim(os).empty()) {
    system.push_back(os);
  }
  if (!facts.kernel.empty()) system.push_back("kernel " + one_line(facts.kernel));
  if (!facts.arch.empty()) system.push_back(one_line(facts.arch));
  result.system = join(system, ", ");
  return result;
}

int rank(CheckStatus status) {
  switch (status) {
    case CheckStatus::fail:
      return 0;
    case CheckStatus::error:
      return 1;
    case CheckStatus::warn:
      return 2;
    case CheckStatus::skip:
      return 3;
    case CheckStatus::pass:
      return 4;
  }
  return 0;
}

}  // namespace

std::string one_line(std::string_view text) {
  auto clean = clean_output(text);
  for (auto& c : clean) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return std::string(trim(clean));
}

std::string names_of(const std::vector<NodeId>& nodes) {
  std::vector<std::string> clean;
  clean.reserve(nodes.size());
  for (const auto& node : nodes) clean.push_back(one_line(node));
  return fold_names(std::move(clean));
}

bool has_several_rails(const FabricReport& report) {
  return std::ranges::any_of(report.pairs, [&](const JudgedPair& pair) {
    return pair.result.pair.rail != report.pairs.front().result.pair.rail;
  });
}

std::string describe(const NodeFault& fault, bool several_rails) {
  std::string text;
  if (several_rails) text = fmt::format("rail {}: ", fault.rail);
  if (fault.cause == "failed") return text + "could not be measured";
  if (fault.direction == "tx") return text + "slow to send";
  if (fault.direction == "rx") return text + "slow to receive";
  return text + "slow both ways";
}

std::string_view verdict_word(const Report& report) {
  return report.pass() ? "ACCEPTED" : "NOT ACCEPTED";
}

std::string verdict_line(const Report& report) {
  const auto stages = stages_of(report);
  const auto count = [&](Stage::Outcome outcome) {
    return static_cast<std::size_t>(std::ranges::count(stages, outcome, &Stage::outcome));
  };
  const auto left_out = count(Stage::Outcome::not_run);
  const auto findings = findings_of(report);
  const auto blocking =
      static_cast<std::size_t>(std::ranges::count(findings, true, &Finding::blocks));
  const auto known = findings.size() - blocking;
  std::string text;
  if (!report.pass()) {
    text = blocking == 0 ? "Nothing was proven yet."
                         : count_of(blocking, "problem") + " must be solved first.";
  } else {
    text = left_out == 0 ? "Every stage has passed." : "Every stage that was run has passed.";
  }
  if (left_out > 0 && left_out < stages.size())
    text += fmt::format(" {} not run.",
                        count_of(left_out, "stage") + (left_out == 1 ? " was" : " were"));
  if (known > 0) text += fmt::format(" {} to know about.", count_of(known, "thing"));
  return text;
}

std::vector<Stage> stages_of(const Report& report) {
  return {reach_stage(report),  plan_stage(report),   install_stage(report),
          fabric_stage(report), checks_stage(report), handoff_stage(report)};
}

std::vector<Finding> findings_of(const Report& report) {
  Findings findings;
  for (const auto& [node, error] : report.unreachable) {
    findings.add(!quarantined(report, node), stage_reach, node, one_line(error.what),
                 one_line(error.hint));
  }
  if (report.plan) {
    for (const auto& [node, error] : report.plan->failed) {
      findings.add(!quarantined(report, node), stage_plan, node, one_line(error.what),
                   one_line(error.hint));
    }
  }
  if (report.applied) {
    for (const auto& [name, node] : report.applied->nodes) {
      if (node.status == NodeStatus::ok) continue;
      const bool aside = node.status == NodeStatus::quarantined;
      findings.add(!aside, stage_install, name,
                   aside ? "set aside: " + failed_text(node) : failed_text(node),
                   one_line(node.hint));
    }
  }
  if (report.fabric) add_fabric(findings, *report.fabric);
  if (report.checks) {
    if (report.checks->nodes.empty())
      findings.add_text(true, stage_checks, "the cluster", "no node was checked");
    for (const auto& [name, node] : report.checks->nodes) {
      if (!node.error.empty())
        findings.add(true, stage_checks, name, "could not be checked: " + one_line(node.error));
    }
    for (const auto& group : checks_of(*report.checks)) {
      if (rank(group.status) > rank(CheckStatus::warn)) continue;
      const auto expected =
          group.expected.empty() ? std::string{} : fmt::format(" (expected {})", group.expected);
      const auto observed =
          group.observed.empty() ? std::string(to_string(group.status)) : group.observed;
      findings.add_text(group.status != CheckStatus::warn, stage_checks, names_of(group.nodes),
                        fmt::format("{}: {}{}", group.id, observed, expected), group.remedy);
    }
  }
  if (report.handoff) add_handoff(findings, *report.handoff);
  return findings.take();
}

std::vector<NodeClass> classes_of(const Report& report) {
  std::vector<NodeClass> classes;
  for (const auto& [name, facts] : report.facts) {
    auto found = class_of(facts);
    const auto known = std::ranges::find_if(classes, [&](const NodeClass& other) {
      return std::tie(other.machine, other.processor, other.memory, other.accelerators,
                      other.network, other.system) == std::tie(found.machine, found.processor,
                                                               found.memory, found.accelerators,
                                                               found.network, found.system);
    });
    auto& home = known == classes.end() ? classes.emplace_back(std::move(found)) : *known;
    home.nodes.push_back(name);
  }
  std::ranges::stable_sort(classes, std::ranges::greater{},
                           [](const NodeClass& one) { return one.nodes.size(); });
  return classes;
}

std::vector<InstallGroup> installs_of(const Report& report) {
  std::vector<InstallGroup> groups;
  const auto add = [&](const NodeId& node, InstallGroup group) {
    const auto known = std::ranges::find_if(groups, [&](const InstallGroup& other) {
      return std::tie(other.status, other.text, other.remedy) ==
             std::tie(group.status, group.text, group.remedy);
    });
    auto& home = known == groups.end() ? groups.emplace_back(std::move(group)) : *known;
    home.nodes.push_back(node);
  };
  if (report.applied) {
    for (const auto& [name, node] : report.applied->nodes) {
      const auto changes = node.changed.empty() ? std::string("nothing to change")
                                                : count_of(node.changed.size(), "change");
      add(name, {.nodes = {},
                 .status = node.status,
                 .text = node.status == NodeStatus::ok ? changes : failed_text(node),
                 .remedy = one_line(node.hint)});
    }
  } else if (report.plan) {
    for (const auto& [name, error] : report.plan->failed) {
      add(name, {.nodes = {},
                 .status = NodeStatus::failed,
                 .text = one_line(error.what),
                 .remedy = one_line(error.hint)});
    }
    for (const auto& [name, node] : report.plan->nodes) {
      add(name, {.nodes = {},
                 .status = NodeStatus::ok,
                 .text = node.steps.empty() ? "nothing to change"
                                            : count_of(node.steps.size(), "step") + " planned",
                 .remedy = {}});
    }
  }
  const auto order = [](const InstallGroup& group) {
    const std::map<NodeStatus, int> ranks = {{NodeStatus::failed, 0},
                                             {NodeStatus::unreachable, 1},
                                             {NodeStatus::quarantined, 2},
                                             {NodeStatus::ok, 3}};
    return ranks.at(group.status);
  };
  std::ranges::stable_sort(groups, {}, order);
  return groups;
}

std::vector<CheckGroup> checks_of(const CheckReport& report) {
  using Key = std::tuple<int, std::string, std::string, std::string, std::string>;
  std::map<Key, CheckGroup> groups;
  for (const auto& [name, node] : report.nodes) {
    for (const auto& check : node.checks) {
      const bool pass = check.status == CheckStatus::pass;
      const Key key{rank(check.status), check.id, pass ? "" : check.observed,
                    pass ? "" : check.expected, pass ? "" : check.remedy};
      const auto [known, added] = groups.try_emplace(key);
      auto& group = known->second;
      if (added) {
        group.status = check.status;
        group.id = one_line(check.id);
        group.observed = one_line(check.observed);
        group.expected = one_line(check.expected);
        group.remedy = one_line(check.remedy);
      } else if (group.observed != one_line(check.observed)) {
        group.observed = "differs from node to node";
      }
      group.nodes.push_back(name);
    }
  }
  std::vector<CheckGroup> ordered;
  for (auto& [key, group] : groups) ordered.push_back(std::move(group));
  return ordered;
}

BandwidthFigures figures_of(const FabricReport& report) {
  BandwidthFigures figures;
  std::vector<double> values;
  for (const auto& pair : report.pairs) {
    if (pair.status == Verdict::failed) {
      ++figures.failed;
      continue;
    }
    figures.slow += pair.status == Verdict::slow ? 1 : 0;
    values.push_back(pair.gbps);
  }
  figures.measured = values.size();
  if (values.empty()) return figures;
  std::ranges::sort(values);
  figures.lowest = values.front();
  figures.median = values[values.size() / 2];
  figures.highest = values.back();
  return figures;
}

bool passed(const FabricReport& report) {
  return report.verdict.pass && std::ranges::none_of(report.counters, &CounterDelta::fatal) &&
         std::ranges::all_of(report.collectives,
                             [](const CollectiveResult& one) { return one.status == Verdict::pass; });
}

}  // namespace podwright
