#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/text.hpp"
#include "bundle/archive.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/fold.hpp"
#include "config/json.hpp"
#include "engine/snapshot.hpp"

namespace podwright::cli {

namespace {

Result<Outcome> run_snapshot(App& app, const std::string& wanted_file) {
  const auto opened = app.open(App::Access::reads, App::Sessions::closed);
  if (!opened) return fail(opened.error());
  auto& site = **opened;
  const auto snapshot = take_snapshot(site);
  if (app.cancelled()) return fail(Fault::cancelled, "interrupted: no snapshot was written");
  const auto file = wanted_file.empty()
                        ? fmt::format("{}-{}.tar.zst", site.inventory.name, app.run_folder().id())
                        : wanted_file;
  if (auto written = write_archive(file, snapshot.files); !written) return fail(written.error());

  Outcome outcome;
  outcome.document = {{"file", std::filesystem::absolute(file).string()},
                      {"files", snapshot.files.size()},
                      {"failed", Json::object()}};
  for (const auto& [node, error] : snapshot.failed) outcome.document["failed"][node] = to_json(error);
  outcome.text = fmt::format("{}: {} of {}\n", file, count_of(snapshot.files.size(), "file"),
                             count_of(site.nodes.size() - snapshot.failed.size(), "node")) +
                 folded_errors(snapshot.failed, app.width());
  if (!snapshot.failed.empty()) {
    outcome.exit_code = kNodesFailed;
    outcome.problems.push_back(fmt::format("nothing of {} of {}", snapshot.failed.size(),
                                           count_of(site.nodes.size(), "node")));
    outcome.next = next_command(app, "doctor -n " + snapshot.failed.begin()->first);
  }
  return outcome;
}

}  // namespace

Command snapshot_command() {
  auto file = std::make_shared<std::string>();
  return {.name = "snapshot",
          .group = "Look",
          .summary = "what every probe printed, as an archive to carry away",
          .details = "Runs all probes of facts and checks and keeps their raw output: "
                     "nodes/<name>/<probe>.out, .err and .exit in a tar.zst that only its owner can read.",
          .options = {text_option("-o,--out", "FILE", "the archive (default: CLUSTER-RUN.tar.zst)", *file,
                                  Completes::file)},
          .examples = {{"podwright snapshot -n cu07 -o cu07.tar.zst", "one sick node, for support"}},
          .exits = {kNodesFailed},
          .run = [file](App& app) { return run_snapshot(app, *file); }};
}

}  // namespace podwright::cli
