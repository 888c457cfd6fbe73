#include "engine/validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/facts_text.hpp"
#include "cli/fold.hpp"
#include "cli/outcomes.hpp"
#include "cli/result_text.hpp"
#include "config/json.hpp"
#include "engine/gather.hpp"
#include "engine/topology.hpp"
#include "report/digest.hpp"
#include "report/heatmap.hpp"

namespace podwright::cli {

namespace {

/// A round of a site's own tool may measure hundreds of pairs one after another.
constexpr Millis kProbeDeadline{600000};

struct Options {
  bool quick = false;
  bool full = false;
  std::string probe_command;
  std::string seed;
  std::string seconds;
  std::string rails;
  std::string topology;
  std::string svg;
};

Result<ValidateOptions> engine_options(const Options& options) {
  if (options.quick && options.full) return fail(Fault::usage, "--quick and --full exclude each other");
  ValidateOptions wanted{.full = options.full};
  if (!options.seed.empty()) {
    const auto seed = to_int(options.seed);
    if (!seed || *seed < 0) return fail(Fault::usage, fmt::format("--seed cannot be \"{}\"", options.seed), "it is a number");
    wanted.seed = static_cast<std::uint64_t>(*seed);
  }
  if (!options.seconds.empty()) {
    const auto seconds = to_double(options.seconds);
    if (!seconds || *seconds <= 0 || *seconds > 3600) {
      return fail(Fault::usage, fmt::format("--seconds cannot be \"{}\"", options.seconds), "it is a number of seconds");
    }
    wanted.seconds = *seconds;
  }
  if (!options.rails.empty()) wanted.rails_together = options.rails == "together";
  return wanted;
}

/// The leaf switches from a file that ibnetdiscover's output was saved in, where one is given.
Status take_topology(const Options& options, std::vector<Endpoint>& endpoints, const std::map<NodeId, Facts>& facts) {
  if (options.topology.empty()) return {};
  const auto text = read_file(options.topology);
  if (!text) return fail(Fault::usage, text.error().what, "--topology names a file with the output of ibnetdiscover");
  const auto found = leaves_from_ibnetdiscover(endpoints, *text, facts);
  if (!found) return fail(Fault::usage, fmt::format("{}: {}", options.topology, found.error().what));
  if (*found == 0 && std::ranges::any_of(endpoints, [](const Endpoint& one) { return one.leaf.empty(); })) {
    return fail(Fault::usage, options.topology + " names none of the nodes",
                "an adapter's description must begin with the node's name or host name");
  }
  return {};
}

Status write_svg(App& app, const Options& options, const FabricReport& report) {
  if (options.svg.empty()) return {};
  const auto inventory = app.inventory();
  if (!inventory) return fail(inventory.error());
  const auto written = write_file(options.svg, svg_heatmap(report, (*inventory)->nodes) + "\n");
  if (!written) return fail(Fault::usage, fmt::format("--svg: {}", written.error().what));
  return {};
}

Result<Outcome> run_validate(App& app, const Options& options) {
  const auto wanted = engine_options(options);
  if (!wanted) return fail(wanted.error());
  const auto profile = app.profile();
  if (!profile) return fail(profile.error());
  const auto selected = app.selected();
  if (!selected) return fail(selected.error());
  if (fabric_endpoints(**app.inventory(), *selected, {}).size() < 2) {
    return fail(Fault::usage, "two nodes at least are needed to measure between",
                "select more nodes, or give compute nodes the role \"compute\"");
  }
  const auto opened = app.open(App::Access::reads);
  if (!opened) return fail(opened.error());
  auto& site = **opened;

  if (!options.probe_command.empty()) {
    auto endpoints = fabric_endpoints(site.inventory, site.nodes, {});
    if (auto known = take_topology(options, endpoints, {}); !known) return fail(known.error());
    const auto measure = measure_with_command(options.probe_command, app.globals().timeout.value_or(kProbeDeadline), site.stop);
    const auto report = validate(site.events, site.stop, **profile, endpoints, measure, *wanted);
    if (!report) return fail(report.error());
    if (auto drawn = write_svg(app, options, *report); !drawn) return fail(drawn.error());
    return fabric_outcome(app, *report);
  }

  // Once without facts: a tool that is not there is told before any node is contacted.
  if (const auto possible = measure_with_catalog(site, **profile, {}, *wanted); !possible) {
    return fail(possible.error());
  }
  const auto gathered = sort_out(gather_facts(site));
  app.save("facts.json", facts_document(gathered));
  std::vector<NodeId> reached;
  for (const auto& node : site.nodes) {
    if (gathered.facts.contains(node)) reached.push_back(node);
  }
  app.keep_only(reached);
  auto endpoints = fabric_endpoints(site.inventory, site.nodes, gathered.facts, (*profile)->fabric.transport);
  if (auto known = take_topology(options, endpoints, gathered.facts); !known) return fail(known.error());
  if (endpoints.size() < 2 && !gathered.failed.empty()) {
    app.tell(folded_errors(gathered.failed, app.width()));
    return fail(Fault::unreachable, fmt::format("fewer than two nodes can be reached: {} did not answer",
                                                count_of(gathered.failed.size(), "node")),
                "`" + next_command(app, "doctor -n " + gathered.failed.begin()->first) + "` says why");
  }
  const auto report = measure_fabric(site, **profile, gathered.facts, endpoints, *wanted);
  if (!report) return fail(report.error());
  if (auto drawn = write_svg(app, options, *report); !drawn) return fail(drawn.error());
  auto outcome = fabric_outcome(app, *report);
  if (!gathered.failed.empty()) {
    outcome.text += "\nnot measured\n" + indented(folded_errors(gathered.failed, app.width() - 2), 2);
    outcome.problems.push_back(fmt::format("{} could not be reached and was not measured",
                                           count_of(gathered.failed.size(), "node")));
    if (outcome.exit_code == kOk) outcome.exit_code = kNodesFailed;
    if (outcome.next.empty()) outcome.next = next_command(app, "doctor -n " + gathered.failed.begin()->first);
  }
  return outcome;
}

}  // namespace

Outcome fabric_outcome(App& app, const FabricReport& report) {
  Outcome outcome{.document = to_json(report)};
  app.save("fabric.json", outcome.document);
  outcome.text = fabric_text(report, app.style(), app.width());
  if (const auto inventory = app.inventory()) {
    const auto map = text_heatmap(report, (*inventory)->nodes, static_cast<int>(app.width()), app.style().color);
    if (!map.empty()) outcome.text += "\n" + map;
  }
  if (passed(report)) return outcome;
  outcome.exit_code = kNotPassed;
  outcome.problems.push_back(report.verdict.summary.empty() ? "the interconnect did not pass"
                                                            : "the interconnect did not pass: " + report.verdict.summary);
  outcome.next = next_command(app, "validate");
  return outcome;
}

Command validate_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "validate",
      .group = "Prove",
      .summary = "measure the interconnect and name the node or link at fault",
      .details =
          "Measures pairs of nodes in a few rounds, in which no port is used twice, compares them with what "
          "the hardware should do, measures suspects again with healthy partners, and names the node, rail, "
          "direction or link at fault, or says that it is ambiguous. A pair that could not be measured is "
          "not called slow.\n\n"
          "Leaf switches are taken from the label `leaf` of the nodes, else from --topology, else from what LLDP and "
          "ibnetdiscover tell on the nodes. Error counters of the ports are read before and after; the profile's "
          "collectives run last, over the nodes that are not at fault.\n\n"
          "--probe-command replaces the measuring, not the judging: for every round the command is run "
          "once with {\"round\":1,\"pairs\":[{\"a\",\"b\",\"rail\"}]} on stdin and prints "
          "{\"results\":[{\"a\",\"b\",\"rail\",\"gbps_ab\",\"gbps_ba\"}]}; no node is contacted.",
      .options = {flag("--quick", "few rounds, enough to find who is at fault (the default)", options->quick),
                  flag("--full", "every pair", options->full),
                  choice_option("--rails", "rails one after the other, or all of a node at one time; else as the profile says",
                                {"separate", "together"}, options->rails),
                  text_option("--topology", "FILE", "output of ibnetdiscover: who hangs on which leaf switch", options->topology, Completes::file),
                  text_option("--svg", "FILE", "the matrix as a picture", options->svg, Completes::file),
                  text_option("--probe-command", "CMD", "the site's own tool", options->probe_command),
                  text_option("--seconds", "S", "length of a measurement, in place of the profile's", options->seconds),
                  text_option("--seed", "N", "of the random pairings, to repeat a run", options->seed)},
      .examples = {{"podwright validate", "the quick schedule"},
                   {"podwright validate --full -n @label:leaf=l1", "every pair below one switch"},
                   {"podwright validate --probe-command ./my-tool --output json", "judge what another tool measures"}},
      .exits = {kNodesFailed, kNotPassed},
      .run = [options](App& app) { return run_validate(app, *options); }};
}

}  // namespace podwright::cli
