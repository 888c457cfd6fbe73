#include "fabric/judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "base/text.hpp"
#include "fabric/decode.hpp"

namespace podwright::fabric {

namespace {

constexpr std::size_t names_in_evidence = 4;

bool blamed(const Doubt& doubt) { return doubt.standing == Standing::blamed; }

/// That the witnesses were not all chance: a dip of one measurement in twenty, each on its own, and
/// a best value that noise could have taken below the floor. A rule of thumb, for sorting; not a
/// p-value.
double confidence_of(const Doubt& doubt, double best, const Baseline& baseline) {
  double chance = std::max(0.001, std::pow(0.05, std::max(1, doubt.witnesses)));
  if (doubt.inferred) chance = std::max(chance, 0.1);
  double separated = 1;
  if (baseline.noise > 0)
    separated = 0.5 * (1 + std::erf((baseline.floor - best) / baseline.noise / std::sqrt(2.0)));
  return std::round((1 - chance) * std::max(0.5, separated) * 1000) / 1000;
}

/// What was measured about one thing that is blamed.
struct Evidence {
  double best = 0;  ///< of the best partner, Gbit/s
  int bad = 0;
  int good = 0;
  std::vector<NodeId> partners;
  const Baseline* baseline = nullptr;
  std::string error;  ///< of a failed measurement

  void add(const Tally& tally, const NodeId& partner, const Baseline& of) {
    best = std::max(best, tally.best);
    bad += tally.bad;
    good += tally.good;
    if (std::ranges::find(partners, partner) == partners.end()) partners.push_back(partner);
    if (baseline == nullptr || of.expected > baseline->expected) baseline = &of;
  }
};

std::string with_partners(const Evidence& evidence) {
  if (evidence.partners.size() == 1) return "with " + evidence.partners.front();
  return fmt::format("with each of {} partners ({})", evidence.partners.size(),
                     human_list(evidence.partners, names_in_evidence));
}

/// An error of a node in a sentence: one line, not long.
std::string one_line(std::string_view text) {
  const auto clean = clean_output(text);
  std::string line(trim(std::string_view(clean).substr(0, clean.find('\n'))));
  constexpr std::size_t most = 160;
  if (line.size() > most) {
    std::size_t cut = most;
    while (cut > 0 && (static_cast<unsigned char>(line[cut]) & 0xC0U) == 0x80U) --cut;
    line = line.substr(0, cut) + "…";
  }
  return line;
}

/// The judge's work on one rail.
class RailJudge {
 public:
  RailJudge(const RailState& state, std::span<const PairResult> results,
            const Expectations& expectations)
      : state_(state), rail_(*state.rail), results_(results), expectations_(expectations) {}

  void judge(FabricVerdict& verdict) {
    gather();
    name_nodes(verdict);
    name_links(verdict);
    name_unmeasured(verdict);
    list_ambiguous(verdict);
  }

  /// End points that were measured only with something faulty: neither proven nor at fault.
  [[nodiscard]] std::vector<NodeId> unproven() const {
    std::vector<NodeId> names;
    for (std::size_t port = 0; port < rail_.size(); ++port) {
      const auto shadowed = [](const Doubt& doubt) { return doubt.standing == Standing::shadowed; };
      const bool at_fault =
          blamed(state_.send[port]) || blamed(state_.receive[port]) || blamed(state_.alive[port]);
      if (!at_fault && (shadowed(state_.send[port]) || shadowed(state_.receive[port]) ||
                        shadowed(state_.alive[port]))) {
        names.push_back(rail_.ports[port]->node);
      }
    }
    return names;
  }

 private:
  void gather() {
    for (const auto& pair : state_.pairs) {
      const auto& baseline = expectations_.of(rail_, pair.a, pair.b);
      const auto a = static_cast<std::size_t>(pair.a);
      const auto b = static_cast<std::size_t>(pair.b);
      if (pair.alive.good > 0) {
        if (blamed(state_.send[a])) send_[pair.a].add(pair.forward, rail_.name(pair.b), baseline);
        if (blamed(state_.receive[a]))
          receive_[pair.a].add(pair.backward, rail_.name(pair.b), baseline);
        if (blamed(state_.send[b])) send_[pair.b].add(pair.backward, rail_.name(pair.a), baseline);
        if (blamed(state_.receive[b]))
          receive_[pair.b].add(pair.forward, rail_.name(pair.a), baseline);
        note_path(pair.path_ab, pair.a, pair.b, pair.forward, baseline);
        note_path(pair.path_ba, pair.b, pair.a, pair.backward, baseline);
      }
      if (blamed(state_.alive[a])) note_failure(alive_[pair.a], pair, pair.b, baseline);
      if (blamed(state_.alive[b])) note_failure(alive_[pair.b], pair, pair.a, baseline);
    }
  }

