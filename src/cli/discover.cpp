#include "engine/discover.hpp"
#include "base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/discovery_text.hpp"
#include "cli/facts_text.hpp"
#include "cli/fold.hpp"
#include "config/cluster_file.hpp"
#include "config/json.hpp"
#include "transport/ssh_transport.hpp"

namespace podwright::cli {

namespace fs = std::filesystem;

namespace {

struct CommandOptions {
  std::vector<std::string> targets;
  std::string out;
  std::string user;
  std::string key;
  bool accept_changed_keys = false;
};

/// The cluster of a file that does not exist yet.
Inventory new_inventory(const App& app, const CommandOptions& options) {
  const auto file = fs::path(options.out.empty() ? app.globals().cluster : options.out);
  const auto folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  Inventory inventory;
  inventory.name = NewCluster{}.name;
  inventory.profile = app.globals().profile.empty() ? NewCluster{}.profile : app.globals().profile;
  inventory.file = file.string();
  inventory.directory = folder.string();
  inventory.state_dir = (folder / ".podwright").string();
  inventory.ssh.known_hosts = (folder / "known_hosts").string();
  return inventory;
}

void override_login(SshSettings& ssh, const CommandOptions& options) {
  if (!options.user.empty()) {
    ssh.user = options.user;
    ssh.user_set = true;
  }
  if (!options.key.empty()) {
    ssh.key = expand_home(options.key).string();
    ssh.key_set = true;
  }
}

Status write_cluster(const App& app, const CommandOptions& options, const Inventory& inventory,
                     const Discovery& discovery) {
  const fs::path file = options.out.empty() ? app.globals().cluster : options.out;
  if (!fs::exists(file)) {
    NewCluster cluster{.name = inventory.name, .profile = inventory.profile, .user = inventory.ssh.user,
                       .key = options.key, .nodes = discovery.new_nodes};
    return write_file(file, render_cluster_file(cluster));
  }
  if (discovery.new_nodes.empty()) return {};
  const auto text = read_file(file);
  if (!text) return fail(text.error());
  const auto added = add_nodes(*text, file.string(), discovery.new_nodes);
  if (!added) return fail(added.error());
  return write_file(file, *added);
}

Result<Outcome> run_discover(App& app, const CommandOptions& options) {
  Inventory inventory;
  if (fs::exists(app.globals().cluster)) {
    const auto loaded = app.inventory();
    if (!loaded) return fail(loaded.error());
    inventory = **loaded;
  } else {
    if (options.targets.empty()) {
      return fail(Fault::usage, fmt::format("there is no {}, and no network was named", app.globals().cluster),
                  "podwright discover 10.0.0.0/24");
    }
    inventory = new_inventory(app, options);
  }
  override_login(inventory.ssh, options);
  for (auto& node : inventory.nodes) override_login(node.ssh, options);
  app.use_inventory(inventory);
  if (auto opened = app.open_run(App::Access::changes); !opened) return fail(opened.error());

  DiscoverOptions wanted{.targets = options.targets, .accept_changed_keys = options.accept_changed_keys};
  wanted.ssh = app.ssh_options();
  if (app.globals().timeout) wanted.timeout = *app.globals().timeout;
  const auto discovery = discover(inventory, wanted, app.events(), app.stop());
  if (!discovery) return fail(discovery.error());

  Outcome outcome{.document = discovery_document(*discovery)};
  outcome.text = discovery_text(*discovery, options.targets, app.style(), app.width());
  app.save("discovery.json", outcome.document);
  app.save("facts.json", facts_document({.facts = discovery->facts, .failed = {}}));
  const auto failed = discovery_failures(*discovery, options.targets);
  const bool any = std::ranges::any_of(discovery->found, [](const FoundNode& f) { return f.status == "ok"; });
  if (any && !app.cancelled()) {
    if (auto written = write_cluster(app, options, inventory, *discovery); !written) return fail(written.error());
    const auto file = options.out.empty() ? app.globals().cluster : options.out;
    outcome.document["file"] = file;
    outcome.document["added"] = discovery->new_nodes.size();
    outcome.text += fmt::format("\n{}: {} added\n", file, count_of(discovery->new_nodes.size(), "node"));
  }
  if (!failed.empty() || !any) {
    outcome.exit_code = kNodesFailed;
    outcome.problems.push_back(failed.empty() ? "no machine was found that can be logged in to"
                                              : fmt::format("{} could not be used: {}", count_of(failed.size(), "machine"),
                                                            human_list(failed)));
    outcome.next = next_command(app, any ? "doctor -n NODE" : "discover --user USER --key FILE CIDR");
  }
  return outcome;
}

}  // namespace

/// In a network that is scanned, an address where nobody lives is no failure; a node that was named is.
static bool is_meant(const FoundNode& found, const std::vector<std::string>& targets) {
  return targets.empty() || std::ranges::find(targets, found.address) != targets.end() ||
         std::ranges::find(targets, found.name) != targets.end();
}

std::vector<std::string> discovery_failures(const Discovery& discovery, const std::vector<std::string>& targets) {
  std::vector<std::string> failed;
  for (const auto& found : discovery.found) {
    if (found.status == "ok") continue;
    if (is_meant(found, targets) || found.status == "auth" || found.status == "failed") {
      failed.push_back(found.name.empty() ? found.address : found.name);
    }
  }
  return failed;
}

Json discovery_document(const Discovery& discovery) {
  Json found = Json::array();
  for (const auto& one : discovery.found) {
    Json json = {{"name", one.name}, {"address", one.address}, {"status", one.status},
                 {"host_key", one.host_key}, {"class", one.hardware_class}, {"added", one.added}};
    if (!one.reason.empty()) json["reason"] = clean_output(one.reason);
    found.push_back(std::move(json));
  }
  Json classes = Json::array();
  for (const auto& one : discovery.classes) {
    classes.push_back({{"id", one.id}, {"count", one.nodes.size()}, {"differs", one.differs}, {"nodes", one.nodes}});
  }
  return {{"found", found}, {"classes", classes}};
}

std::string discovery_text(const Discovery& discovery, const std::vector<std::string>& targets,
                           const Style& style, std::size_t width) {
  std::map<std::string, std::size_t> counts;
  std::map<NodeId, std::string> reasons;
  std::size_t silent = 0;
  for (const auto& one : discovery.found) {
    if (one.status == "unreachable" && !is_meant(one, targets)) {
      ++silent;
      continue;
    }
    ++counts[one.status];
    if (one.status == "ok") continue;
    reasons[one.name.empty() ? one.address : one.name] = one.status + (one.reason.empty() ? "" : ": " + one.reason);
  }
  std::string summary;
  for (const auto& [status, count] : counts) summary += fmt::format("{}{} {}", summary.empty() ? "" : ", ", count, status);
  std::string text = style.bold(fmt::format("found {}{}", count_of(discovery.found.size() - silent, "machine"),
                                            summary.empty() ? "" : ": " + summary)) + "\n";
  if (silent > 0) text += style.dim(fmt::format("{} did not answer", silent == 1 ? "1 address" : fmt::format("{} addresses", silent))) + "\n";
  if (!discovery.facts.empty()) text += "\n" + facts_text(discovery.facts, style, width);
  if (!reasons.empty()) text += "\n" + style.bad("not usable") + "\n";
  for (const auto& group : fold_alike(reasons)) {
    text += paragraph(fmt::format("{}: {}", who(group.nodes), group.text), width, 2);
  }
  return text;
}

Command discover_command() {
  auto options = std::make_shared<CommandOptions>();
  return {
      .name = "discover",
      .group = "Find the machines",
      .summary = "scan networks for SSH, pin host keys, write cluster.toml",
      .details =
          "Looks for SSH servers in the networks, ranges or addresses given, pins the host keys that are seen "
          "for the first time, logs in, reads the hardware and adds machines that cluster.toml does not "
          "have yet. Machines are grouped by identical hardware, and the odd one out is named. What is in "
          "cluster.toml already stays as it is, comments included.\n\n"
          "Without arguments it looks at the nodes of cluster.toml: it pins their keys. A key that has changed "
          "is refused, unless --accept-changed-keys says that the machines were reinstalled.",
      .options = {text_option("-o,--out", "FILE", "write this file, by default the one of --cluster", options->out,
                              Completes::file),
                  text_option("--user", "USER", "login name, where cluster.toml says none", options->user),
                  text_option("--key", "FILE", "private key", options->key, Completes::file),
                  flag("--accept-changed-keys", "the machines were reinstalled: pin their new keys",
                       options->accept_changed_keys)},
      .positionals = {.usage = "[CIDR|RANGE|ADDRESS…]", .help = "10.0.0.0/24, 10.0.0.11-74, 10.0.0.[11-74]",
                      .least = 0, .most = kAny, .into = &options->targets},
      .examples = {{"podwright discover 10.0.0.0/24", "find the machines, write cluster.toml"},
                   {"podwright discover", "pin the keys of the nodes of cluster.toml"}},
      .exits = {kNodesFailed},
      .run = [options](App& app) { return run_discover(app, *options); }};
}

}  // namespace podwright::cli
