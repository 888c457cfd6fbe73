// A fabric with known faults, in the place of a site's own measuring tool, and what is needed to score a verdict
// over it. Used by tests/bench/fabric and by the tests; every mode takes the same description of the fabric.
//
//   simulated_fabric cluster    cluster.toml of its nodes
//   simulated_fabric probe      for --probe-command: a round on stdin, its measurements on stdout
//   simulated_fabric score      the JSON of `podwright validate` on stdin: what it found, missed and made up
//   simulated_fabric baseline threshold|matchings|retest    the same for what other tools do
//   simulated_fabric faults     what was broken, a line each
//
// Options: --nodes N --leaf M (nodes below a leaf switch; 0: no labels) --seed S --dips SHARE --faulty SHARE
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/text.hpp"
#include "fabric/schedule.hpp"

namespace {

using namespace podwright;

struct Wanted {
  int nodes = 64;
  int leaf = 8;
  std::uint64_t seed = 1;
  double dips = 0.01;
  double faulty = 0.05;
  double noise = 0.01;
};

constexpr double line_rate = 100;
constexpr double healthy = 97;
constexpr double floor_share = 0.92;

struct Fault {
  double tx = 1;
  double rx = 1;
  bool dead = false;
  [[nodiscard]] std::string what() const {
    if (dead) return "both failed";
    return tx < 1 && rx < 1 ? "both slow" : tx < 1 ? "tx slow" : "rx slow";
  }
};

std::string node_name(int node) { return fmt::format("cu{:04}", node + 1); }
std::string leaf_name(int leaf) { return fmt::format("l{:03}", leaf + 1); }

/// Numbers from 0 to 1 that depend on nothing but the seed and the words: measurements come in any order.
double dice(std::uint64_t seed, std::initializer_list<std::uint64_t> words) {
  std::uint64_t state = seed + 0x9e3779b97f4a7c15ULL;
  for (const auto word : words) {
    state ^= word + 0x9e3779b97f4a7c15ULL + (state << 6U) + (state >> 2U);
    state ^= state >> 30U;
    state *= 0xbf58476d1ce4e5b9ULL;
    state ^= state >> 27U;
    state *= 0x94d049bb133111ebULL;
    state ^= state >> 31U;
  }
  return static_cast<double>(state >> 11U) / 9007199254740992.0;
}

double normal(std::uint64_t seed, std::initializer_list<std::uint64_t> words) {
  std::vector<std::uint64_t> more(words);
  const auto with = [&](std::uint64_t last) {
    std::uint64_t folded = last;
    for (const auto word : more) folded = folded * 1000003ULL + word;
    return dice(seed, {folded, last});
  };
  return std::sqrt(-2 * std::log(std::max(1e-12, with(1)))) * std::cos(6.283185307179586 * with(2));
}

class Fabric {
 public:
  explicit Fabric(const Wanted& wanted) : wanted_(wanted) {
    std::mt19937_64 engine(wanted.seed * 7919 + static_cast<std::uint64_t>(wanted.nodes));
    const auto share_left = [&] { return 0.85 - 0.45 * static_cast<double>(engine() % 1000) / 1000; };
    const auto faulty = static_cast<int>(wanted.faulty * wanted.nodes);
    while (static_cast<int>(faults_.size()) < faulty) {
      const int node = static_cast<int>(engine() % static_cast<std::uint64_t>(wanted.nodes));
      if (faults_.contains(node)) continue;
      auto& fault = faults_[node];
      const double left = share_left();
      switch (engine() % 4) {
        case 0: fault.tx = fault.rx = left; break;
        case 1: fault.tx = left; break;
        case 2: fault.rx = left; break;
        default: fault.dead = true;
      }
    }
    const int leaves = leaf_count();
    // One path between leaves in a hundred, and two at least where there are several.
    const int links = leaves < 3 ? 0 : std::max(2, leaves * (leaves - 1) / 200);
    while (static_cast<int>(paths_.size()) < links) {
      const int a = static_cast<int>(engine() % static_cast<std::uint64_t>(leaves));
      const int b = static_cast<int>(engine() % static_cast<std::uint64_t>(leaves));
      if (a != b) paths_.try_emplace(std::minmax(a, b), share_left());
    }
  }

  [[nodiscard]] int leaf_count() const { return wanted_.leaf == 0 ? 0 : (wanted_.nodes + wanted_.leaf - 1) / wanted_.leaf; }
  [[nodiscard]] int leaf_of(int node) const { return wanted_.leaf == 0 ? -1 : node / wanted_.leaf; }
  [[nodiscard]] const std::map<int, Fault>& faults() const { return faults_; }
  [[nodiscard]] const std::map<std::pair<int, int>, double>& paths() const { return paths_; }
  [[nodiscard]] const Wanted& wanted() const { return wanted_; }

