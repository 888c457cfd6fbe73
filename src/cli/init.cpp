#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "config/cluster_file.hpp"
#include "config/import.hpp"
#include "config/nodeset.hpp"

namespace podwright::cli {

namespace {

struct InitOptions {
  std::vector<std::string> hosts;
  std::string name = "cluster";
  std::string user = "root";
  std::string key;
  std::string from;
  bool force = false;
};

bool is_ip_address(std::string_view text) {
  return text.find_first_not_of("0123456789.") == std::string_view::npos ||
         (text.find(':') != std::string_view::npos &&
          text.find_first_not_of("0123456789abcdefABCDEF:.%") == std::string_view::npos);
}

/// "10.0.0.1", "10.0.0.1:2222", "cu01", "cu01=10.0.0.11", ranges in both.
Result<std::vector<Node>> nodes_of(const std::string& word) {
  const auto equals = word.find('=');
  const auto given = equals == std::string::npos ? std::string{} : word.substr(0, equals);
  auto address = equals == std::string::npos ? word : word.substr(equals + 1);
  int port = 22;
  const auto colon = address.rfind(':');
  if (colon != std::string::npos && address.find(':') == colon) {
    const auto number = to_int(std::string_view(address).substr(colon + 1));
    if (!number || *number < 1 || *number > 65535) {
      return fail(Fault::usage, fmt::format("\"{}\" does not end in a port", address), "write HOST or HOST:PORT");
    }
    port = static_cast<int>(*number);
    address.resize(colon);
  }
  const auto addresses = expand_range(address);
  if (!addresses) return fail(Fault::usage, addresses.error().what, addresses.error().hint);
  std::vector<std::string> names;
  if (!given.empty()) {
    auto expanded = expand_range(given);
    if (!expanded) return fail(Fault::usage, expanded.error().what, expanded.error().hint);
    names = std::move(*expanded);
    if (names.size() != addresses->size()) {
      return fail(Fault::usage, fmt::format("\"{}\" has {} but {}", word, count_of(names.size(), "name"),
                                            addresses->size() == 1 ? "1 address" : fmt::format("{} addresses", addresses->size())),
                  "write as many names as addresses: cu[01-04]=10.0.0.[11-14]");
    }
  }
  std::vector<Node> nodes;
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    Node node;
    node.address = (*addresses)[i];
    node.name = !names.empty() ? names[i] : is_ip_address(node.address) ? "" : split(node.address, '.').front();
    node.ssh.port = port;
    node.ssh.port_set = port != 22;
    nodes.push_back(std::move(node));
  }
  return nodes;
}

Result<Outcome> run_init(App& app, const InitOptions& options) {
  NewCluster cluster{.name = options.name, .user = options.user, .key = options.key, .nodes = {}};
  if (!app.globals().profile.empty()) cluster.profile = app.globals().profile;
  for (const auto& word : options.hosts) {
    auto nodes = nodes_of(word);
    if (!nodes) return fail(nodes.error());
    std::ranges::move(*nodes, std::back_inserter(cluster.nodes));
  }
  if (!options.from.empty()) {
    const auto text = read_file(options.from);
    if (!text) return fail(Fault::usage, text.error().what, "--from reads a PODsys iplist or an Ansible inventory");
    auto imported = import_nodes(*text, options.from);
    if (!imported) return fail(imported.error());
    if (!imported->user.empty()) cluster.user = imported->user;
    if (cluster.key.empty()) cluster.key = imported->key;
    std::ranges::move(imported->nodes, std::back_inserter(cluster.nodes));
  }
  complete_nodes(cluster.nodes);

  const std::filesystem::path file = app.globals().cluster;
  if (std::filesystem::exists(file) && !options.force) {
    return fail(Fault::usage, fmt::format("{} exists already", file.string()),
                "edit it, add machines with `podwright discover`, or overwrite it with --force");
  }
  if (auto written = write_file(file, render_cluster_file(cluster)); !written) return fail(written.error());

  Outcome outcome{.document = {{"file", file.string()}, {"nodes", Json::array()}}};
  for (const auto& node : cluster.nodes) {
    outcome.document["nodes"].push_back({{"name", node.name}, {"address", node.address}, {"roles", node.roles}});
  }
  outcome.text = fmt::format("wrote {} with {}\n", file.string(), count_of(cluster.nodes.size(), "node"));
  outcome.text += cluster.nodes.empty()
                      ? fmt::format("next: `{}` finds the machines\n", next_command(app, "discover CIDR"))
                      : fmt::format("next: look it over, then `{}` pins their host keys, and `{}` shows what "
                                    "would be done\n",
                                    next_command(app, "discover"), next_command(app, "plan"));
  return outcome;
}

}  // namespace

Command init_command() {
  auto options = std::make_shared<InitOptions>();
  return {
      .name = "init",
      .group = "Find the machines",
      .summary = "write a commented cluster.toml",
      .details =
          "HOST is an address, a name, or NAME=ADDRESS, with an optional :PORT and with ranges. The first is "
          "the head, the others compute nodes. Addresses without names are called head, cu01, cu02, … "
          "Writes the file that --cluster names; nothing is contacted.",
      .options = {text_option("--name", "NAME", "the cluster's name", options->name),
                  text_option("--user", "USER", "login name, by default root", options->user),
                  text_option("--key", "FILE", "private key; by default the agent or the usual files", options->key,
                              Completes::file),
                  text_option("--from", "FILE", "take the machines of a PODsys iplist.txt or an Ansible inventory (INI)",
                              options->from, Completes::file),
                  flag("--force", "overwrite a file that exists", options->force)},
      .positionals = {.usage = "[HOST…]", .help = "the machines", .least = 0, .most = kAny, .into = &options->hosts},
      .examples = {{"podwright init head=10.0.0.1 'cu[01-64]=10.0.0.[11-74]'", "a head and 64 compute nodes"},
                   {"podwright init --from hosts.ini", "the machines of an Ansible inventory"},
                   {"podwright init --user ubuntu --profile ubuntu2204-h100-ib", "no machines yet; discover finds them"}},
      .run = [options](App& app) { return run_init(app, *options); }};
}

}  // namespace podwright::cli
