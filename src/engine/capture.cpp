#include "engine/capture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "engine/fan_out.hpp"
#include "engine/gather.hpp"
#include "engine/toml_writer.hpp"

namespace podwright {

namespace {

// --- reading the node -------------------------------------------------------------------------------

// What is marked as asked for, what is there in any case, and who needs whom: an installer marks all that it
// lays down as asked for, so that the mark alone says little.
constexpr std::string_view kPackages = R"sh(
if command -v apt-mark >/dev/null 2>&1; then
  apt-mark showmanual | sed 's/:.*//; s/^/manual /'
  dpkg-query -W -f '${Essential} ${Priority} ${Package}\n' | sed -n 's/^yes [a-z]* /root /p; s/^no required /root /p'
  dpkg-query -W -f '${Package} ${Pre-Depends}, ${Depends}\n' | sed 's/([^)]*)//g; s/:[a-z0-9]*//g; s/[,|]/ /g; s/^/needs /'
elif command -v dnf >/dev/null 2>&1; then
  dnf -q --cacheonly repoquery --userinstalled --qf '%{name}' | sed 's/^/manual /'
else
  echo 'neither apt-mark nor dnf is here' >&2
  exit 1
fi
)sh";

// Configuration that is not as a package brought it, or that no package brought: both as the package database
// says. uniq -u leaves what is printed once: packages' files are printed twice.
constexpr std::string_view kFiles = R"sh(
changed() {
  if command -v dpkg-query >/dev/null 2>&1; then
    dpkg-query -W -f '${Conffiles}\n' | sed -n 's|^ \(/[^ ]*\) \([0-9a-f]\{32\}\)$|\2  \1|p' |
      md5sum -c --quiet 2>/dev/null | sed -n 's/: FAILED$//p'
  else
    rpm -Va --nodeps --noscripts 2>/dev/null | sed -n 's|^..5......  c \(/etc/.*\)|\1|p'
  fi
}
owned() {
  if command -v dpkg-query >/dev/null 2>&1; then
    cat /var/lib/dpkg/info/*.list
    dpkg-query -W -f '${Conffiles}\n' | sed -n 's|^ \(/[^ ]*\) .*|\1|p'
  else
    rpm -qal
  fi | grep -E '^/(etc|usr/local)/' | sort -u
}
unowned() {
  { owned; owned; find /etc /usr/local/bin /usr/local/sbin /usr/local/etc -xdev -type f 2>/dev/null; } | sort | uniq -u
}
{ changed; unowned; } | sort -u | while IFS= read -r f; do
  case $f in
    *[!A-Za-z0-9_./@+:~-]* | *~ | *.dpkg-* | *.rpmnew | *.rpmsave | *.ucf-* | *- | *.bak) continue ;;
    /etc/passwd | /etc/group | /etc/shadow | /etc/gshadow | /etc/subuid | /etc/subgid) continue ;;
    /etc/machine-id | /etc/hostname | /etc/hosts | /etc/resolv.conf | /etc/ld.so.cache | /etc/adjtime) continue ;;
    /etc/fstab | /etc/mtab | /etc/.* | /etc/timezone | /etc/ssh/ssh_host_* | /etc/ssh/ssh_known_hosts) continue ;;
    /etc/ssl/certs/* | /etc/pki/ca-trust/extracted/* | /etc/ca-certificates.conf | /etc/pam.d/common-*) continue ;;
    /etc/network/* | /etc/netplan/* | /etc/NetworkManager/system-connections/* | /etc/systemd/network/*) continue ;;
    /etc/apt/trusted.gpg* | /etc/udev/hwdb.bin | /etc/podwright/* | /etc/security/opasswd) continue ;;
  esac
  [ -f "$f" ] && [ ! -L "$f" ] || continue
  s=$(stat -c '%U %G %a %Y %s' "$f") || continue
  echo "file $f $s"
  set -- $s
  case $3 in *0) continue ;; esac
  [ "$5" -le 65536 ] || continue
  base64 <"$f"
done
)sh";

constexpr std::string_view kServices = R"sh(
systemctl list-unit-files --type=service --no-legend --no-pager | while read -r u state preset rest; do
  case $u in *@* | systemd-* | getty* | dbus* | ssh.service | sshd.service | networking.service | emergency* | rescue*) continue ;; esac
  case $state in enabled | disabled) ;; *) continue ;; esac
  a=$(systemctl show -p ActiveState --value "$u")
  t=$(systemctl show -p ActiveEnterTimestamp --value "$u")
  s=0
  [ -z "$t" ] || s=$(date -d "$t" +%s)
  echo "$u $state ${preset:--} $a $s"
done
)sh";

constexpr std::string_view kAccounts = R"sh(
getent group | while IFS=: read -r n p g m; do [ "$g" -lt 1000 ] || [ "$g" -ge 60000 ] || echo "group $n $g"; done
getent passwd | while IFS=: read -r n p u g c h s; do
  [ "$u" -ge 1000 ] && [ "$u" -lt 60000 ] || continue
  d=no; [ ! -d "$h" ] || d=yes
  echo "user $n $u $(id -gn "$n") $h $s $d $(id -Gn "$n" | tr ' ' ',')"
  [ ! -r "$h/.ssh/authorized_keys" ] || sed -n 's/^\(ssh-\|ecdsa-\|sk-\)/key '"$n"' \1/p' "$h/.ssh/authorized_keys"
done
)sh";

constexpr std::string_view kSystem = R"sh(
z=$(readlink -f /etc/localtime 2>/dev/null) && case $z in */zoneinfo/*) echo "zone ${z#*/zoneinfo/}" ;; esac
while read -r source path type options rest; do
  case $source in '#'* | '') continue ;; esac
  case $type in nfs | nfs4 | lustre | cephfs | cifs) ;; *) continue ;; esac
  now=present
  while read -r s p r; do [ "$p" != "$path" ] || now=mounted; done </proc/mounts
  echo "mount $path $source $type $options $now"
