#include <chrono>
#include <memory>

#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/transfer.hpp"
#include "engine/copy.hpp"

namespace podwright::cli {

namespace {

struct CopyWords {
  std::vector<std::string> paths;
  TransferWords transfer;
};

Result<Outcome> run_copy(App& app, const CopyWords& words) {
  const auto options = read_options(words.transfer);
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
  if (app.cancelled()) {
    return fail(Fault::cancelled, "interrupted: what has arrived stays on the nodes, and is taken up by the same command");
  }
  return transfer_outcome(app, site.nodes, result, list->bytes, begun, "copied.json");
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
      .options = transfer_options(words->transfer),
      .positionals = {.usage = "SRC… DEST", .help = "files or folders, and where they go", .least = 2, .most = kAny, .into = &words->paths, .completes = Completes::file},
      .examples = {{"podwright copy model.tar /opt/", "/opt/model.tar on every node"},
                   {"podwright copy -n @role:compute --rate-limit 100M dataset /scratch/dataset", "a tree, leaving room for others"}},
      .exits = {kNodesFailed},
      .run = [words](App& app) { return run_copy(app, *words); }};
}

}  // namespace podwright::cli