  void note_failure(Evidence& evidence, const PairState& pair, int partner,
                    const Baseline& baseline) {
    evidence.add(pair.alive, rail_.name(partner), baseline);
    if (pair.alive.bad > 0 && evidence.error.empty())
      evidence.error = one_line(results_[pair.first_error].error);
  }

  void note_path(int place, int from, int to, const Tally& tally, const Baseline& baseline) {
    if (place < 0 || !blamed(state_.paths[static_cast<std::size_t>(place)].slow)) return;
    // A slow end of its own would pass for the path's bandwidth.
    if (state_.send[static_cast<std::size_t>(from)].standing != Standing::cleared ||
        state_.receive[static_cast<std::size_t>(to)].standing != Standing::cleared) {
      return;
    }
    paths_[place].add(tally, rail_.name(from) + "-" + rail_.name(to), baseline);
  }

  void name_nodes(FabricVerdict& verdict) {
    for (int port = 0; port < static_cast<int>(rail_.size()); ++port) {
      const auto at = static_cast<std::size_t>(port);
      if (blamed(state_.alive[at])) name_failed(verdict, port);
      const bool tx = blamed(state_.send[at]);
      const bool rx = blamed(state_.receive[at]);
      if (tx || rx) name_slow(verdict, port, tx, rx);
    }
  }

  void name_failed(FabricVerdict& verdict, int port) {
    const auto& doubt = state_.alive[static_cast<std::size_t>(port)];
    const auto& evidence = alive_.at(port);
    std::string text = doubt.intermittent ? fmt::format("{} of {} measurements failed",
                                                        evidence.bad, evidence.bad + evidence.good)
                                          : fmt::format("failed {}", with_partners(evidence));
    if (!evidence.error.empty()) text += ": " + evidence.error;
    verdict.nodes.push_back({.name = rail_.name(port),
                             .rail = rail_.rail,
                             .direction = "both",
                             .cause = "failed",
                             .confidence = confidence_of(doubt, 0, Baseline{}),
                             .evidence = std::move(text)});
  }

  void name_slow(FabricVerdict& verdict, int port, bool tx, bool rx) {
    const auto at = static_cast<std::size_t>(port);
    double gbps = std::numeric_limits<double>::max();
    double confidence = 0;
    std::vector<std::string> parts;
    const auto add = [&](std::string_view verb, const Doubt& doubt, const Evidence& evidence) {
      gbps = std::min(gbps, evidence.best);
      confidence = std::max(confidence, confidence_of(doubt, evidence.best, *evidence.baseline));
      parts.push_back(
          doubt.intermittent
              ? fmt::format("{} below {:.1f} Gbit/s in {} of {} measurements", verb,
                            evidence.baseline->expected, evidence.bad, evidence.bad + evidence.good)
              : fmt::format("{} at best {:.1f} of {:.1f} Gbit/s {}", verb, evidence.best,
                            evidence.baseline->expected, with_partners(evidence)));
    };
    if (tx) add("sends", state_.send[at], send_.at(port));
    if (rx) add("receives", state_.receive[at], receive_.at(port));
    const auto& evidence = tx ? send_.at(port) : receive_.at(port);
    std::string text = join(parts, "; ");
    if (const double others = evidence.baseline->reference; others > evidence.baseline->expected) {
      text += fmt::format("; others reach {:.1f}", others);
    }
    verdict.nodes.push_back({.name = rail_.name(port),
                             .rail = rail_.rail,
                             .direction = tx && rx ? "both"
                                          : tx     ? "tx"
                                                   : "rx",
                             .cause = "slow",
                             .gbps = gbps,
                             .confidence = confidence,
                             .evidence = std::move(text)});
  }

  [[nodiscard]] const std::string& leaf_name(int leaf) const {
    return rail_.leaves[static_cast<std::size_t>(leaf)];
  }

