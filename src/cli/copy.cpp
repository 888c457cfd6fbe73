#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/fold.hpp"
#include "engine/copy.hpp"

namespace podwright::cli {

namespace {

struct CopyWords {
  std::vector<std::string> paths;
  std::string rate;
  std::string chains;
  bool direct = false;
};

/// "50M" bytes a second, decimal as links are.
Result<std::uint64_t> parse_rate(std::string_view text) {
  auto number = text;
  double unit = 1;
  constexpr std::string_view units = "KMG";
  if (const auto found = text.empty() ? std::string_view::npos : units.find(text.back()); found != std::string_view::npos) {
    number.remove_suffix(1);
    for (std::size_t i = 0; i <= found; ++i) unit *= 1000;
  }
  const auto value = to_double(number);
  if (!value || *value * unit < 1) return fail(Fault::usage, fmt::format("\"{}\" is no rate", text), "bytes a second, as 500K, 50M or 2G");
  return static_cast<std::uint64_t>(*value * unit);
}

Result<CopyOptions> read_options(const CopyWords& words) {
  CopyOptions options{.direct = words.direct};
  if (!words.rate.empty()) {
    const auto rate = parse_rate(words.rate);
    if (!rate) return fail(rate.error());
    options.rate = *rate;
  }
  if (!words.chains.empty()) {
    const auto count = to_int(words.chains);
    if (!count || *count < 1) return fail(Fault::usage, fmt::format("--chains {}: a whole number from 1 on is wanted", words.chains));
    options.chains = static_cast<std::size_t>(*count);
  }
  return options;
}

std::string_view status_of(const Error& error) {
  switch (error.fault) {
    case Fault::unreachable:
    case Fault::auth:
    case Fault::timeout: return "unreachable";
    default: return "failed";
  }
}

Result<Outcome> run_copy(App& app, const CopyWords& words) {
  const auto options = read_options(words);
  if (!options) return fail(options.error());
  const auto inventory = app.inventory();
  if (!inventory) return fail(inventory.error());
  const auto begun = std::chrono::steady_clock::now();
  const std::vector<std::string> sources(words.paths.begin(), words.paths.end() - 1);
  const auto list = list_sources(sources, words.paths.back());
  if (!list) return fail(list.error());

  const auto opened = app.open(App::Access::changes);
  if (!opened) return fail(opened.error());
  auto& site = **opened;
  const auto result = copy_to_nodes(site, *list, *options);
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  if (app.cancelled()) {
    return fail(Fault::cancelled, "interrupted: what has arrived stays on the nodes, and is taken up by the same command");
  }

  Outcome outcome;
  outcome.document = {{"nodes", Json::object()}, {"bytes", list->bytes}, {"seconds", seconds}, {"sent_by_this_machine", result.sent_by_head}};
  std::vector<NodeId> failed;
  for (const auto& node : site.nodes) {
    const auto received = result.received.find(node);
    Json json = {{"status", "ok"}, {"received", received == result.received.end() ? 0 : received->second}};
    if (const auto found = result.failed.find(node); found != result.failed.end()) {
      failed.push_back(node);
      json["status"] = status_of(found->second);
      json["error"] = clean_output(found->second.what);
      json["hint"] = clean_output(found->second.hint);
    }
    outcome.document["nodes"][node] = std::move(json);
  }
  app.save("copied.json", outcome.document);
  std::uint64_t received = 0;
  for (const auto& [node, bytes] : result.received) received += bytes;
  const auto good = site.nodes.size() - failed.size();
  if (good > 0) {
    outcome.text = received == 0 ? fmt::format("{} had {} already\n", count_of(good, "node"), human_bytes(list->bytes))
                                 : fmt::format("{} on {}, in {:.1f} s; {} left this machine\n", human_bytes(list->bytes), count_of(good, "node"),
                                               seconds, human_bytes(result.sent_by_head));
  }
  outcome.text += folded_errors(result.failed, app.width());
  if (!failed.empty()) {
    outcome.exit_code = kNodesFailed;
    outcome.problems.push_back(fmt::format("{} of {} failed: {}", failed.size(), count_of(site.nodes.size(), "node"), who(failed)));
    outcome.next = next_command(app, "doctor -n " + failed.front());
  }
  return outcome;
}

}  // namespace

Command copy_command() {
  auto words = std::make_shared<CopyWords>();
  return {
      .name = "copy",
      .group = "Decide and install",
      .summary = "send files or trees to all nodes, node to node, verified",
      .details =
          "Each node hands on what it receives to the next one while it receives it, so that many nodes take about as "
          "long as one. Every chunk is proven by its SHA-256 before it is handed on; a node that dies or stalls is left "
          "out, and those behind it go on with the node before it. What a node has already is not sent again, and a "
          "transfer that was cut off is taken up where it stopped.\n\n"
          "DEST is a path on the nodes. With several sources, or when it ends in /, it is a folder that they go into; else "
          "it is the name of the copy. Modes and links are kept; the owner is the user that podwright works as. What else "
          "lies in a folder stays.\n\n"
          "Nodes reach each other by plain HTTP at the addresses that SSH reached them at, with a token of this one "
          "transfer: contents travel between nodes unencrypted. With --direct everything goes over SSH from this machine.",
      .options = {flag("--direct", "from this machine to every node, over SSH alone", words->direct),
                  text_option("--rate-limit", "RATE", "bytes a second that a node, or this machine, sends at most: 50M", words->rate),
                  text_option("--chains", "N", "chains of nodes side by side (default: as many as are best)", words->chains)},
      .positionals = {.usage = "SRC… DEST", .help = "files or folders, and where they go", .least = 2, .most = kAny, .into = &words->paths, .completes = Completes::file},
      .examples = {{"podwright copy model.tar /opt/", "/opt/model.tar on every node"},
                   {"podwright copy -n @role:compute --rate-limit 100M dataset /scratch/dataset", "a tree, leaving room for others"}},
      .exits = {kNodesFailed},
      .run = [words](App& app) { return run_copy(app, *words); }};
}

}  // namespace podwright::cli
