// [[nfs_export]]: a folder that this node's NFS server gives to others. Each has a file of its own in
// /etc/exports.d, so that one can be taken back without touching another.
#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/resources/file_state.hpp"

namespace podwright {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '/';
}

/// As exports(5) and etab write a path: what is not plain as octal codes.
std::string escaped(std::string_view path) {
  std::string all;
  for (const char c : path) {
    if (is_plain(c) || c == '-' || c == '+' || c == ':' || c == '@') all += c;
    else all += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
  }
  return all;
}

/// As systemd names units after paths, so that no two paths share a file.
std::string exports_file(std::string_view path) {
  std::string name;
  for (const char c : path.substr(1)) {
    if (c == '/') name += '-';
    else if (is_plain(c)) name += c;
    else name += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return fmt::format("/etc/exports.d/podwright-{}.exports", name);
}

/// "10.0.0.0/8(rw,sync)" -> "10.0.0.0/8"
std::string host_of(std::string_view client) {
  return std::string(client.substr(0, client.find('(')));
}

WantedFile file_of(const Wanted& wanted) {
  return {.path = exports_file(wanted.name),
          .content = fmt::format("{} {}\n", escaped(wanted.name), join(wanted.list("clients"), " ")),
          .parents = true};
}

// etab is what the server was told: exportfs writes it. An exports file that is newer was not taken up.
std::string probe(const Wanted& wanted, const Facts&) {
  const auto file = file_of(wanted);
  return sh::assign("p", escaped(wanted.name)) + sh::assign("f", file.path) + R"sh(
if command -v exportfs >/dev/null 2>&1; then echo 'server yes'; else echo 'server no'; fi
e=/var/lib/nfs/etab
if [ -r "$e" ]; then
  while read -r path client; do
    if [ "$path" = "$p" ]; then printf 'export:%s yes\n' "${client%%(*}"; fi
  done <"$e"
fi
if [ -e "$f" ] && [ -n "$(find "$f" -newer "$e" 2>/dev/null)" ]; then echo 'stale yes'; fi
)sh" + file_probe(file.path, Content::unless_same, sha256_hex(file.content));
}

Status check_client(const Wanted& wanted, const std::string& client) {
  const auto open = client.find('(');
  const bool closed = open != std::string::npos && client.back() == ')' &&
                      client.find(')') == client.size() - 1 && client.find('(', open + 1) == std::string::npos;
  const bool bare = open == std::string::npos && client.find(')') == std::string::npos;
  if (!client.empty() && open != 0 && (closed || bare) &&
      client.find_first_of(" \t\n\"\\#") == std::string::npos) {
    return {};
  }
  return refuse(wanted, "clients", fmt::format("'{}' is not a client", client),
                "a host, a network or *, and options without blanks: 10.0.0.0/8(rw,sync,no_subtree_check)");
}

constexpr const char* reexport = R"sh(
command -v exportfs >/dev/null 2>&1 || {
  echo 'there is no exportfs: declare the package nfs-kernel-server (Debian, Ubuntu, SUSE) or nfs-utils before it' >&2
  exit 1
}
out=$(exportfs -r -a 2>&1)
status=$?
[ -z "$out" ] || printf '%s\n' "$out"
if [ "$status" != 0 ]; then
  # One bad file would stand in the way of all the others.
  if [ -n "$kept" ]; then cat "$kept" >"$f"; else rm -f "$f"; fi
  exportfs -r -a
  echo 'exportfs refused the exports; they are what they were before' >&2
  exit 1
fi
)sh";

constexpr const char* keep = R"sh(
kept=
if [ -f "$f" ]; then
  kept=$(mktemp) || exit
  trap 'rm -f "$kept"' EXIT
  cat "$f" >"$kept" || exit
fi
)sh";

Result<std::vector<Step>> plan(const Wanted& wanted, const Observed& observed, const PlanContext&) {
  const auto path = wanted_path(wanted);
  if (!path) return fail(path.error());
  const bool absent = wanted.text("state") == "absent";
  const auto clients = wanted.list("clients");
  if (!absent && clients.empty()) {
    return refuse(wanted, "clients", fmt::format("{} is exported to nobody", *path),
                  "give clients = [\"10.0.0.0/8(rw,sync,no_subtree_check)\"]");
  }
  for (const auto& client : clients) {
    if (const auto fine = check_client(wanted, client); !fine) return fail(fine.error());
  }
  const auto reading = read(wanted, observed);
  if (!reading) return fail(reading.error());
  const auto file = file_of(wanted);
  auto change = absent ? remove_file(file.path, file_state(*reading))
                       : change_file(file, file_state(*reading));
  if (!change) return steps_for(wanted, std::move(change));

  std::vector<std::string> reasons;
  if (*change) reasons.push_back((*change)->why);
  std::vector<std::string> missing;
  for (const auto& client : clients) {
    if ((*reading)[fmt::format("export:{}", host_of(client))] != "yes") missing.push_back(host_of(client));
  }
  if (!absent && !missing.empty()) {
    reasons.push_back(fmt::format("{} is not exported to {}", *path, human_list(missing)));
  } else if (!absent && !*change && (*reading)["stale"] == "yes") {
    reasons.push_back(file.path + " is newer than what the server was told");
  }
  if (reasons.empty()) return std::vector<Step>{};

  auto step = step_for(wanted, absent ? "remove" : "export", join(reasons, "; "));
  if (!absent) {
    step.script = sh::assign("p", *path) +
                  "[ -d \"$p\" ] || { printf 'there is no folder %s to export: declare it as a "
                  "directory before\\n' \"$p\" >&2; exit 1; }\n";
  }
  step.script += sh::assign("f", file.path) + keep;
  if (*change) {
    step.diff = (*change)->diff;
    step.script += fmt::format("(\n{}) || exit\n", (*change)->script);
  }
  // A server that was uninstalled has nothing to take back.
  step.script += absent && (*reading)["server"] != "yes" ? "" : reexport;
  step.undo = {.paths = {file.path},
               .restore = "if command -v exportfs >/dev/null 2>&1; then exportfs -r -a; fi\n"};
  step.deadline = std::chrono::seconds(60);
  return std::vector{step};
}

std::string nothing(const Wanted&, const Facts&) { return "server yes\ntype absent\n"; }

const Registered nfs_export{ResourceKind{
    .table = "nfs_export",
    .key = "path",
    .summary = "A folder that this node's NFS server gives to others",
    .fields =
        {
            {.name = "path", .required = true, .doc = "Absolute path of the folder, which must exist"},
            {.name = "clients",
             .type = FieldType::list,
             .doc = "Who gets it and how, as in exports(5): "
                    "[\"10.0.0.0/8(rw,sync,no_subtree_check)\"]. Required unless absent"},
            {.name = "state",
             .doc = "absent takes the export back; the folder stays. Default: present",
             .choices = {"present", "absent"}},
        },
    .probe = probe,
    .plan = plan,
    .nothing = nothing,
}};

}  // namespace
}  // namespace podwright
