// File systems that hold data, with how full they are.
#include <algorithm>
#include <limits>

#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

// The table of mounts never hangs; asking a file system of a dead server does. So those that live on a
// network are asked side by side, each with a deadline of its own; one that does not answer lacks its
// line of sizes, and costs the others nothing. Some cannot even be killed: such a one is left behind
// with a pipe to a `cat` that ends in time, so that it holds nothing of ours open. One `stat` asks all
// local ones: it prints what df does, exactly and in one process.
// Left out: what the kernel makes up (proc, sysfs, cgroup…), and the mounts that container engines and
// systemd keep for their own use.
constexpr std::string_view script = R"sh(
command -v stat >/dev/null 2>&1 || { echo 'stat is not installed' >&2; exit 1; }
format='stat %b %f %a %S %c %d %n'
limit=; ! command -v timeout >/dev/null 2>&1 || limit=timeout
set --
while read -r source path type options rest; do
  case $type in
    proc|sysfs|devtmpfs|devpts|cgroup|cgroup2|securityfs|debugfs|tracefs|configfs|pstore|bpf|mqueue) continue ;;
    hugetlbfs|autofs|binfmt_misc|fusectl|efivarfs|rpc_pipefs|nfsd|nsfs|selinuxfs|smackfs|ramfs) continue ;;
    fuse.gvfsd-fuse|fuse.portal|fuse.lxcfs|resctrl|none|rootfs|swap|xenfs|cpuset|devfs) continue ;;
  esac
  case $path in
    /dev/shm) ;;
    /proc/*|/sys/*|/dev|/dev/*|/run/*|/var/lib/docker/*|/var/lib/containers/*|/var/lib/containerd/*) continue ;;
    /var/lib/kubelet/*) case $type in tmpfs|overlay) continue ;; esac ;;
  esac
  case $path in *\\*) p=$(printf '%b' "$path") ;; *) p=$path ;; esac
  case $type in
    nfs*|cifs|smb*|ceph|lustre|gpfs|beegfs*|gluster*|pvfs2|orangefs|afs|9p|wekafs|panfs|fuse|fuse.*|acfs|ncpfs)
      printf 'mount\t%s\t%s\t%s\t%s\n' "$path" "$source" "$type" "$options"
      if [ -z "$limit" ]; then
        printf 'unasked\t%s\n' "$path"
        continue
      fi
      {
        {
          $limit -s KILL 3 stat -f -c "$format" "$p"
          # A FUSE mount of a user's own refuses even root.
          case $?$type in 1fuse*) printf 'unasked\t%s\n' "$path" ;; esac
        } 2>/dev/null &
      } | $limit 4 cat & ;;
    *)
      [ ! -e "$p" ] || [ -d "$p" ] || continue  # a file, mounted onto another
      printf 'mount\t%s\t%s\t%s\t%s\n' "$path" "$source" "$type" "$options"
      set -- "$@" "$p" ;;
  esac
done </proc/self/mounts
[ $# = 0 ] || stat -f -c "$format" "$@" 2>/dev/null
wait
echo end
)sh";

Result<Mount> read_mount(const reading::Line& line) {
  const auto fields = reading::fields(line, 5);
  if (!fields) return fail(fields.error());
  const auto& f = *fields;
  auto path = reading::unescape_octal(f[1]);
  if (!path.starts_with('/')) return reading::malformed(line, "the path is not absolute");
  if (f[3].empty()) return reading::malformed(line, "has no type of file system");
  return Mount{.path = std::move(path),
               .source = reading::unescape_octal(f[2]),
               .fstype = std::string(f[3]),
               .options = std::string(f[4])};
}

struct Usage {
  std::string path;
  std::uint64_t bytes = 0;
  std::uint64_t free = 0;
  std::uint64_t available = 0;
  int inodes_used_percent = -1;
};

/// "stat BLOCKS FREE AVAILABLE BLOCKSIZE INODES FREE_INODES PATH"
Result<Usage> read_usage(const reading::Line& line) {
  std::uint64_t values[6] = {};
  auto rest = line.text.substr(5);
  for (auto& value : values) {
    const auto blank = rest.find(' ');
    if (blank == std::string_view::npos) return reading::malformed(line, "is not 'stat', six numbers and a path");
    const auto parsed = reading::number(line, rest.substr(0, blank), "a size", 0, std::numeric_limits<std::int64_t>::max());
    if (!parsed) return fail(parsed.error());
    value = static_cast<std::uint64_t>(*parsed);
    rest.remove_prefix(blank + 1);
  }
  const auto [blocks, free, available, size, inodes, free_inodes] = values;
  if (size != 0 && blocks > std::numeric_limits<std::uint64_t>::max() / size) {
    return reading::malformed(line, "the size is beyond all reason");
  }
  if (free > blocks || available > blocks || free_inodes > inodes) {
    return reading::malformed(line, "more is free than there is");
  }
  Usage usage{.path = std::string(rest), .bytes = blocks * size, .free = free * size, .available = available * size};
  if (inodes > 0) {
    const double used = static_cast<double>(inodes - free_inodes) / static_cast<double>(inodes);
    usage.inodes_used_percent = static_cast<int>(used * 100 + 0.999);
  }
  return usage;
}

Status parse_mounts(const Observed& observed, Facts& facts) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  std::map<std::string, Mount> mounts;  // a later mount hides the one below it
  std::vector<std::string> unasked;
  std::vector<Usage> usages;
  for (const auto& line : *lines) {
    if (line.text.starts_with("mount\t")) {
      auto mount = read_mount(line);
      if (!mount) return fail(mount.error());
      mounts[mount->path] = std::move(*mount);
    } else if (line.text.starts_with("unasked\t")) {
      const auto fields = reading::fields(line, 2);
      if (!fields) return fail(fields.error());
      unasked.push_back(reading::unescape_octal((*fields)[1]));
    } else if (line.text.starts_with("stat ")) {
      auto usage = read_usage(line);
      if (!usage) return fail(usage.error());
      usages.push_back(std::move(*usage));
    } else {
      return reading::malformed(line, "is neither a mount nor its size");
    }
  }
  for (auto& [path, mount] : mounts) mount.hung = true;  // until it answered
  for (const auto& path : unasked) {
    if (const auto found = mounts.find(path); found != mounts.end()) found->second.hung = false;
  }
  for (const auto& usage : usages) {
    const auto found = mounts.find(usage.path);
    if (found == mounts.end()) continue;
    auto& mount = found->second;
    mount.hung = false;
    mount.bytes = usage.bytes;
    mount.used_bytes = usage.bytes - usage.free;
    mount.available_bytes = usage.available;
    mount.inodes_used_percent = usage.inodes_used_percent;
  }
  facts.mounts.clear();
  for (auto& [path, mount] : mounts) facts.mounts.push_back(std::move(mount));
  return {};
}

const Registered probe{Probe{.id = "mounts",
                             .summary = "File systems that hold data: source, options, use, inodes",
                             .script = script,
                             .deadline = std::chrono::seconds(20),
                             .parse = parse_mounts}};

}  // namespace

}  // namespace podwright