  /// Of the paths that were measured from or to a leaf, all but its inner one are at fault.
  [[nodiscard]] std::vector<bool> whole_uplinks() const {
    std::vector<int> bad(rail_.leaves.size(), 0);
    std::vector<int> all(rail_.leaves.size(), 0);
    for (const auto& path : state_.paths) {
      if (path.from == path.to) continue;
      const bool is_bad = blamed(path.slow) || blamed(path.dead);
      for (const int leaf : {path.from, path.to}) {
        ++all[static_cast<std::size_t>(leaf)];
        bad[static_cast<std::size_t>(leaf)] += is_bad ? 1 : 0;
      }
    }
    std::vector<bool> whole(rail_.leaves.size(), false);
    for (std::size_t leaf = 0; leaf < whole.size(); ++leaf)
      whole[leaf] = bad[leaf] >= 3 && 2 * bad[leaf] > all[leaf];
    return whole;
  }

  void name_links(FabricVerdict& verdict) {
    const auto whole = whole_uplinks();
    std::set<std::pair<int, int>> named;
    for (const auto& path : state_.paths) {
      if (!blamed(path.slow) && !blamed(path.dead)) continue;
      if (!named.insert(std::minmax(path.from, path.to)).second) continue;
      auto fault = link_fault(std::min(path.from, path.to), std::max(path.from, path.to));
      for (const int leaf : {path.from, path.to}) {
        if (!whole[static_cast<std::size_t>(leaf)]) continue;
        fault.evidence += fmt::format("; most paths of leaf:{} are at fault: look at its uplinks",
                                      leaf_name(leaf));
      }
      verdict.links.push_back(std::move(fault));
    }
  }

  /// What was measured on a path that is blamed for being slow, or null.
  [[nodiscard]] const Evidence* evidence_of(const PathState* path) const {
    if (path == nullptr || !blamed(path->slow)) return nullptr;
    const auto found = paths_.find(static_cast<int>(path - state_.paths.data()));
    return found == paths_.end() ? nullptr : &found->second;
  }

  static std::string measurements(int count) {
    return count_of(static_cast<std::size_t>(count), "measurement");
  }

  [[nodiscard]] LinkFault link_fault(int a, int b) const {
    LinkFault fault{.a = "leaf:" + leaf_name(a), .b = "leaf:" + leaf_name(b), .rail = rail_.rail};
    const auto* there = state_.path(a, b);
    const auto* back = state_.path(b, a);
    if (there != nullptr && blamed(there->dead)) {
      fault.confidence = confidence_of(there->dead, 0, Baseline{});
      fault.evidence = "no pair between them could be measured, though its ends could with others";
      return fault;
    }
    const auto* forward = evidence_of(there);
    const auto* backward = a == b ? nullptr : evidence_of(back);
    std::string text;
    if (forward != nullptr && backward != nullptr) {
      fault.gbps = std::min(forward->best, backward->best);
      text =
          fmt::format("both ways: {} of {} slow, at best {:.1f} and {:.1f} of {:.1f} Gbit/s ({})",
                      forward->bad + backward->bad,
                      measurements(forward->bad + forward->good + backward->bad + backward->good),
                      forward->best, backward->best, forward->baseline->expected,
                      human_list(forward->partners, names_in_evidence));
    } else if (const auto* one = forward != nullptr ? forward : backward; one != nullptr) {
      const auto* path = forward != nullptr ? there : back;
      fault.gbps = one->best;
      text = fmt::format("{} to {}: {} of {} slow, at best {:.1f} of {:.1f} Gbit/s ({})",
                         leaf_name(path->from), leaf_name(path->to), one->bad,
                         measurements(one->bad + one->good), one->best, one->baseline->expected,
                         human_list(one->partners, names_in_evidence));
    }
    for (const auto& [path, evidence] : {std::pair{there, forward}, {back, backward}}) {
      if (evidence == nullptr) continue;
      fault.confidence = std::max(fault.confidence,
                                  confidence_of(path->slow, evidence->best, *evidence->baseline));
    }
    fault.evidence = text + "; the same nodes are good with others";
    return fault;
  }