done </etc/fstab
cat /etc/sysctl.conf /etc/sysctl.d/*.conf 2>/dev/null | sed -n 's/^[ -]*\([a-z][A-Za-z0-9_./-]*\)[ \t]*=.*/\1/p' | sort -u |
  while read -r k; do
    v=$(cat "/proc/sys/$(echo "$k" | tr . /)" 2>/dev/null) && printf 'sysctl %s %s\n' "$k" "$(echo "$v" | tr '\t' ' ')"
  done
)sh";

// --- what it is made of -------------------------------------------------------------------------------

struct File {
  std::string path, owner, group, mode;
  std::int64_t changed = 0;  ///< epoch
  std::int64_t size = 0;
  std::optional<std::string> content;
  /// Not everybody may read it.
  [[nodiscard]] bool is_private() const { return mode.ends_with('0'); }
};

std::vector<File> files_of(const std::string& output) {
  std::vector<File> files;
  std::string base64;
  const auto finish = [&] {
    if (files.empty() || base64.empty()) return;
    auto content = base64_decode(base64);
    // A text that was cut on its way is worse than none.
    if (content && std::cmp_equal(content->size(), files.back().size)) files.back().content = std::move(*content);
    base64.clear();
  };
  for (const auto line : lines(output)) {
    if (!line.starts_with("file ")) {
      base64 += line;
      continue;
    }
    finish();
    const auto parts = words(line);
    if (parts.size() != 7) continue;
    files.push_back({.path = std::string(parts[1]), .owner = std::string(parts[2]), .group = std::string(parts[3]),
                     .mode = "0" + std::string(parts[4]), .changed = to_int(parts[5]).value_or(0),
                     .size = to_int(parts[6]).value_or(-1), .content = {}});
    if (files.back().size == 0) files.back().content = std::string{};
  }
  finish();
  return files;
}

/// The packages that bring all others with them: one that another needs, or that is there in any case, is left
/// out. Of those that need each other one stays.
std::vector<std::string> asked_for(const std::string& output) {
  std::set<std::string> manual;
  std::set<std::string> roots;
  std::map<std::string, std::vector<std::string>> needs;
  for (const auto line : lines(output)) {
    const auto parts = words(line);
    if (parts.size() < 2) continue;
    const std::string name(parts[1]);
    if (parts[0] == "manual") manual.insert(name);
    if (parts[0] == "root") roots.insert(name);
    if (parts[0] == "needs") needs[name].assign(parts.begin() + 2, parts.end());
  }
  const auto comes_without = [&](const std::string& package) {
    std::set<std::string> seen = roots;
    for (const auto& one : manual) {
      if (one != package) seen.insert(one);
    }
    std::vector<std::string> open(seen.begin(), seen.end());
    while (!open.empty()) {
      const auto one = std::move(open.back());
      open.pop_back();
      if (one == package) return true;
      for (const auto& needed : needs[one]) {
        if (needed == package) return true;
        if (seen.insert(needed).second) open.push_back(needed);
      }
    }
    return false;
  };
  std::vector<std::string> candidates(manual.begin(), manual.end());
  for (const auto& package : candidates) {
    if (comes_without(package)) manual.erase(package);
  }
  return {manual.begin(), manual.end()};
}