  [[nodiscard]] bool fails(int a, int b) const { return fault(a).dead || fault(b).dead; }
  [[nodiscard]] double gbps(int from, int to, int round) const {
    double left = std::min(fault(from).tx, fault(to).rx);
    if (const auto path = paths_.find(std::minmax(leaf_of(from), leaf_of(to))); path != paths_.end()) {
      left = std::min(left, path->second);
    }
    const auto words = {static_cast<std::uint64_t>(from), static_cast<std::uint64_t>(to), static_cast<std::uint64_t>(round)};
    if (dice(wanted_.seed ^ 0xd1b5, words) < wanted_.dips) left *= 0.3 + 0.5 * dice(wanted_.seed ^ 0x77, words);
    return std::max(0.0, healthy * left * (1 + wanted_.noise * normal(wanted_.seed, words)));
  }

 private:
  [[nodiscard]] Fault fault(int node) const {
    const auto found = faults_.find(node);
    return found == faults_.end() ? Fault{} : found->second;
  }

  Wanted wanted_;
  std::map<int, Fault> faults_;
  std::map<std::pair<int, int>, double> paths_;
};

using Names = std::set<std::string>;

/// "nodes 12 0 1" for found, made up, missed.
std::string counts(std::string_view what, const Names& found, const Names& real) {
  const auto both = std::ranges::count_if(found, [&](const std::string& one) { return real.contains(one); });
  return fmt::format("{} {} {} {}\n", what, both, found.size() - static_cast<std::size_t>(both),
                     real.size() - static_cast<std::size_t>(both));
}

Names real_nodes(const Fabric& fabric, bool with_kind) {
  Names names;
  for (const auto& [node, fault] : fabric.faults()) names.insert(node_name(node) + (with_kind ? " " + fault.what() : ""));
  return names;
}

Names real_links(const Fabric& fabric) {
  Names names;
  for (const auto& [path, left] : fabric.paths()) {
    names.insert(fmt::format("leaf:{} leaf:{}", leaf_name(path.first), leaf_name(path.second)));
  }
  return names;
}

void print_cluster(const Fabric& fabric) {
  const auto& wanted = fabric.wanted();
  fmt::print("[cluster]\nname = \"simulated\"\nprofile = \"simulated.toml\"\n");
  const int step = wanted.leaf == 0 ? wanted.nodes : wanted.leaf;
  for (int first = 0; first < wanted.nodes; first += step) {
    const int last = std::min(first + step, wanted.nodes);
    for (int node = first; node < last; ++node) {
      fmt::print("[[node]]\nname = \"{0}\"\naddress = \"10.{1}.{2}.{3}\"\nroles = [\"compute\"]\n{4}"
                 "fabric = [{{ name = \"eth1\", address = \"10.{5}.{2}.{3}\", rate_gbps = {6:.0f} }}]\n",
                 node_name(node), node / 60000, node / 250 % 240, node % 250 + 1,
                 wanted.leaf == 0 ? "" : fmt::format("labels = {{ leaf = \"{}\" }}\n", leaf_name(fabric.leaf_of(node))),
                 100 + node / 60000, line_rate);
    }
  }
}

int number_of(const std::string& name) { return static_cast<int>(to_int(name.substr(2)).value_or(1)) - 1; }

int probe(const Fabric& fabric) {
  const auto document = Json::parse(std::cin);
  const int round = document.at("round").get<int>();
  Json results = Json::array();
  for (const auto& pair : document.at("pairs")) {
    const auto a = pair.at("a").get<std::string>();
    const auto b = pair.at("b").get<std::string>();
    Json result = {{"a", a}, {"b", b}, {"rail", pair.at("rail")}};
    if (fabric.fails(number_of(a), number_of(b))) {
      result["error"] = "connection refused";
    } else {
      result["gbps_ab"] = fabric.gbps(number_of(a), number_of(b), round);
      result["gbps_ba"] = fabric.gbps(number_of(b), number_of(a), round);
    }
    results.push_back(std::move(result));
  }
  std::cout << Json{{"results", std::move(results)}}.dump() << '\n';
  return 0;
}

int score(const Fabric& fabric) {
  const auto document = Json::parse(std::cin);
  const auto& verdict = document.at("verdict");
  Names nodes;
  Names kinds;
  Names links;
  for (const auto& node : verdict.at("nodes")) {
    const auto name = node.at("name").get<std::string>();
    nodes.insert(name);
    kinds.insert(fmt::format("{} {} {}", name, node.at("direction").get<std::string>(), node.at("cause").get<std::string>()));
  }
  for (const auto& link : verdict.at("links")) {
    auto a = link.at("a").get<std::string>();
    auto b = link.at("b").get<std::string>();
    if (b < a) std::swap(a, b);
    links.insert(a + " " + b);
  }
  fmt::print("{}{}{}rounds {}\nambiguous {}\n", counts("nodes", nodes, real_nodes(fabric, false)),
             counts("kinds", kinds, real_nodes(fabric, true)), counts("links", links, real_links(fabric)),
             document.at("rounds").get<int>(), verdict.at("ambiguous").size());
  return 0;
}

// --- what other tools do -----------------------------------------------------------------------------

bool slow(const Fabric& fabric, int a, int b, int round) {
  return fabric.fails(a, b) || std::min(fabric.gbps(a, b, round), fabric.gbps(b, a, round)) < line_rate * floor_share;
}

std::vector<int> shuffled(const Fabric& fabric, std::uint64_t salt) {
  std::vector<int> nodes(static_cast<std::size_t>(fabric.wanted().nodes));
  for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i] = static_cast<int>(i);
  std::mt19937_64 engine(fabric.wanted().seed * 31 + salt);
  for (std::size_t left = nodes.size(); left > 1; --left) std::swap(nodes[left - 1], nodes[engine() % left]);
  return nodes;
}

