#include "config/cluster_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "config/config.hpp"
#include "config/nodeset.hpp"

namespace podwright {

namespace {

/// A TOML string.
std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : valid_utf8(text)) {
    if (c == '"' || c == '\\') out += fmt::format("\\{}", c);
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    else out += c;
  }
  return out + "\"";
}

std::string toml_list(const std::vector<std::string>& texts) {
  std::vector<std::string> all;
  for (const auto& text : texts) all.push_back(toml_text(text));
  return "[" + join(all, ", ") + "]";
}

/// A key that needs no quotes, else a quoted one.
std::string key_of(std::string_view key) {
  const bool bare = !key.empty() && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  return bare ? std::string(key) : toml_text(key);
}

// --- neighbours with ranges ----------------------------------------------------------------------

struct Counted {
  std::string_view before;
  std::string_view digits;  ///< at the end
};

Counted count_of_name(std::string_view name) {
  auto begin = name.size();
  while (begin > 0 && name.size() - begin < 9 && name[begin - 1] >= '0' && name[begin - 1] <= '9')
    --begin;
  return {name.substr(0, begin), name.substr(begin)};
}

bool counts_up(std::string_view a, std::string_view b) {
  const auto left = count_of_name(a);
  const auto right = count_of_name(b);
  const auto first = to_int(left.digits);
  const auto second = to_int(right.digits);
  return left.before == right.before && first && second && *second == *first + 1;
}

/// "cu01", "cu64" -> "cu[01-64]"
std::string range_of(std::string_view first, std::string_view last) {
  return fmt::format("{}[{}-{}]", count_of_name(first).before, count_of_name(first).digits,
                     count_of_name(last).digits);
}

/// Whether two nodes may share a table: all but names and addresses is alike.
bool alike(const Node& a, const Node& b) {
  return a.roles == b.roles && a.labels == b.labels && a.ssh.port == b.ssh.port &&
         a.ssh.user == b.ssh.user && a.fabric.empty() && b.fabric.empty();
}

/// How many nodes from `begin` on fit into one table with ranges; 1: none but itself.
std::size_t run_length(const std::vector<Node>& nodes, std::size_t begin) {
  auto end = begin + 1;
  while (end < nodes.size() && alike(nodes[begin], nodes[end]) &&
         counts_up(nodes[end - 1].name, nodes[end].name) &&
         counts_up(nodes[end - 1].address, nodes[end].address)) {
    ++end;
  }
  if (end - begin < 2) return 1;
  // Padding may change on the way (cu9, cu010): only what expands to the very names counts.
  const auto names = expand_range(range_of(nodes[begin].name, nodes[end - 1].name));
  const auto addresses = expand_range(range_of(nodes[begin].address, nodes[end - 1].address));
  if (!names || !addresses || names->size() != end - begin || addresses->size() != end - begin)
    return 1;
  for (auto i = begin; i < end; ++i) {
    if ((*names)[i - begin] != nodes[i].name || (*addresses)[i - begin] != nodes[i].address)
      return 1;
  }
  return end - begin;
}

// --- tables --------------------------------------------------------------------------------------

std::string fabric_of(const Node& node) {
  std::vector<std::string> ports;
  for (const auto& port : node.fabric) {
    std::string text = "{ name = " + toml_text(port.name);
    if (!port.address.empty()) text += ", address = " + toml_text(port.address);
    if (port.rate_gbps > 0) text += fmt::format(", rate_gbps = {}", port.rate_gbps);
    ports.push_back(text + fmt::format(", rail = {} }}", port.rail));
  }
  return "[" + join(ports, ",\n          ") + "]";
}

std::string node_table(const Node& node, const std::string& name, const std::string& address,
                       const SshSettings& defaults) {
  std::string text = "[[node]]\n";
  text += fmt::format("name = {}\naddress = {}\n", toml_text(name), toml_text(address));
  if (node.ssh.user_set && node.ssh.user != defaults.user)
    text += fmt::format("user = {}\n", toml_text(node.ssh.user));
  if (node.ssh.port != defaults.port) text += fmt::format("port = {}\n", node.ssh.port);
  if (!node.roles.empty()) text += fmt::format("roles = {}\n", toml_list(node.roles));
  if (!node.labels.empty()) {
    std::vector<std::string> labels;
    for (const auto& [key, value] : node.labels)
      labels.push_back(key_of(key) + " = " + toml_text(value));
    text += fmt::format("labels = {{ {} }}\n", join(labels, ", "));
  }
  if (!node.fabric.empty()) text += fmt::format("fabric = {}\n", fabric_of(node));
  return text;
}

