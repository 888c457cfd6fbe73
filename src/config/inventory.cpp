#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/files.hpp"
#include "base/text.hpp"
#include "config/config.hpp"
#include "config/nodeset.hpp"
#include "config/reader.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

bool is_word(std::string_view text, std::string_view also) {
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           also.find(c) != std::string_view::npos;
  });
}

/// Node names become file names, words of commands and of node sets.
bool is_node_name(std::string_view text) {
  return is_word(text, "._-") && text.front() != '-' && text.front() != '.';
}

/// Host names and IPv4 and IPv6 addresses, with a zone.
bool is_address(std::string_view text) { return is_word(text, ".:%_-") && text.front() != '-'; }

bool is_variable_name(std::string_view text) {
  return is_word(text, "_") && !(text.front() >= '0' && text.front() <= '9');
}

/// A path of the file: "~" is the home, relative ones start at the file's folder.
std::string resolve(std::string_view path, const fs::path& folder) {
  const auto expanded = expand_home(path);
  return (expanded.is_absolute() ? expanded : folder / expanded).lexically_normal().string();
}

void refuse_passwords(TableReader& table) {
  for (const auto* key : {"password", "passphrase", "become_password", "sudo_password"}) {
    if (table.any(key) == nullptr) continue;
    table.complain(key,
                   fmt::format("{} in {}: passwords never go into the file; name the variable of "
                               "the environment that holds it (password_env, "
                               "become_password_env), set ask_password = true, or use an agent",
                               key, table.where()));
  }
}

void read_variable_name(TableReader& table, std::string_view key, std::string& out) {
  const auto name = table.text(key);
  if (!name) return;
  out = *name;
  if (is_variable_name(*name)) return;
  // The value is not repeated: it may well be the password itself.
  table.complain(key,
                 fmt::format("{} in {} must be the name of a variable of the environment, such "
                             "as PW_SSH_PASSWORD",
                             key, table.where()));
}

/// "user@host:port", "host"; IPv6 in brackets.
bool is_hop(std::string_view hop) {
  if (const auto at = hop.find('@'); at != std::string_view::npos) {
    if (!is_word(hop.substr(0, at), "._-\\")) return false;
    hop.remove_prefix(at + 1);
  }
  std::string_view port;
  if (hop.starts_with('[')) {
    const auto close = hop.find(']');
    if (close == std::string_view::npos) return false;
    port = hop.substr(close + 1);
    hop = hop.substr(1, close - 1);
  } else if (const auto colon = hop.find(':'); colon != std::string_view::npos) {
    port = hop.substr(colon);
    hop = hop.substr(0, colon);
  }
  if (!is_address(hop)) return false;
  if (port.empty()) return true;
  const auto number = to_int(port.substr(1));
  return port.front() == ':' && number && *number >= 1 && *number <= 65535;
}

void read_jump(TableReader& table, SshSettings& ssh) {
  const auto jump = table.texts("jump");
  if (!jump) return;
  ssh.jump = *jump;
  ssh.jump_set = true;
  for (const auto& hop : *jump) {
    if (is_hop(hop)) continue;
    table.complain("jump", fmt::format("jump in {} must be written user@host:port, not \"{}\"",
                                       table.where(), hop));
  }
}

/// The keys of [ssh], which a node may repeat; what is absent stays as it is.
void read_ssh(TableReader& table, SshSettings& ssh, const fs::path& folder) {
  refuse_passwords(table);
  if (const auto user = table.text("user")) {
    ssh.user = *user;
    ssh.user_set = true;
    if (!is_word(*user, "._-@\\") || user->front() == '-') {
      table.complain("user",
                     fmt::format("user in {} is not a login name: \"{}\"", table.where(), *user));
    }
  }
  if (const auto port = table.integer("port")) {
    ssh.port_set = true;
    if (*port >= 1 && *port <= 65535) ssh.port = static_cast<int>(*port);
    else
      table.complain("port",
                     fmt::format("port in {} must be 1 to 65535, not {}", table.where(), *port));
  }
  if (const auto key = table.text("key")) {
    ssh.key_set = true;
    if (key->empty()) table.complain("key", fmt::format("key in {} is empty", table.where()));
    else ssh.key = resolve(*key, folder);
  }
  if (const auto agent = table.flag("agent")) ssh.agent = *agent;
  read_variable_name(table, "password_env", ssh.password_env);
  if (const auto ask = table.flag("ask_password")) ssh.ask_password = *ask;
  if (const auto become = table.text("become")) {
    ssh.become = *become;
    if (*become != "none" && *become != "sudo") {
      table.complain("become",
                     fmt::format("become in {} must be none or sudo, not \"{}\"{}", table.where(),
                                 *become, did_you_mean(*become, {"none", "sudo"})));
    }
  }
  read_variable_name(table, "become_password_env", ssh.become_password_env);
  read_jump(table, ssh);
  if (const auto file = table.text("known_hosts")) {
    if (file->empty())
      table.complain("known_hosts", "known_hosts is empty: host keys are always checked");
    else ssh.known_hosts = resolve(*file, folder);
  }
  if (const auto* config = table.any("ssh_config")) {
    if (const auto* use = config->flag()) {
      ssh.use_ssh_config = *use;
      if (*use) ssh.ssh_config.clear();
    } else if (const auto* file = config->text(); file != nullptr && !file->empty()) {
      ssh.use_ssh_config = true;
      ssh.ssh_config = resolve(*file, folder);
    } else {
      table.complain("ssh_config",
                     fmt::format("ssh_config in {} must be a file, true or false", table.where()));
    }
  }
}

