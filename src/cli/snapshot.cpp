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

/// What the profile wants of the nodes, by the facts that are in the snapshot.
Status add_expectations_of(App& app, const Profile& profile, Snapshot& snapshot) {
  const auto inventory = app.inventory();
  if (!inventory) return fail(inventory.error());
  const auto read = read_snapshot(snapshot.files);
  if (!read) return fail(read.error());
  const auto planned = plan_recorded(**inventory, profile, {.facts = read->facts, .failed = {}});
  if (!planned) return fail(planned.error());
  add_expectations(snapshot, **inventory, profile, planned->wanted, planned->plan.failed);
  return {};
}

Result<Outcome> run_snapshot(App& app, const std::string& wanted_file) {
  // Without a profile that can be used the bundle still tells what the nodes printed.
  const auto profile = app.profile();
  const auto opened = app.open(App::Access::reads, App::Sessions::closed);
  if (!opened) return fail(opened.error());
  auto& site = **opened;
  auto snapshot = take_snapshot(site);
  if (app.cancelled()) return fail(Fault::cancelled, "interrupted: no snapshot was written");
  std::string without;
  if (!profile) without = profile.error().what;
  else if (const auto added = add_expectations_of(app, **profile, snapshot); !added) without = added.error().what;
  if (!without.empty()) app.tell(fmt::format("the snapshot holds no expectations, so that `check --snapshot` will judge by defaults: {}\n", without));
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
                     "nodes/<name>/<probe>.out, .err and .exit in a tar.zst that only its owner can read. What looks like a "
                     "password, token or key is redacted. snapshot.json beside it says what the profile expects, so that "
                     "`podwright check --snapshot` judges the nodes again on any machine.",
          .options = {text_option("-o,--out", "FILE", "the archive (default: CLUSTER-RUN.tar.zst)", *file,
                                  Completes::file)},
          .examples = {{"podwright snapshot -n cu07 -o cu07.tar.zst", "one sick node, for support"}},
          .exits = {kNodesFailed},
          .run = [file](App& app) { return run_snapshot(app, *file); }};
}

}  // namespace podwright::cli
