#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/fold.hpp"
#include "engine/topology.hpp"
#include "engine/validate.hpp"

namespace podwright::cli {

namespace {

struct Options {
  bool full = false;
  std::string seed;
  std::string rails;
  std::string topology;
};

/// "cu01-cu02 cu03-cu04": the pairs of one rail of a round.
std::string pairs_text(const Round& round, int rail) {
  std::vector<std::string> pairs;
  for (const auto& pair : round) {
    if (pair.rail == rail) pairs.push_back(pair.a + "-" + pair.b);
  }
  return join(pairs, " ");
}

std::vector<int> rails_of(const Round& round) {
  std::vector<int> rails;
  for (const auto& pair : round) {
    if (std::ranges::find(rails, pair.rail) == rails.end()) rails.push_back(pair.rail);
  }
  std::ranges::sort(rails);
  return rails;
}

Result<Outcome> run_schedule(App& app, const Options& options) {
  const auto profile = app.profile();
  if (!profile) return fail(profile.error());
  const auto selected = app.selected();
  if (!selected) return fail(selected.error());
  auto endpoints = fabric_endpoints(**app.inventory(), *selected, {});
  if (!options.topology.empty()) {
    const auto text = read_file(options.topology);
    if (!text) return fail(Fault::usage, text.error().what, "--topology names a file with the output of ibnetdiscover");
    if (const auto found = leaves_from_ibnetdiscover(endpoints, *text, {}); !found) {
      return fail(Fault::usage, fmt::format("{}: {}", options.topology, found.error().what));
    }
  }
  if (endpoints.size() < 2) {
    return fail(Fault::usage, "two nodes at least are needed to measure between",
                "select more nodes, or give compute nodes the role \"compute\"");
  }
  ValidateOptions wanted{.full = options.full};
  if (!options.rails.empty()) wanted.rails_together = options.rails == "together";
  if (!options.seed.empty()) {
    const auto seed = to_int(options.seed);
    if (!seed || *seed < 0) return fail(Fault::usage, fmt::format("--seed cannot be \"{}\"", options.seed), "it is a number");
    wanted.seed = static_cast<std::uint64_t>(*seed);
  }
  const auto rounds = fabric::plan_rounds(endpoints, fabric_options(**profile, wanted));

  Outcome outcome;
  std::size_t probes = 0;
  Json all = Json::array();
  Table table({">round", ">rail", ">pairs", "who"});
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    Json pairs = Json::array();
    for (const auto& pair : rounds[i]) pairs.push_back({{"a", pair.a}, {"b", pair.b}, {"rail", pair.rail}});
    probes += rounds[i].size();
    all.push_back({{"round", i + 1}, {"pairs", std::move(pairs)}});
    for (const int rail : rails_of(rounds[i])) {
      const auto count = std::ranges::count(rounds[i], rail, &Pair::rail);
      table.add({std::to_string(i + 1), std::to_string(rail), std::to_string(count), pairs_text(rounds[i], rail)});
    }
  }
  outcome.document = {{"rounds", std::move(all)}, {"probes", probes}};
  outcome.text = table.text(app.width(), 0, app.style());
  outcome.text += fmt::format("\n{} in {}; validate adds two more a rail at most, where they can change the verdict\n",
                              count_of(probes, "pair"), count_of(rounds.size(), "round"));
  return outcome;
}

}  // namespace

Command fabric_command() {
  auto options = std::make_shared<Options>();
  return {.name = "fabric",
          .group = "Prove",
          .summary = "how the interconnect would be measured",
          .details = "What validate plans, before it measures anything. No node is contacted.",
          .commands = {{.name = "schedule",
                        .summary = "print the rounds of a measurement without measuring",
                        .details = "Every round is measured at one time: no port is in it twice, and the flows that leave a "
                                   "leaf switch stay within its oversubscription. The same seed gives the same rounds. "
                                   "Leaves are those of the nodes' label `leaf`, or of --topology.",
                        .options = {flag("--full", "every pair, by the circle method", options->full),
                                    choice_option("--rails", "rails one after the other, or all of a node at one time; else as the profile says",
                                                  {"separate", "together"}, options->rails),
                                    text_option("--topology", "FILE", "output of ibnetdiscover: who hangs on which leaf switch",
                                                options->topology, Completes::file),
                                    text_option("--seed", "N", "of the random pairings", options->seed)},
                        .examples = {{"podwright fabric schedule", "the quick rounds"},
                                     {"podwright fabric schedule --full --output json", "every pair, for another program"}},
                        .run = [options](App& app) { return run_schedule(app, *options); }}}};
}

}  // namespace podwright::cli