/// Expands the ranges of `pattern` and demands `count` results (any number when 0).
std::vector<std::string> expand_to(TableReader& table, std::string_view key,
                                   std::string_view pattern, std::size_t count,
                                   std::string_view names) {
  auto all = expand_range(pattern);
  if (!all) {
    table.complain(key, fmt::format("{} in {}: {}", key, table.where(), all.error().what));
    return {};
  }
  if (count != 0 && all->size() != count) {
    table.complain(key, fmt::format("{} \"{}\" gives {}, but name \"{}\" gives {}", key, pattern,
                                    all->size(), names, count));
    return {};
  }
  return *all;
}

/// fabric = [{…}] of a node: one list of ports for each of its `count` expansions.
std::vector<std::vector<FabricPort>> read_fabric(TableReader& node, std::size_t count,
                                                 std::string_view names, Complaints& complaints) {
  std::vector<std::vector<FabricPort>> ports(count);
  std::set<std::int64_t> rails;
  std::int64_t index = 0;
  for (const auto* entry : node.tables("fabric")) {
    TableReader table(*entry, "fabric of [[node]]", complaints);
    FabricPort port;
    if (const auto name = table.text("name")) port.name = *name;
    else if (table.any("name") == nullptr)
      table.complain("name", "a fabric port of [[node]] needs a name, such as eth1 or mlx5_0");
    if (const auto rate = table.number("rate_gbps")) {
      port.rate_gbps = *rate;
      if (!(*rate > 0 && *rate < 1e6))
        table.complain("rate_gbps", "rate_gbps must be the line rate in Gbit/s, more than 0");
    }
    const auto rail = table.integer("rail").value_or(index++);
    if (rail < 0 || rail > 1023) table.complain("rail", "rail must be 0 to 1023");
    else if (!rails.insert(rail).second)
      table.complain("rail", fmt::format("two fabric ports of a node are on rail {}", rail));
    port.rail = static_cast<int>(rail);
    std::vector<std::string> addresses;
    if (const auto address = table.text("address")) {
      addresses = expand_to(table, "address", *address, count, names);
      for (const auto& one : addresses) {
        if (is_address(one)) continue;
        table.complain("address", fmt::format("\"{}\" is not an address", one));
        break;
      }
    }
    table.refuse_the_rest();
    for (std::size_t i = 0; i < count; ++i) {
      port.address = i < addresses.size() ? addresses[i] : "";
      ports[i].push_back(port);
    }
  }
  return ports;
}

std::map<std::string, std::string> read_labels(TableReader& node, Complaints& complaints) {
  std::map<std::string, std::string> labels;
  const auto* table = node.table("labels");
  if (table == nullptr) return labels;
  for (const auto& [key, value] : *table) {
    if (value.table() != nullptr || value.array() != nullptr) {
      complaints.add(value.pos, fmt::format("label {} {}", key, wrong_type("a string", value)));
      continue;
    }
    labels[key] = value.scalar_text();
  }
  return labels;
}

std::vector<std::string> read_roles(TableReader& node) {
  auto roles = node.texts("roles").value_or(std::vector<std::string>{});
  for (const auto& role : roles) {
    if (!is_word(role, "_-.")) {
      node.complain(
          "roles", fmt::format("\"{}\" is not a role: one word of letters, digits, - and _", role));
    }
  }
  return roles;
}

void read_node(const Value& value, Inventory& inventory, Complaints& complaints) {
  TableReader table(value, "[[node]]", complaints);
  const fs::path folder = inventory.directory;
  Node node;
  node.pos = value.pos;
  node.ssh = inventory.ssh;
  read_ssh(table, node.ssh, folder);
  if (const auto* nested = table.any("ssh")) {
    TableReader ssh(*nested, "ssh of [[node]]", complaints);
    if (const auto* entries = nested->table()) {
      for (const auto& [key, twice] : *entries) {
        if (find_value(*value.table(), key) != nullptr) {
          complaints.add(twice.pos,
                         fmt::format("{} is given twice, in [[node]] and in its ssh", key));
        }
      }
    }
    read_ssh(ssh, node.ssh, folder);
    ssh.refuse_the_rest();
  }
  node.roles = read_roles(table);
  node.labels = read_labels(table, complaints);

  const auto pattern = table.text("name");
  if (!pattern && table.any("name") == nullptr) table.complain("name", "[[node]] needs a name");
  const auto address = table.text("address");
  std::vector<std::string> names;
  if (pattern) names = expand_to(table, "name", *pattern, 0, *pattern);
  const auto fabric = read_fabric(table, names.size(), pattern.value_or(""), complaints);
  const auto addresses = address && !names.empty()
                             ? expand_to(table, "address", *address, names.size(), *pattern)
                             : names;
  table.refuse_the_rest();

  for (std::size_t i = 0; i < names.size(); ++i) {
    node.name = names[i];
    node.address = i < addresses.size() ? addresses[i] : "";
    node.fabric = fabric[i];
    if (!is_node_name(node.name)) {
      table.complain("name",
                     fmt::format("\"{}\" is not a name for a node: letters, digits, '-', '.' "
                                 "and '_'",
                                 node.name));
      return;
    }
    if (i < addresses.size() && !is_address(node.address)) {
      table.complain("address",
                     fmt::format("\"{}\" is neither a host name nor an IP address", node.address));
      return;
    }
    inventory.nodes.push_back(node);
  }
}