  /// Nothing fails open: what was never measured is not proven.
  void name_unmeasured(FabricVerdict& verdict) {
    if (rail_.size() < 2) return;
    std::vector<bool> seen(rail_.size(), false);
    for (const auto& pair : state_.pairs) {
      seen[static_cast<std::size_t>(pair.a)] = seen[static_cast<std::size_t>(pair.b)] = true;
    }
    for (std::size_t port = 0; port < seen.size(); ++port) {
      if (seen[port]) continue;
      verdict.nodes.push_back({.name = rail_.ports[port]->node,
                               .rail = rail_.rail,
                               .direction = "both",
                               .cause = "failed",
                               .confidence = 0.5,
                               .evidence = "was not measured with anybody"});
    }
  }

  void list_ambiguous(FabricVerdict& verdict) {
    // Suspects of one measurement belong together; so do measurements that share a suspect.
    std::vector<int> parent(rail_.size());
    std::iota(parent.begin(), parent.end(), 0);
    const auto root = [&](int port) {
      while (parent[static_cast<std::size_t>(port)] != port) {
        port = parent[static_cast<std::size_t>(port)] =
            parent[static_cast<std::size_t>(parent[static_cast<std::size_t>(port)])];
      }
      return port;
    };
    std::set<int> suspects;
    std::map<int, std::set<std::string>> paths;
    std::set<PortPair> unexplained;
    const auto open_test = [&](const PairState& pair, const Doubt& one, const Doubt& other,
                               int place) {
      const auto open = [](const Doubt& doubt) {
        return doubt.standing != Standing::cleared && doubt.standing != Standing::blamed;
      };
      if (open(one)) suspects.insert(pair.a);
      if (open(other)) suspects.insert(pair.b);
      if (open(one) && open(other)) parent[static_cast<std::size_t>(root(pair.a))] = root(pair.b);
      if (place < 0 || (open(one) && open(other))) return;
      const auto& path = state_.paths[static_cast<std::size_t>(place)];
      paths[open(one) ? pair.a : pair.b].insert(
          fmt::format("leaf:{}-leaf:{}", leaf_name(std::min(path.from, path.to)),
                      leaf_name(std::max(path.from, path.to))));
    };
    for (const auto& pair : state_.pairs) {
      const auto a = static_cast<std::size_t>(pair.a);
      const auto b = static_cast<std::size_t>(pair.b);
      if (pair.forward.fate == Fate::open)
        open_test(pair, state_.send[a], state_.receive[b], pair.path_ab);
      if (pair.backward.fate == Fate::open)
        open_test(pair, state_.receive[a], state_.send[b], pair.path_ba);
      if (pair.alive.fate == Fate::open)
        open_test(pair, state_.alive[a], state_.alive[b], pair.path_ab);
      if (pair.forward.fate == Fate::unexplained || pair.backward.fate == Fate::unexplained ||
          pair.alive.fate == Fate::unexplained) {
        unexplained.insert({pair.a, pair.b});
      }
    }
    std::map<int, std::vector<NodeId>> sets;
    for (const int port : suspects) sets[root(port)].push_back(rail_.name(port));
    for (auto& [first, names] : sets) {
      if (names.size() == 1) {
        for (const auto& path : paths[first]) names.push_back(path);
      }
      add_set(verdict, std::move(names));
    }
    for (const auto& [a, b] : unexplained) add_set(verdict, {rail_.name(a), rail_.name(b)});
  }

  static void add_set(FabricVerdict& verdict, std::vector<NodeId> names) {
    if (std::ranges::find(verdict.ambiguous, names) == verdict.ambiguous.end()) {
      verdict.ambiguous.push_back(std::move(names));
    }
  }

