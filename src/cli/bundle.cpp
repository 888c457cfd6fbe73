#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/files.hpp"
#include "base/text.hpp"
#include "bundle/bundle.hpp"
#include "cli/app.hpp"
#include "cli/cache_folder.hpp"
#include "cli/commands.hpp"
#include "cli/transfer.hpp"
#include "config/lock_file.hpp"
#include "engine/download_progress.hpp"
#include "engine/gather.hpp"
#include "engine/offline.hpp"

namespace podwright::cli {

namespace fs = std::filesystem;

namespace {

struct Options {
  std::vector<std::string> names;
  std::vector<std::string> since;
  std::string lock;
  std::string out;
  std::string key;
  std::string cache;
  TransferWords transfer;
};

/// Where cluster.toml lies, or would.
fs::path site_folder(const App& app) {
  const auto folder = fs::path(app.globals().cluster).parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

std::size_t artifacts_of(const BundleIndex& index) {
  return static_cast<std::size_t>(std::ranges::count_if(index.files, [](const auto& one) {
    return one.second.packed && one.first != lock_member && !(one.first.starts_with("systems/") && one.first.find("/Packages/") == std::string::npos);
  }));
}

Result<Outcome> create(App& app, const Options& options) {
  const auto lock_path = options.lock.empty() ? site_folder(app) / "profile.lock.toml" : fs::path(options.lock);
  const auto text = read_file(lock_path);
  if (!text) return fail(Fault::usage, text.error().what, "make it with `" + next_command(app, "lock") + "`");
  const auto lock = parse_lock(*text, lock_path.string());
  if (!lock) return fail(lock.error());
  const fs::path file = options.out.empty() ? lock->profile + ".bundle.tar.zst" : options.out;

  BundleOptions making{.cache = options.cache.empty() ? cache_folder() : fs::path(options.cache), .directory = lock_path.parent_path(), .key = options.key};
  making.download.stop = app.stop();
  making.download.side_by_side = 8;
  if (!options.since.empty()) {
    // Of what was left out of the older one nothing is known to be at the site.
    auto older = inspect_bundle(options.since.front());
    if (!older) return fail(older.error());
    if (!older->index.since.empty()) {
      return fail(Fault::usage, options.since.front() + " itself only adds to an older bundle", "give that one: what a bundle adds to has to be whole");
    }
    making.since = std::move(older->index);
    making.since_digest = older->index_digest;
  }
  std::size_t packages = 0;
  for (const auto& system : lock->systems) packages += system.packages.size();
  const auto phase = "bundle";
  making.download.progress = download_progress(app.events(), phase, packages + lock->files.size());
  app.events().emit(events::PhaseStarted{phase, packages + lock->files.size()});
  const auto begun = std::chrono::steady_clock::now();
  auto created = create_bundle(*lock, *text, file, making);
  app.events().emit(events::PhaseFinished{phase, created.has_value(),
                                          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun)});
  if (!created) return fail(created.error());

  Outcome outcome{.document = {{"file", file.string()}, {"sha256", created->sha256}, {"artifacts", created->artifacts}, {"left_out", created->left_out},
                               {"bytes", created->bytes}, {"closed", created->problems.empty()}, {"signed_by", created->signed_by}}};
  outcome.text = fmt::format("{}: {}, {}\nSHA-256 {}\n", file.string(), count_of(created->artifacts, "artifact"), human_bytes(created->bytes), created->sha256);
  if (created->left_out > 0) outcome.text += fmt::format("{} left out: the older bundle has them\n", created->left_out);
  if (!created->signed_by.empty()) outcome.text += fmt::format("signed by {}\n", created->signed_by);
  if (!created->problems.empty()) {
    outcome.exit_code = kNotPassed;
    outcome.problems = std::move(created->problems);
    outcome.next = next_command(app, "lock");
    return outcome;
  }
  outcome.next = next_command(app, "bundle verify " + file.string());
  return outcome;
}

Result<Outcome> verify(App& app, const Options& options) {
  VerifyOptions how{.public_key = options.key, .older = {options.since.begin(), options.since.end()}, .closure = true, .file_digest = false, .keep = {}, .stop = app.stop()};
  how.file_digest = app.globals().output != Output::text || app.globals().verbose;
  auto verified = verify_bundle(options.names.front(), how);
  if (!verified) {
    if (verified.error().fault != Fault::validation) return fail(verified.error());
    // Refused as a whole: that is a verdict, too.
    Outcome refused{.exit_code = kNotPassed, .document = {{"sha256", ""}, {"artifacts", 0}, {"bytes", 0}, {"closed", false}, {"problems", {verified.error().what}}}};
    refused.problems = {verified.error().what};
    return refused;
  }
  const auto artifacts = artifacts_of(verified->bundle.index);
  Outcome outcome{.document = {{"sha256", verified->sha256}, {"artifacts", artifacts}, {"bytes", verified->bytes}, {"closed", verified->closed},
                               {"profile", verified->bundle.index.profile}, {"problems", verified->problems}}};
  const auto signer = verified->bundle.signature ? fingerprint(verified->bundle.signature->public_key) : std::string{};
  outcome.document["signed_by"] = signer;
  outcome.document["key_checked"] = verified->key_matches;
  outcome.text = fmt::format("{}: {}, {}\n", options.names.front(), count_of(artifacts, "artifact"), human_bytes(verified->bytes));
  if (!verified->sha256.empty()) outcome.text += fmt::format("SHA-256 {}\n", verified->sha256);
  outcome.text += signer.empty() ? "not signed: whether it is the one that was created, its SHA-256 tells (-v)\n" : fmt::format("signed by {}{}\n", signer, verified->key_matches ? ", the key that was given" : "; --pub FILE says whether that is the right key");
  if (verified->closed) {
    outcome.text += "whole and closed: everything in it installs without a network\n";
    return outcome;
  }
  outcome.exit_code = kNotPassed;
  outcome.problems = std::move(verified->problems);
  return outcome;
}

Result<Outcome> inspect(App& app, const Options& options) {
  const auto bundle = inspect_bundle(options.names.front());
  if (!bundle) return fail(bundle.error());
  std::uint64_t bytes = 0;
  for (const auto& [path, one] : bundle->index.files) bytes += one.packed ? one.size : 0;
  Outcome outcome{.document = {{"profile", bundle->index.profile}, {"since", bundle->index.since}, {"artifacts", artifacts_of(bundle->index)},
                               {"bytes", bytes}, {"systems", Json::array()}, {"files", Json::array()}}};
  const auto signer = bundle->signature ? fingerprint(bundle->signature->public_key) : std::string{};
  outcome.document["signed_by"] = signer;
  outcome.text = fmt::format("{} of profile {}, {} unpacked\n", options.names.front(), bundle->index.profile, human_bytes(bytes));
  if (!bundle->index.since.empty()) outcome.text += "adds to the bundle whose index is " + bundle->index.since.substr(0, 16) + "\n";
  outcome.text += (signer.empty() ? "not signed" : "says that it is signed by " + signer) + "; `podwright bundle verify` proves it\n";
  Table table({"system", "base", "packages", "repositories"});
  for (const auto& system : bundle->lock.systems) {
    std::vector<std::string> repos;
    for (const auto& repo : system.repos) repos.push_back(repo.name);
    table.add({system.id.str(), system.base, std::to_string(system.packages.size()), join(repos, ", ")});
    Json packages = Json::array();
    for (const auto& package : system.packages) packages.push_back({{"name", package.name}, {"version", package.version}, {"arch", package.arch}, {"size", package.size}, {"sha256", package.sha256}});
    outcome.document["systems"].push_back({{"id", system.id.str()}, {"base", system.base}, {"packages", packages}});
  }
  outcome.text += table.text(app.width(), 0, app.style());
  for (const auto& one : bundle->lock.files) {
    outcome.text += fmt::format("{}  for {}\n", one.source, join(one.needed_by, ", "));
    outcome.document["files"].push_back({{"source", one.source}, {"sha256", one.sha256}, {"needed_by", one.needed_by}});
  }
  return outcome;
}

Result<Outcome> keygen(App&, const Options& options) {
  const auto file = options.out.empty() ? std::string("bundle.key") : options.out;
  const auto made = make_key_pair(file);
  if (!made) return fail(made.error());
  return Outcome{.document = {{"private_key", file}, {"public_key", file + ".pub"}, {"fingerprint", *made}},
                 .text = fmt::format("wrote {} (keep it secret) and {}.pub (give it to whoever verifies)\nfingerprint {}\n", file, file, *made)};
}

Result<Outcome> push(App& app, const Options& options) {
  const auto how = read_options(options.transfer);
  if (!how) return fail(how.error());
  const auto inventory = app.inventory();
  if (!inventory) return fail(inventory.error());
  const auto begun = std::chrono::steady_clock::now();
  // Proven before any node is contacted.
  const auto source = open_source(**inventory, options.names.front(), {options.since.begin(), options.since.end()}, options.key, app.stop());
  if (!source) return fail(source.error());
  const auto opened = app.open(App::Access::changes);
  if (!opened) return fail(opened.error());
  auto& site = **opened;
  auto gathered = sort_out(gather_facts(site));
  std::vector<NodeId> there;
  std::ranges::copy_if(site.nodes, std::back_inserter(there), [&](const NodeId& node) { return gathered.facts.contains(node); });
  auto sent = push_bundle(site, *source, gathered.facts, there, *how);
  if (app.cancelled()) return fail(Fault::cancelled, "interrupted: what has arrived stays on the nodes, and is taken up by the same command");
  sent.failed.merge(gathered.failed);
  std::uint64_t bytes = 0;
  for (const auto& [path, one] : source->bundle.index.files) bytes += one.size;
  auto outcome = transfer_outcome(app, site.nodes, sent, bytes, begun, "pushed.json");
  if (outcome.exit_code == kOk) outcome.next = next_command(app, "apply --bundle " + options.names.front());
  return outcome;
}

}  // namespace

Command bundle_command() {
  auto options = std::make_shared<Options>();
  const Positionals one{.usage = "BUNDLE", .help = "a bundle", .least = 1, .most = 1, .into = &options->names, .completes = Completes::file};
  auto pushing = transfer_options(options->transfer);
  pushing.push_back(text_option("--pub", "FILE", "the bundle has to be signed by this public key", options->key, Completes::file));
  pushing.push_back(list_option("--since", "BUNDLE", "the older bundle that it adds to", options->since, Completes::file));
  const auto cache = text_option("--cache", "DIR", "where packages are kept (default: podwright in $XDG_CACHE_HOME)", options->cache, Completes::folder);
  const auto since = list_option("--since", "BUNDLE", "an older bundle, which the site has already", options->since, Completes::file);
  return {.name = "bundle",
          .group = "Decide and install",
          .summary = "everything that a lock names in one file, for sites without internet",
          .details = "A bundle is a tar.zst with an index of digests, the packages as ready repositories, the files that "
                     "resources name, and the lock. The same lock gives the same bytes.",
          .commands = {
              {.name = "create", .summary = "fetch, prove and pack what the lock names",
               .details = "Fetches side by side what is not in the cache, goes on where an earlier run was cut off, "
                          "proves every digest, and packs. With --since only what the older bundle lacks is packed.",
               .options = {text_option("--lock", "FILE", "default: profile.lock.toml beside cluster.toml", options->lock, Completes::file),
                           text_option("-o,--out", "FILE", "default: PROFILE.bundle.tar.zst", options->out, Completes::file),
                           text_option("--key", "FILE", "sign with this key of `bundle keygen`", options->key, Completes::file), since, cache},
               .examples = {{"podwright bundle create -o site.tar.zst --key bundle.key", "a signed bundle"}},
               .exits = {kNotPassed},
               .run = [options](App& app) { return create(app, *options); }},
              {.name = "verify", .summary = "prove that a bundle is whole, unchanged, and enough",
               .details = "Reads it to its last byte: digests, signature, that nothing is missing or was slipped in, and "
                          "that the packages of every kind of node can be installed from it with no network. What is "
                          "missing is named, with what needs it. Nothing is written. The SHA-256 of the file itself, which proves "
                          "nothing more and takes as long again, is told with -v and in JSON.",
               .options = {text_option("--pub", "FILE", "it has to be signed by this public key", options->key, Completes::file), since},
               .positionals = one,
               .examples = {{"podwright bundle verify site.tar.zst --pub bundle.key.pub", "before it is trusted"}},
               .exits = {kNotPassed},
               .run = [options](App& app) { return verify(app, *options); }},
              {.name = "push", .summary = "send a bundle's packages and files to the nodes, node to node, ahead of an apply",
               .details = "Proves the bundle, and sends each node what there is for its operating system and what it lacks, "
                          "as `copy` does: contents travel between nodes unencrypted and are proven on arrival; with --direct "
                          "everything goes over SSH from this machine. Contents lie on the nodes by their digest: a second "
                          "push, also of a newer bundle, sends only what is missing, and `apply --bundle` finds them there and "
                          "removes them at its end.",
               .options = pushing,
               .positionals = one,
               .examples = {{"podwright bundle push site.tar.zst --rate-limit 100M", "at night; apply --bundle in the morning"}},
               .exits = {kNodesFailed},
               .run = [options](App& app) { return push(app, *options); }},
              {.name = "inspect", .summary = "what is in a bundle", .details = "Reads the index and the lock alone: quick, and no proof.",
               .positionals = one, .examples = {{"podwright bundle inspect site.tar.zst", "systems, packages, files"}},
               .exits = {kNotPassed},
               .run = [options](App& app) { return inspect(app, *options); }},
              {.name = "keygen", .summary = "a key pair to sign bundles with",
               .details = "Ed25519. The private half is readable by its owner only; the public half is for those who verify.",
               .options = {text_option("-o,--out", "FILE", "the private key (default: bundle.key); FILE.pub is its public half", options->out, Completes::file)},
               .examples = {{"podwright bundle keygen -o site.key", "site.key and site.key.pub"}},
               .run = [options](App& app) { return keygen(app, *options); }}}};
}

}  // namespace podwright::cli