int baseline(const Fabric& fabric, const std::string& name) {
  Names nodes;
  int rounds = 0;
  const auto blame = [&](int node) { nodes.insert(node_name(node)); };
  if (name == "threshold") {  // podwright's own first rounds; a slow pair is the fault of both ends
    std::vector<Endpoint> endpoints;
    for (int node = 0; node < fabric.wanted().nodes; ++node) {
      endpoints.push_back({.node = node_name(node),
                           .leaf = fabric.leaf_of(node) < 0 ? "" : leaf_name(fabric.leaf_of(node)),
                           .rate_gbps = line_rate, .address = {}, .device = {}});
    }
    for (const auto& round : fabric::plan_rounds(endpoints, {.seed = fabric.wanted().seed})) {
      ++rounds;
      for (const auto& pair : round) {
        const int a = number_of(pair.a);
        const int b = number_of(pair.b);
        if (slow(fabric, a, b, rounds)) { blame(a); blame(b); }
      }
    }
  } else if (name == "matchings") {  // imbue: fifteen random matchings; a slow pair is the fault of both ends
    for (rounds = 1; rounds <= 15; ++rounds) {
      const auto order = shuffled(fabric, static_cast<std::uint64_t>(rounds));
      for (std::size_t i = 0; i + 1 < order.size(); i += 2) {
        if (slow(fabric, order[i], order[i + 1], rounds)) { blame(order[i]); blame(order[i + 1]); }
      }
    }
    rounds = 15;
  } else if (name == "retest") {  // ncclscout: pairs, then each node of a slow one with a good partner
    const auto order = shuffled(fabric, 1);
    std::vector<int> suspects;
    std::vector<int> good;
    for (std::size_t i = 0; i + 1 < order.size(); i += 2) {
      auto& to = slow(fabric, order[i], order[i + 1], 1) ? suspects : good;
      to.insert(to.end(), {order[i], order[i + 1]});
    }
    rounds = 2;
    for (std::size_t i = 0; i < suspects.size(); ++i) {
      if (good.empty() || slow(fabric, suspects[i], good[i % good.size()], 2)) blame(suspects[i]);
    }
  } else {
    fmt::print(stderr, "there is no baseline {}\n", name);
    return 2;
  }
  fmt::print("{}kinds 0 0 0\n{}rounds {}\nambiguous 0\n", counts("nodes", nodes, real_nodes(fabric, false)),
             counts("links", {}, real_links(fabric)), rounds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  Wanted wanted;
  std::vector<std::string> modes;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with("--")) {
      modes.push_back(words[i]);
      continue;
    }
    const auto value = i + 1 < words.size() ? podwright::to_double(words[i + 1]) : std::nullopt;
    if (!value) {
      fmt::print(stderr, "{} needs a number\n", words[i]);
      return 2;
    }
    if (words[i] == "--nodes") wanted.nodes = static_cast<int>(*value);
    else if (words[i] == "--leaf") wanted.leaf = static_cast<int>(*value);
    else if (words[i] == "--seed") wanted.seed = static_cast<std::uint64_t>(*value);
    else if (words[i] == "--dips") wanted.dips = *value;
    else if (words[i] == "--faulty") wanted.faulty = *value;
    else if (words[i] == "--noise") wanted.noise = *value;
    else {
      fmt::print(stderr, "there is no option {}\n", words[i]);
      return 2;
    }
    ++i;
  }
  const Fabric fabric(wanted);
  const auto mode = modes.empty() ? std::string{} : modes.front();
  if (mode == "cluster") return print_cluster(fabric), 0;
  if (mode == "probe") return probe(fabric);
  if (mode == "score") return score(fabric);
  if (mode == "baseline" && modes.size() == 2) return baseline(fabric, modes[1]);
  if (mode == "faults") {
    for (const auto& name : real_nodes(fabric, true)) fmt::print("{}\n", name);
    for (const auto& name : real_links(fabric)) fmt::print("{}\n", name);
    return 0;
  }
  fmt::print(stderr, "usage: simulated_fabric cluster|probe|score|faults|baseline NAME [--nodes N] [--leaf M] [--seed S]\n");
  return 2;
}