  const RailState& state_;
  const Rail& rail_;
  std::span<const PairResult> results_;
  const Expectations& expectations_;
  std::map<int, Evidence> send_;  ///< by port
  std::map<int, Evidence> receive_;
  std::map<int, Evidence> alive_;
  std::map<int, Evidence> paths_;  ///< by place
};

std::string summarize(const FabricReport& report, std::span<const Endpoint> endpoints,
                      const Expectations& expectations, const std::vector<NodeId>& unproven,
                      std::size_t excused, std::size_t within_noise) {
  const auto& verdict = report.verdict;
  std::set<std::string_view> everybody;
  for (const auto& endpoint : endpoints) everybody.insert(endpoint.node);
  if (report.pairs.empty()) {
    return everybody.size() < 2 ? "Nothing was measured: a fabric needs two nodes or more."
                                : "Nothing was measured.";
  }

  std::string text;
  const bool all_bad = std::ranges::none_of(
      report.pairs, [](const JudgedPair& pair) { return pair.status == Verdict::pass; });
  std::set<std::string_view> named;
  for (const auto& fault : verdict.nodes) named.insert(fault.name);
  if (verdict.pass) {
    text = within_noise > 0 ? "No pair is slower than noise explains."
                            : "Every pair reaches what is expected of it.";
  } else if (all_bad && everybody.size() == 2) {
    text =
        "The only pair is bad: with two nodes nothing can tell which one, or the path between "
        "them.";
  } else if (all_bad) {
    text =
        "All pairs are bad, so no node can be told from the others: look for a cause that all "
        "share "
        "(MTU, line rate, PCIe access control, firewall) first.";
  } else {
    std::vector<std::string> parts;
    if (!named.empty()) parts.push_back(count_of(named.size(), "node"));
    if (!verdict.links.empty()) parts.push_back(count_of(verdict.links.size(), "link"));
    if (!parts.empty()) {
      text = fmt::format("{} at fault.", join(parts, " and "));
    }
    if (!verdict.ambiguous.empty()) {
      if (!text.empty()) text += ' ';
      text += fmt::format("{} in which the measurements cannot tell who is at fault.",
                          count_of(verdict.ambiguous.size(), "set"));
    }
    if (2 * named.size() > everybody.size())
      text += " That is the majority: look for a cause that they share.";
  }
  if (!unproven.empty()) {
    text += fmt::format(" Not proven, for want of a sound partner: {}.", human_list(unproven));
  }
  if (excused > 0) {
    text += fmt::format(" {} did not come back when measured again.", count_of(excused, "dip"));
  }
  if (within_noise > 0) {
    text += fmt::format(" {} below the floor by no more than noise.",
                        count_of(within_noise, "pair") + (within_noise == 1 ? " is" : " are"));
  }
  if (expectations.rates_missing()) {
    text +=
        " Some line rates are not known: there, only a pair that differs from the others was "
        "looked for.";
  }
  return text;
}

}  // namespace

FabricReport judge(std::span<const Endpoint> endpoints, std::span<const PairResult> results,
                   const Options& options) {
  const auto rails = rails_of(endpoints);
  const Expectations expectations(rails, results, options);
  const auto states = decode(rails, results, expectations);

  FabricReport report;
  std::size_t within_noise = 0;
  report.probes = static_cast<int>(results.size());
  report.pairs.reserve(results.size());
  for (const auto& result : results) {
    report.rounds = std::max(report.rounds, result.round);
    const auto& rail = rail_of(rails, result.pair.rail);
    const auto [a, b, swapped] = orient(rail, result.pair);
    auto& judged = report.pairs.emplace_back();
    judged.result = result;
    const auto& baseline = expectations.of(rail, a, b);
    judged.expected_gbps = baseline.expected;
    if (!measured(result)) {
      judged.status = Verdict::failed;
      if (result.error.empty()) judged.result.error = "the measured bandwidth is no number";
      continue;
    }
    judged.gbps = std::min(result.gbps_ab, result.gbps_ba);
    judged.status = judged.gbps < judged.expected_gbps ? Verdict::slow : Verdict::pass;
    if (judged.status == Verdict::slow && judged.gbps >= baseline.floor) ++within_noise;
  }

  auto& verdict = report.verdict;
  std::vector<NodeId> unproven;
  std::size_t excused = 0;
  for (const auto& state : states) {
    RailJudge judge_of_rail(state, results, expectations);
    judge_of_rail.judge(verdict);
    for (auto& name : judge_of_rail.unproven()) {
      if (std::ranges::find(unproven, name) == unproven.end()) unproven.push_back(std::move(name));
    }
    for (const auto& pair : state.pairs) {
      for (const auto fate : {pair.forward.fate, pair.backward.fate, pair.alive.fate}) {
        excused += fate == Fate::excused ? 1 : 0;
      }
    }
  }
  verdict.pass = !results.empty() && verdict.nodes.empty() && verdict.links.empty() &&
                 verdict.ambiguous.empty();
  verdict.summary =
      summarize(report, endpoints, expectations, unproven, excused, within_noise);
  return report;
}

}  // namespace podwright::fabric