std::string node_tables(const std::vector<Node>& nodes, const SshSettings& defaults) {
  std::string text;
  for (std::size_t i = 0; i < nodes.size();) {
    const auto run = run_length(nodes, i);
    const auto& first = nodes[i];
    const auto& last = nodes[i + run - 1];
    text += "\n" + (run == 1 ? node_table(first, first.name, first.address, defaults)
                             : node_table(first, range_of(first.name, last.name),
                                          range_of(first.address, last.address), defaults));
    i += run;
  }
  return text;
}

std::string with_crlf(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') out += '\r';
    out += c;
  }
  return out;
}

}  // namespace

void complete_nodes(std::vector<Node>& nodes) {
  std::set<std::string> taken;
  for (const auto& node : nodes) taken.insert(node.name);
  const auto is_head = [](const Node& node) { return std::ranges::find(node.roles, "head") != node.roles.end(); };
  const bool has_head = std::ranges::any_of(nodes, is_head);
  int number = 1;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    auto& node = nodes[i];
    if (node.roles.empty()) node.roles = {i == 0 && !has_head ? "head" : "compute"};
    if (nodes.size() == 1) node.roles = {"head", "compute"};
    if (!node.name.empty()) continue;
    if (is_head(node) && !taken.contains("head")) {
      node.name = "head";
    } else {
      while (taken.contains(node.name = fmt::format("cu{:02}", number))) ++number;
    }
    taken.insert(node.name);
  }
}

std::string render_cluster_file(const NewCluster& cluster) {
  std::string text = fmt::format(
      R"(# A cluster, as podwright reads it. `podwright plan` shows what would be done to it.

[cluster]
name = {}
profile = {}   # `podwright profile list` shows them; or a file
state_dir = ".podwright"          # runs, logs and reports, relative to this file
quorum = 0.5                      # apply begins nothing more below this share of healthy nodes

[ssh]                             # for every node; a node may override; ~/.ssh/config is honoured
user = {}
{}
# port = 22
# password_env = "PW_SSH_PASSWORD"  # the variable that holds the password; never the password itself
# become = "sudo"                 # where the user is not root; become_password_env = "…"
# jump = ["admin@bastion:22"]
known_hosts = "known_hosts"       # written by `podwright discover`, pinned afterwards

[vars]                            # overrides of the profile's variables: `podwright profile show`
)",
      toml_text(cluster.name), toml_text(cluster.profile), toml_text(cluster.user),
      cluster.key.empty()
          ? "# key = \"~/.ssh/id_ed25519\"    # default: the agent, then the usual files"
          : "key = " + toml_text(cluster.key));
  if (cluster.nodes.empty()) {
    return text + R"(
# [[node]]
# name = "head"
# address = "10.0.0.1"
# roles = ["head"]

# [[node]]
# name = "cu[01-64]"              # ranges expand together
# address = "10.0.0.[11-74]"
# roles = ["compute"]
# labels = { leaf = "l1", rack = "r1" }
)";
  }
  SshSettings defaults;
  defaults.user = cluster.user;
  return text + node_tables(cluster.nodes, defaults);
}

Result<std::string> add_nodes(std::string_view text, const std::string& file,
                              const std::vector<Node>& nodes) {
  const auto existing = parse_inventory(text, file);
  if (!existing) return fail(existing.error());
  std::set<std::pair<std::string, int>> taken;
  for (const auto& node : existing->nodes) taken.emplace(node.address, node.ssh.port);
  std::vector<Node> added;
  for (const auto& node : nodes) {
    if (!taken.emplace(node.address, node.ssh.port).second) continue;
    if (const auto* other = existing->find(node.name); other != nullptr) {
      return fail(Fault::usage,
                  fmt::format("{}: {} is the node at {} already, so {} needs another name",
                              other->pos.str(), node.name, other->address, node.address),
                  "if the machine was replaced, use `podwright node replace`");
    }
    added.push_back(node);
  }
  if (added.empty()) return std::string(text);

  const bool crlf = text.find("\r\n") != std::string_view::npos;
  auto tables = node_tables(added, existing->ssh);
  if (text.empty()) tables.erase(0, 1);
  else if (text.back() != '\n') tables.insert(0, "\n");
  auto whole = std::string(text) + (crlf ? with_crlf(tables) : tables);
  const auto again = parse_inventory(whole, file);
  if (!again) {
    auto error = again.error();
    error.what = fmt::format("no nodes can be added to {}: {}", file, error.what);
    if (error.hint.empty())
      error.hint = "nodes are added as [[node]] tables; write the existing ones so, too";
    return fail(std::move(error));
  }
  return whole;
}

}  // namespace podwright
