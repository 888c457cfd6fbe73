#include <fmt/format.h>

#include <iostream>
#include <iterator>
#include <memory>

#include "base/text.hpp"
#include "catalog/registry.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"

namespace podwright::cli {

namespace {

struct Options {
  std::vector<std::string> kinds;
  bool list = false;
};

Result<Outcome> run_parse(App& app, const Options& options) {
  if (options.list) {
    Table table({"kind", "what"});
    Json kinds = Json::array();
    for (const auto& one : catalog<Measurement>()) {
      table.add({std::string(one.tool), std::string(one.summary)});
      kinds.push_back({{"kind", one.tool}, {"summary", one.summary}});
    }
    return Outcome{.document = {{"kinds", kinds}}, .text = table.text(app.width(), 0, app.style())};
  }
  if (options.kinds.empty()) {
    return fail(Fault::usage, "KIND is missing", "`podwright parse --list` shows the kinds");
  }
  const auto& kind = options.kinds.front();
  const auto* measurement = find_in_catalog<Measurement>(kind);
  if (measurement == nullptr) {
    return fail(Fault::usage, fmt::format("unknown kind \"{}\"{}", kind, did_you_mean(kind, names_in_catalog<Measurement>())),
                "`podwright parse --list` shows the kinds");
  }
  const std::string input{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  const auto rates = measurement->parse({.exit_status = 0, .out = clean_output(input)});
  if (!rates) {
    return fail(Fault::usage, fmt::format("this is not the output of {}: {}", kind, rates.error().what), rates.error().hint);
  }
  Outcome outcome{.document = {{"kind", kind}, {"gbps_forward", rates->gbps_forward}, {"gbps_backward", rates->gbps_backward}}};
  outcome.text = outcome.document.dump(2) + "\n";
  return outcome;
}

}  // namespace

Command parse_command() {
  auto options = std::make_shared<Options>();
  Positionals kind{.usage = "KIND", .help = "the tool whose output is on stdin", .least = 0, .most = 1,
                   .into = &options->kinds, .completes = Completes::choices};
  return {.name = "parse",
          .group = "This program",
          .summary = "the output of a known tool as JSON",
          .details = "Reads on stdin what the tool printed, and prints its result as JSON. No node is contacted.",
          .options = {flag("--list", "the kinds there are", options->list)},
          .positionals = kind,
          .examples = {{"iperf3 -J -c 10.1.0.2 | podwright parse iperf3", "gigabits a second, both ways"}},
          .run = [options](App& app) { return run_parse(app, *options); }};
}

}  // namespace podwright::cli
