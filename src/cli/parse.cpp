#include <fmt/format.h>

#include <array>
#include <iostream>
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

/// More than any tool prints of one node; a snapshot keeps less.
constexpr std::size_t most_bytes = 64U << 20U;

Outcome list_kinds(const App& app) {
  Table table({"kind", "what prints it", "what"});
  Json kinds = Json::array();
  for (const auto& one : catalog<Parser>()) {
    table.add({std::string(one.kind), std::string(one.command), std::string(one.summary)});
    kinds.push_back({{"kind", one.kind}, {"command", one.command}, {"summary", one.summary}});
  }
  return {.document = {{"kinds", kinds}}, .text = table.text(app.width(), 0, app.style())};
}

Result<std::string> read_input() {
  std::string input;
  std::array<char, 65536> buffer{};
  while (std::cin.read(buffer.data(), buffer.size()) || std::cin.gcount() > 0) {
    input.append(buffer.data(), static_cast<std::size_t>(std::cin.gcount()));
    if (input.size() > most_bytes) return fail(Fault::usage, fmt::format("more than {} are on stdin", human_bytes(most_bytes)), "cut it down to one run of the tool");
  }
  return clean_output(input);
}

Result<Outcome> run_parse(App& app, const Options& options) {
  if (options.list) return list_kinds(app);
  if (options.kinds.empty()) {
    return fail(Fault::usage, "KIND is missing", "`podwright parse --list` shows the kinds");
  }
  const auto& kind = options.kinds.front();
  const auto* parser = find_in_catalog<Parser>(kind);
  if (parser == nullptr) {
    return fail(Fault::usage, fmt::format("unknown kind \"{}\"{}", kind, did_you_mean(kind, names_in_catalog<Parser>())),
                "`podwright parse --list` shows the kinds");
  }
  const auto input = read_input();
  if (!input) return fail(input.error());
  const auto parsed = parser->parse(*input);
  if (!parsed) return fail(Fault::usage, fmt::format("this is not the output of {}: {}", kind, parsed.error().what), parsed.error().hint);
  Outcome outcome{.document = {{"kind", kind}}};
  outcome.document.update(*parsed);
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
          .examples = {{"nvidia-smi -q | podwright parse nvidia-smi-q", "ECC, remapped rows, links and more of each GPU"},
                       {"iperf3 -J -c 10.1.0.2 | podwright parse iperf3", "gigabits a second, as the receiver counted them"}},
          .run = [options](App& app) { return run_parse(app, *options); }};
}

}  // namespace podwright::cli
