#include "config/import.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"

namespace podwright {

namespace {

tl::unexpected<Error> wrong(const std::string& file, std::size_t line, const std::string& what, std::string hint = {}) {
  return fail(Fault::usage, fmt::format("{}:{}: {}", file, line, what), std::move(hint));
}

std::string without_prefix(std::string_view cidr) { return std::string(cidr.substr(0, cidr.find('/'))); }

/// The value on which all agree; empty when they do not.
std::string common(const std::vector<std::string>& values) {
  const bool all_alike = !values.empty() && std::ranges::all_of(values, [&](const auto& v) { return v == values.front(); });
  return all_alike ? values.front() : std::string{};
}

// --- Ansible ------------------------------------------------------------------------------------------

using Vars = std::map<std::string, std::string>;

struct Group {
  std::vector<std::string> hosts;
  std::vector<std::string> children;
  Vars vars;
};

struct AnsibleFile {
  std::map<std::string, Group> groups;
  std::vector<std::string> group_order;
  std::vector<std::string> hosts;  ///< in the order of the file, each once
  std::map<std::string, Vars> host_vars;
};

/// Words of a line; quotes hold a word together, # begins a comment.
std::vector<std::string> shell_words(std::string_view line) {
  std::vector<std::string> all;
  std::string word;
  bool inside = false;
  char quote = 0;
  for (const char c : line) {
    if (quote != 0) {
      if (c == quote) quote = 0;
      else word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      inside = true;
    } else if (c == '#' && !inside) {
      break;
    } else if (c == ' ' || c == '\t') {
      if (inside) all.push_back(std::move(word));
      word.clear();
      inside = false;
    } else {
      word += c;
      inside = true;
    }
  }
  if (inside) all.push_back(std::move(word));
  return all;
}

/// cu[01:03], cu[1:9:2], db-[a:c]: the first range, and what is behind it again.
std::optional<std::vector<std::string>> expand_ansible(const std::string& pattern) {
  const auto open = pattern.find('[');
  if (open == std::string::npos) return std::vector{pattern};
  const auto close = pattern.find(']', open);
  if (close == std::string::npos) return std::nullopt;
  const auto parts = split(std::string_view(pattern).substr(open + 1, close - open - 1), ':');
  if (parts.size() < 2 || parts.size() > 3 || parts[0].empty() || parts[1].empty()) return std::nullopt;
  const auto step = parts.size() == 3 ? to_int(parts[2]) : std::optional<std::int64_t>(1);
  const auto rest = expand_ansible(pattern.substr(close + 1));
  if (!step || *step < 1 || !rest) return std::nullopt;
  std::vector<std::string> middles;
  const auto first = to_int(parts[0]);
  const auto last = to_int(parts[1]);
  if (first && last) {
    if (*last < *first || *last - *first > 100000) return std::nullopt;
    for (auto i = *first; i <= *last; i += *step) middles.push_back(fmt::format("{:0{}}", i, parts[0].size()));
  } else if (parts[0].size() == 1 && parts[1].size() == 1 && parts[0][0] <= parts[1][0]) {
    for (int c = parts[0][0]; c <= parts[1][0]; c += static_cast<int>(*step)) middles.emplace_back(1, static_cast<char>(c));
  } else {
    return std::nullopt;
  }
  std::vector<std::string> all;
  for (const auto& middle : middles) {
    for (const auto& end : *rest) all.push_back(pattern.substr(0, open) + middle + end);
  }
  return all;
}

Result<AnsibleFile> read_ansible(std::string_view text, const std::string& file) {
  AnsibleFile read;
  std::string group = "ungrouped";
  std::string section;
  std::size_t number = 0;
  for (const auto raw : lines(text)) {
    ++number;
    const auto line = trim(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[' && line.find(']') == line.size() - 1) {
      const auto name = line.substr(1, line.size() - 2);
      const auto colon = name.find(':');
      group = std::string(name.substr(0, colon));
      section = colon == std::string_view::npos ? "" : std::string(name.substr(colon + 1));
      if (group.empty() || (!section.empty() && section != "children" && section != "vars")) {
        return wrong(file, number, fmt::format("[{}] is not a group", name), "[GROUP], [GROUP:children] or [GROUP:vars]");
      }
      if (read.groups.try_emplace(group).second) read.group_order.push_back(group);
      continue;
    }
    if (section == "vars") {
      const auto equals = line.find('=');
      if (equals == std::string_view::npos) return wrong(file, number, "a variable is NAME=VALUE");
      const auto value = shell_words(trim(line.substr(equals + 1)));
      read.groups[group].vars[std::string(trim(line.substr(0, equals)))] = value.empty() ? "" : value.front();
      continue;
    }
    const auto words = shell_words(line);
    if (section == "children") {
      read.groups[group].children.push_back(words.front());
      continue;
    }
    const auto names = expand_ansible(words.front());
    if (!names) return wrong(file, number, fmt::format("{} is not a range of hosts", words.front()), "as in cu[01:64]");
    Vars vars;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const auto equals = words[i].find('=');
      if (equals == std::string::npos) return wrong(file, number, fmt::format("\"{}\" is not NAME=VALUE", words[i]));
      vars[words[i].substr(0, equals)] = words[i].substr(equals + 1);
    }
    for (const auto& name : *names) {
      if (std::ranges::find(read.hosts, name) == read.hosts.end()) read.hosts.push_back(name);
      if (group != "ungrouped") read.groups[group].hosts.push_back(name);
      read.host_vars[name].insert(vars.begin(), vars.end());
    }
  }
  return read;
}

bool is_in(const AnsibleFile& file, const std::string& host, const std::string& group, int depth = 0) {
  const auto found = file.groups.find(group);
  if (found == file.groups.end() || depth > 32) return false;
  const auto& one = found->second;
  return std::ranges::find(one.hosts, host) != one.hosts.end() ||
         std::ranges::any_of(one.children, [&](const auto& child) { return is_in(file, host, child, depth + 1); });
}

std::string role_of(const std::string& group) {
  static const std::set<std::string_view> heads = {"head",       "heads",      "manager",  "managers",           "management",
                                                   "master",     "masters",    "controller", "controllers",      "control",
                                                   "slurm_control_node", "slurm-master", "slurmctld", "slurm_master"};
  static const std::set<std::string_view> logins = {"login", "logins", "login_node", "submit"};
  return heads.contains(group) ? "head" : logins.contains(group) ? "login" : "compute";
}

/// As Ansible has it: the host's own, then its groups', then those of all.
std::string variable(const AnsibleFile& file, const std::string& host, const std::vector<std::string>& groups,
                     std::initializer_list<const char*> names) {
  const auto look_up = [&](const Vars& vars) -> std::string {
    for (const auto* name : names) {
      if (const auto found = vars.find(name); found != vars.end()) return found->second;
    }
    return {};
  };
  if (auto value = look_up(file.host_vars.at(host)); !value.empty()) return value;
  for (auto group = groups.rbegin(); group != groups.rend(); ++group) {
    if (auto value = look_up(file.groups.at(*group).vars); !value.empty()) return value;
  }
  const auto all = file.groups.find("all");
  return all == file.groups.end() ? std::string{} : look_up(all->second.vars);
}

}  // namespace