/// Whether a service is likely to read a file: /etc/chrony/chrony.conf and /etc/default/chrony are chronyd's
/// and chrony's.
bool is_read_by(const std::string& service, const std::string& path) {
  auto rest = std::string_view(path).substr(std::string_view("/etc/").size() < path.size() ? 5 : 0);
  if (rest.starts_with("default/")) return rest.substr(8) == service;
  const auto first = rest.substr(0, rest.find_first_of("/."));
  return first.size() >= 3 && (service.starts_with(first) || first.starts_with(service));
}

// --- writing the profile --------------------------------------------------------------------------------

class Capture {
 public:
  Capture(const Facts& facts, std::string name, std::vector<File> files)
      : facts_(facts), name_(std::move(name)), files_(std::move(files)) {}

  void head() {
    const auto version = facts_.os.version;
    out_.plain(fmt::format("# Captured from the node {}. It plans to nothing there, and makes an empty node like it.\n"
                           "# Read it before it is used: what is particular to that node does not belong here.\n"
                           "[profile]\n",
                           facts_.node));
    out_.field("name", name_);
    out_.field("summary", fmt::format("Captured from {} ({})", facts_.node, facts_.os.name));
    out_.raw("requires", fmt::format("{{ os = [{}], arch = [{}] }}", TomlWriter::quoted(facts_.os.id + " " + version),
                                     TomlWriter::quoted(facts_.arch)));
  }

  void packages(const std::string& output) {
    files("repositories, before what comes from them", [](const File& file) { return file.path.starts_with("/etc/apt/") || file.path.starts_with("/etc/yum.repos.d/"); });
    out_.comment("packages that somebody asked for, at the versions that are there");
    for (const auto& name : asked_for(output)) {
      const auto version = facts_.packages.find(name);
      if (version == facts_.packages.end()) continue;
      out_.table("package");
      out_.field("name", version->first);
      out_.field("version", version->second);
    }
  }

  void accounts(const std::string& output) {
    out_.comment("accounts");
    std::map<std::string, std::string> keys;
    for (const auto line : lines(output)) {
      const auto parts = words(line);
      if (line.starts_with("group ") && parts.size() == 3) {
        out_.table("group");
        out_.field("name", std::string(parts[1]));
        out_.raw("gid", parts[2]);
      } else if (line.starts_with("user ") && parts.size() == 8) {
        user(parts);
      } else if (line.starts_with("key ") && parts.size() >= 4) {
        keys[std::string(parts[1])] += std::string(line.substr(5 + parts[1].size())) + "\n";
      }
    }
    for (const auto& [user, text] : keys) {
      out_.table("authorized_key");
      out_.field("user", user);
      out_.field("key", text);
    }
  }

  void configuration(const std::string& system) {
    files("files that no package brought, or not like this", [&](const File& file) { return !done_.contains(file.path) && !is_unit(file) && !own_sysctl(file); });
    for (const auto& file : files_) {
      if (done_.contains(file.path) || !is_unit(file) || !may_take(file)) continue;
      out_.table("unit");
      out_.field("name", file.path.substr(unit_folder.size()));
      source(file);
      done_.insert(file.path);
    }
    settings(system);
  }

  void services(const std::string& output) {
    out_.comment("services");
    for (const auto line : lines(output)) {
      const auto parts = words(line);
      if (parts.size() != 5) continue;
      const auto name = std::string(parts[0].substr(0, parts[0].rfind('.')));
      const bool enabled = parts[1] == "enabled";
      if (!enabled && parts[2] != "enabled") continue;
      if (enabled && parts[3] != "active") continue;
      out_.table("service");
      out_.field("name", name);
      out_.field("state", enabled ? "started" : "stopped");
      out_.raw("enabled", enabled ? "true" : "false");
      if (enabled) restarts(name, to_int(parts[4]).value_or(0));
    }
  }

  CapturedProfile finish() {
    if (!left_out_.empty()) {
      out_.comment("left out");
      for (const auto& one : left_out_) out_.plain("# " + one + "\n");
    }
    return {.toml = out_.take(), .files = std::move(sources_), .left_out = std::move(left_out_)};
  }

