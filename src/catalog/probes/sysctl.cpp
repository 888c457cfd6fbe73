// Kernel parameters that training clusters care about: a fixed list, read from /proc/sys.
#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

#include <algorithm>

namespace podwright {

namespace {

// Numbers there answer only the first read: a shell, which reads a byte at a time, would see their first
// digit. grep reads all files as one process, and passes over what a kernel does not have.
constexpr std::string_view script = R"sh(
cd /proc/sys || exit 1
grep -s . /dev/null fs/aio-max-nr fs/file-max fs/inotify/max_user_instances fs/inotify/max_user_watches fs/nr_open \
  kernel/hung_task_timeout_secs kernel/io_uring_disabled kernel/keys/maxkeys kernel/msgmax \
  kernel/numa_balancing kernel/panic kernel/panic_on_oops kernel/perf_event_paranoid kernel/pid_max \
  kernel/sched_autogroup_enabled kernel/shmall kernel/shmmax kernel/shmmni kernel/sysrq \
  kernel/threads-max kernel/unprivileged_userns_clone kernel/yama/ptrace_scope \
  net/core/default_qdisc net/core/netdev_max_backlog net/core/optmem_max net/core/rmem_default \
  net/core/rmem_max net/core/somaxconn net/core/wmem_default net/core/wmem_max \
  net/ipv4/conf/all/arp_announce net/ipv4/conf/all/arp_filter net/ipv4/conf/all/arp_ignore \
  net/ipv4/conf/all/rp_filter net/ipv4/conf/default/arp_announce net/ipv4/conf/default/arp_filter \
  net/ipv4/conf/default/arp_ignore net/ipv4/conf/default/rp_filter net/ipv4/ip_forward \
  net/ipv4/ip_local_port_range net/ipv4/ip_local_reserved_ports net/ipv4/neigh/default/gc_thresh1 \
  net/ipv4/neigh/default/gc_thresh2 net/ipv4/neigh/default/gc_thresh3 \
  net/ipv4/tcp_congestion_control net/ipv4/tcp_ecn net/ipv4/tcp_max_syn_backlog \
  net/ipv4/tcp_mtu_probing net/ipv4/tcp_rmem net/ipv4/tcp_sack net/ipv4/tcp_slow_start_after_idle \
  net/ipv4/tcp_timestamps net/ipv4/tcp_window_scaling net/ipv4/tcp_wmem \
  net/ipv6/conf/all/disable_ipv6 net/ipv6/conf/default/disable_ipv6 \
  user/max_user_namespaces vm/compaction_proactiveness vm/dirty_background_bytes \
  vm/dirty_background_ratio vm/dirty_bytes vm/dirty_ratio vm/max_map_count vm/min_free_kbytes \
  vm/nr_hugepages vm/nr_overcommit_hugepages vm/overcommit_memory vm/overcommit_ratio vm/swappiness \
  vm/vfs_cache_pressure vm/watermark_scale_factor vm/zone_reclaim_mode
echo end
)sh";

Status parse_sysctl(const Observed& observed, Facts& facts) {
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  std::map<std::string, std::string> values;
  for (const auto& line : *lines) {
    const auto colon = line.text.find(':');
    const auto file = line.text.substr(0, colon);
    if (colon == std::string_view::npos || file.find('/') == std::string_view::npos) {
      return reading::malformed(line, "is not a file of /proc/sys");
    }
    std::string name(file);
    std::ranges::replace(name, '/', '.');
    // "4096\t131072\t6291456" and "4096 131072 6291456" are the same to sysctl.
    std::string value;
    for (const auto word : words(line.text.substr(colon + 1))) (value += value.empty() ? "" : " ") += word;
    values[name] = std::move(value);
  }
  facts.sysctl = std::move(values);
  return {};
}

const Registered probe{Probe{.id = "sysctl",
                             .summary = "Kernel parameters that matter to training",
                             .script = script,
                             .parse = parse_sysctl}};

}  // namespace

}  // namespace podwright