Result<ImportedNodes> import_iplist(std::string_view text, const std::string& file) {
  ImportedNodes imported;
  std::size_t number = 0;
  for (const auto line : lines(text)) {
    ++number;
    const auto columns = words(line);
    if (columns.empty() || columns.front().starts_with('#')) continue;
    if (columns.size() < 3 || columns[2].find_first_not_of("0123456789./") != std::string_view::npos) {
      return wrong(file, number, "a line of an iplist is: serial number, host name, address/prefix, gateway, DNS, IPoIB, docker0");
    }
    Node node;
    node.name = std::string(columns[1]);
    node.address = without_prefix(columns[2]);
    node.labels["serial"] = std::string(columns[0]);
    if (columns.size() > 5 && columns[5] != "none") {
      node.fabric = {{.name = "ib0", .address = without_prefix(columns[5])}};
    }
    imported.nodes.push_back(std::move(node));
  }
  return imported;
}

Result<ImportedNodes> import_ansible(std::string_view text, const std::string& file) {
  const auto read = read_ansible(text, file);
  if (!read) return fail(read.error());
  ImportedNodes imported;
  std::vector<std::string> users;
  std::vector<std::string> keys;
  for (const auto& host : read->hosts) {
    std::vector<std::string> groups;
    for (const auto& group : read->group_order) {
      if (group != "all" && is_in(*read, host, group)) groups.push_back(group);
    }
    Node node;
    node.name = std::string(split(host, '.').front());
    // A bare address is no name: init finds one.
    if (host.find_first_not_of("0123456789.") == std::string::npos) node.name.clear();
    const auto address = variable(*read, host, groups, {"ansible_host", "ansible_ssh_host"});
    node.address = address.empty() ? host : address;
    if (const auto port = to_int(variable(*read, host, groups, {"ansible_port", "ansible_ssh_port"}))) {
      node.ssh.port = static_cast<int>(*port);
      node.ssh.port_set = *port != 22;
    }
    node.ssh.user = variable(*read, host, groups, {"ansible_user", "ansible_ssh_user"});
    node.ssh.user_set = !node.ssh.user.empty();
    users.push_back(node.ssh.user);
    keys.push_back(variable(*read, host, groups, {"ansible_ssh_private_key_file", "ansible_private_key_file"}));
    std::set<std::string> roles;
    for (const auto& group : groups) {
      node.labels["group"] += (node.labels["group"].empty() ? "" : ",") + group;
      if (role_of(group) != "compute") roles.insert(role_of(group));
    }
    if (!roles.empty()) node.roles.assign(roles.begin(), roles.end());
    imported.nodes.push_back(std::move(node));
  }
  imported.user = common(users);
  imported.key = common(keys);
  if (!imported.user.empty()) {
    for (auto& node : imported.nodes) node.ssh.user_set = false;
  }
  return imported;
}

Result<ImportedNodes> import_nodes(std::string_view text, const std::string& file) {
  // The third column of an iplist is an address with its prefix; nothing in an inventory looks like that.
  for (const auto line : lines(text)) {
    const auto columns = words(line);
    if (columns.empty() || columns.front().starts_with('#') || columns.front().starts_with(';')) continue;
    const bool is_iplist = columns.size() >= 3 && columns[2].find('/') != std::string_view::npos &&
                           columns[2].find('=') == std::string_view::npos;
    auto imported = is_iplist ? import_iplist(text, file) : import_ansible(text, file);
    if (imported && imported->nodes.empty()) break;
    return imported;
  }
  return fail(Fault::usage, fmt::format("{} names no machine", file),
              "a PODsys iplist.txt, or an Ansible inventory in INI format");
}

}  // namespace podwright