 private:
  static constexpr std::string_view unit_folder = "/etc/systemd/system/";

  static bool is_unit(const File& file) { return file.path.starts_with(unit_folder); }
  static bool own_sysctl(const File& file) { return file.path.starts_with("/etc/sysctl.d/60-podwright-"); }

  bool may_take(const File& file) {
    if (file.is_private()) {
      left_out_.push_back(fmt::format("{}: not everybody may read it, so it may hold a secret; make it a [[secret]]", file.path));
    } else if (!file.content) {
      left_out_.push_back(fmt::format("{}: too large to be configuration ({})", file.path, human_bytes(static_cast<std::uint64_t>(std::max<std::int64_t>(file.size, 0)))));
    } else if (!is_utf8(*file.content) || file.content->find('\0') != std::string::npos) {
      left_out_.push_back(fmt::format("{}: not a text; bring it in an [[archive]]", file.path));
    } else {
      return true;
    }
    done_.insert(file.path);
    return false;
  }

  void source(const File& file) {
    const auto path = name_ + ".files" + file.path;
    sources_[path] = *file.content;
    out_.field("source", path);
  }

  template <class Chosen>
  void files(std::string_view title, Chosen chosen) {
    out_.comment(title);
    for (const auto& file : files_) {
      if (!chosen(file) || !may_take(file)) continue;
      out_.table("file");
      out_.field("path", file.path);
      source(file);
      if (file.owner != "root") out_.field("owner", file.owner);
      if (file.group != "root") out_.field("group", file.group);
      if (file.mode != "0644") out_.field("mode", file.mode);
      out_.raw("parents", "true");
      done_.insert(file.path);
    }
  }

  void user(const std::vector<std::string_view>& parts) {
    out_.table("user");
    out_.field("name", std::string(parts[1]));
    out_.raw("uid", parts[2]);
    out_.field("group", std::string(parts[3]));
    std::vector<std::string> groups;
    for (const auto group : split(parts[7], ',')) {
      if (group != parts[3]) groups.emplace_back(group);
    }
    if (!groups.empty()) out_.list("groups", groups);
    out_.field("home", std::string(parts[4]));
    out_.field("shell", std::string(parts[5]));
    if (parts[6] == "no") out_.raw("create_home", "false");
  }

  /// Time zone, remote file systems, and the kernel settings of the files: those have to be applied, too.
  void settings(const std::string& output) {
    std::map<std::string, std::string> running;
    for (const auto line : lines(output)) {
      const auto parts = words(line);
      if (line.starts_with("sysctl ") && parts.size() >= 3) {
        running[std::string(parts[1])] = std::string(trim(line.substr(8 + parts[1].size())));
      }
    }
    out_.comment("kernel settings");
    std::string sign;
    for (const auto& file : files_) {
      if (!file.content || !(file.path.starts_with("/etc/sysctl.d/") || file.path == "/etc/sysctl.conf")) continue;
      for (const auto& [key, value] : assignments(*file.content)) setting(file, key, value, running, sign);
    }
    if (!sign.empty()) {
      out_.table("command");
      out_.field("name", "apply the kernel settings of the files");
      // Not --system: it also takes up files of packages, which a container may not all set.
      out_.field("run", "sysctl -q -p " + sh::join(applied_));
      out_.field("unless", sign);
    }
    out_.comment("time zone and remote file systems");
    for (const auto line : lines(output)) {
      const auto parts = words(line);
      if (line.starts_with("zone ") && parts.size() == 2) {
        out_.table("timezone");
        out_.field("name", std::string(parts[1]));
      } else if (line.starts_with("mount ") && parts.size() == 6) {
        out_.table("mount");
        out_.field("path", std::string(parts[1]));
        out_.field("source", std::string(parts[2]));
        out_.field("fstype", std::string(parts[3]));
        out_.field("options", std::string(parts[4]));
        out_.field("state", std::string(parts[5]));
      }
    }
  }

  static std::vector<std::pair<std::string, std::string>> assignments(const std::string& text) {
    std::vector<std::pair<std::string, std::string>> all;
    for (const auto line : lines(text)) {
      const auto plain = trim(line);
      const auto equals = plain.find('=');
      if (plain.empty() || plain.front() == '#' || plain.front() == ';' || equals == std::string_view::npos) continue;
      auto key = trim(plain.substr(0, equals));
      if (key.starts_with('-')) key = trim(key.substr(1));
      std::string value;
      for (const auto word : words(plain.substr(equals + 1))) value += (value.empty() ? "" : " ") + std::string(word);
      all.emplace_back(key, value);
    }
    return all;
  }