/// Complains once for each pair of tables that claim the same `key`.
class Claims {
 public:
  Claims(std::string_view what, Complaints& complaints) : what_(what), complaints_(complaints) {}

  void claim(const std::string& key, const std::string& shown, const Node& node) {
    const auto [place, fresh] = owners_.try_emplace(key, &node);
    if (fresh) return;
    const auto& first = *place->second;
    if (!told_.insert({first.pos.str(), node.pos.str()}).second) return;
    complaints_.add(node.pos, fmt::format("{} {} is taken already, by {} ({})", what_, shown,
                                          first.name, first.pos.str()));
  }

 private:
  std::string_view what_;
  Complaints& complaints_;
  std::map<std::string, const Node*> owners_;
  std::set<std::pair<std::string, std::string>> told_;
};

void refuse_doubles(const Inventory& inventory, Complaints& complaints) {
  Claims names("node name", complaints);
  Claims addresses("address", complaints);
  Claims fabric("fabric address", complaints);
  for (const auto& node : inventory.nodes) {
    names.claim(node.name, node.name, node);
    // Sites behind different bastions may use the same addresses.
    const auto shown = fmt::format("{} port {}", node.address, node.ssh.port);
    if (!node.address.empty()) {
      addresses.claim(shown + " by " + join(node.ssh.jump, ","), shown, node);
    }
    for (const auto& port : node.fabric) {
      if (!port.address.empty()) fabric.claim(port.address, port.address, node);
    }
  }
}

void read_cluster(TableReader& top, Inventory& inventory, Complaints& complaints) {
  const auto* value = top.any("cluster");
  if (value == nullptr) return;
  TableReader table(*value, "[cluster]", complaints);
  if (const auto name = table.text("name")) {
    inventory.name = *name;
    if (!is_node_name(*name)) {
      table.complain("name",
                     fmt::format("\"{}\" is not a name for a cluster: letters, digits, '-', "
                                 "'.' and '_'",
                                 *name));
    }
  }
  if (const auto profile = table.text("profile")) inventory.profile = *profile;
  if (const auto folder = table.text("state_dir")) {
    if (folder->empty()) table.complain("state_dir", "state_dir in [cluster] is empty");
    else inventory.state_dir = resolve(*folder, inventory.directory);
  }
  if (const auto quorum = table.number("quorum")) {
    inventory.quorum = *quorum;
    if (!(*quorum >= 0 && *quorum <= 1)) {
      table.complain("quorum", fmt::format("quorum in [cluster] must be 0 to 1 (0.9: nine nodes of "
                                           "ten), not {}",
                                           *quorum));
    }
  }
  table.refuse_the_rest();
}

}  // namespace

Result<Inventory> load_inventory(const fs::path& file) {
  std::error_code problem;
  if (!fs::exists(file, problem)) {
    return fail(Fault::usage, fmt::format("there is no {}", file.string()),
                "`podwright init` writes a commented one, `podwright discover` finds the nodes, "
                "-c names another");
  }
  const auto text = read_file(file);
  if (!text) {
    auto error = text.error();
    error.fault = Fault::usage;
    return fail(std::move(error));
  }
  return parse_inventory(*text, file);
}

Result<Inventory> parse_inventory(std::string_view text, const fs::path& file) {
  const auto document = parse_toml(text, file.string());
  if (!document) return fail(document.error());

  Inventory inventory;
  inventory.name = "cluster";
  inventory.file = file.string();
  inventory.directory = file.has_parent_path() ? file.parent_path().string() : ".";
  inventory.state_dir = resolve(".podwright", inventory.directory);
  inventory.ssh.known_hosts = resolve("known_hosts", inventory.directory);

  Complaints complaints;
  TableReader top(*document, "cluster.toml", complaints);
  read_cluster(top, inventory, complaints);
  if (const auto* ssh = top.any("ssh")) {
    TableReader table(*ssh, "[ssh]", complaints);
    read_ssh(table, inventory.ssh, inventory.directory);
    table.refuse_the_rest();
  }
  if (const auto* vars = top.table("vars")) inventory.vars = *vars;
  for (const auto* node : top.tables("node")) read_node(*node, inventory, complaints);
  top.refuse_the_rest();
  refuse_doubles(inventory, complaints);
  if (const auto status = complaints.status(); !status) return fail(status.error());
  return inventory;
}

}  // namespace podwright