  void setting(const File& file, const std::string& key, const std::string& value,
               const std::map<std::string, std::string>& running, std::string& sign) {
    const auto now = running.find(key);
    if (own_sysctl(file)) {
      out_.table("sysctl");
      out_.field("key", key);
      out_.field("value", value);
      if (now == running.end() || now->second != value) out_.field("runtime", "best-effort");
      done_.insert(file.path);
    } else if (now == running.end() || now->second != value) {
      left_out_.push_back(fmt::format("{}: {} is {} in {} and {} in the kernel; only the file is taken", facts_.node, key,
                                      value, file.path, now == running.end() ? "not there" : now->second));
    } else {
      if (applied_.empty() || applied_.back() != file.path) applied_.push_back(file.path);
      sign += fmt::format("{}test \"$(sysctl -n {} | tr '\\t' ' ')\" = {}", sign.empty() ? "" : " && ", sh::quote(key),
                          sh::quote(value));
    }
  }

  /// Of the files that are the service's by name: those that it has taken up.
  void restarts(const std::string& name, std::int64_t since) {
    std::vector<std::string> ids;
    for (const auto& file : files_) {
      if (!done_.contains(file.path) || !file.content || file.is_private() || !is_read_by(name, file.path)) continue;
      if (file.changed > since) {
        left_out_.push_back(fmt::format("{}: has run since before {} changed; restart it, and capture again", name, file.path));
        continue;
      }
      ids.push_back(is_unit(file) ? "unit/" + file.path.substr(unit_folder.size()) : "file/" + file.path);
    }
    for (const auto& file : files_) {
      if (file.path == fmt::format("{}{}.service", unit_folder, name) && file.changed <= since) ids.push_back("unit/" + name + ".service");
    }
    if (!ids.empty()) out_.list("restart_on", ids);
  }

  const Facts& facts_;
  std::string name_;
  std::vector<File> files_;
  std::set<std::string> done_;
  std::map<std::string, std::string> sources_;
  std::vector<std::string> left_out_;
  std::vector<std::string> applied_;  ///< files of kernel settings that are in force
  TomlWriter out_;
};

}  // namespace

std::map<std::string, std::string> capture_scripts() {
  return {{"packages", std::string(kPackages)},
          {"files", std::string(kFiles)},
          {"services", std::string(kServices)},
          {"accounts", std::string(kAccounts)},
          {"system", std::string(kSystem)}};
}

Result<CapturedProfile> captured_profile(const Facts& facts, const std::map<std::string, Observed>& parts,
                                         const std::string& name) {
  for (const auto& [part, script] : capture_scripts()) {
    const auto output = parts.find(part);
    const bool read = output != parts.end() && output->second.exit_status == 0 && !output->second.timed_out;
    if (read) continue;
    return fail({.fault = Fault::remote,
                 .what = fmt::format("its {} could not be read{}", part,
                                     output == parts.end() ? "" : ": " + std::string(trim(output->second.err))),
                 .node = facts.node,
                 .hint = "capture knows nodes with apt or dnf, run by systemd"});
  }
  Capture capture(facts, name, files_of(parts.at("files").out));
  capture.head();
  capture.packages(parts.at("packages").out);
  capture.accounts(parts.at("accounts").out);
  capture.configuration(parts.at("system").out);
  capture.services(parts.at("services").out);
  return capture.finish();
}

Result<CapturedProfile> capture_profile(Site& site, const NodeId& node, const std::string& name) {
  auto gathered = sort_out(gather_facts(site));
  if (const auto failed = gathered.failed.find(node); failed != gathered.failed.end()) return fail(failed->second);
  FramedScript script("capture of " + node);
  std::map<std::string, std::size_t> frames;
  for (const auto& [part, text] : capture_scripts()) {
    frames[part] = script.add({.comment = part, .script = text, .deadline = std::chrono::seconds(120)});
  }
  const auto results = run_framed(site, {{node, std::move(script)}}, "capture");
  const auto& result = results.at(node);
  if (result.error) return fail(*result.error);
  std::map<std::string, Observed> parts;
  for (const auto& [part, frame] : frames) {
    if (const auto found = result.frames.find(frame); found != result.frames.end()) parts[part] = found->second;
  }
  return captured_profile(gathered.facts.at(node), parts, name);
}

}  // namespace podwright
