# What the lab needs of this machine: tools, limits, cgroups, processes in the background.
#
# shellcheck shell=bash disable=SC2034,SC2154 # parts share names: shellcheck -x scripts/lab sees them all

# ---------------------------------------------------------------- limits

require_root() {
  ((EUID == 0)) || die "needs root, for network namespaces and containers" "sudo $0 …"
}

require_tools() {
  local tool missing=()
  for tool in debootstrap systemd-nspawn ip tc nsenter unshare setsid flock ssh ssh-keygen socat \
    apt-cacher-ng pgrep; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  ((${#missing[@]} == 0)) || die "missing here: ${missing[*]}" "run scripts/deps lab"
  find_cgroup_roots
  ((${#CGROUP_ROOTS[@]} > 0)) || die "no cgroup hierarchy is mounted at /sys/fs/cgroup" \
    "mount -t cgroup2 none /sys/fs/cgroup"
}

# Limits of the whole machine that many nodes run into, all of them silently.
raise_limits() {
  raise_limit fs.inotify.max_user_instances 8192            # 128 is enough for 18 systemds
  local neighbours=$((COUNT * COUNT * 2))                   # one table for all namespaces
  raise_limit net.ipv4.neigh.default.gc_thresh3 "$neighbours"
  raise_limit net.ipv4.neigh.default.gc_thresh2 $((neighbours / 2))
}

# Nodes send as Debian's kernel does by itself. With bbr, which a machine may have for the internet, every packet
# costs a timer; in a namespace it takes what this machine allows.
CONGESTION_CONTROL=cubic
allow_congestion_control() {
  local folder=/proc/sys/net/ipv4
  [[ " $(<$folder/tcp_available_congestion_control) " == *" $CONGESTION_CONTROL "* ]] || return 0
  [[ " $(<$folder/tcp_allowed_congestion_control) " != *" $CONGESTION_CONTROL "* ]] || return 0
  say "sysctl net.ipv4.tcp_allowed_congestion_control: and $CONGESTION_CONTROL (nodes send as Debian does)"
  echo "$(<$folder/tcp_allowed_congestion_control) $CONGESTION_CONTROL" >$folder/tcp_allowed_congestion_control ||
    say "could not allow it: nodes send as this machine does"
}

raise_limit() { # SYSCTL WANTED
  local file=/proc/sys/${1//.//} now
  now=$(cat "$file" 2>/dev/null) || return 0
  ((now < $2)) || return 0
  say "sysctl $1: $now -> $2 (that many nodes need it)"
  echo "$2" >"$file" || say "could not raise $1: nodes may fail to boot"
}

# ---------------------------------------------------------------- cgroups

# cgroup v1 has one hierarchy per controller; a lab's processes need a place of their own in each.
find_cgroup_roots() {
  CGROUP_ROOTS=()
  local folder
  if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
    CGROUP_ROOTS=(/sys/fs/cgroup)
    return
  fi
  for folder in /sys/fs/cgroup/*/; do
    folder=${folder%/}
    [[ -L $folder || ! -e $folder/cgroup.procs ]] || CGROUP_ROOTS+=("$folder") # links are aliases
  done
}

cgroup_make() { # PATH
  local root part parent file
  for root in "${CGROUP_ROOTS[@]}"; do
    parent=$root
    for part in ${1//\// }; do
      # v2 hands controllers down one level at a time
      if [[ -e $parent/cgroup.subtree_control ]]; then
        for file in $(<"$parent/cgroup.controllers"); do
          echo "+$file" 2>/dev/null >"$parent/cgroup.subtree_control" || true
        done
      fi
      mkdir -p "$parent/$part"
      # a v1 cpuset is born empty, and refuses processes until it has CPUs and memory
      for file in cpuset.cpus cpuset.mems; do
        [[ -e $parent/$part/$file && -e $parent/$file && -z $(<"$parent/$part/$file") ]] || continue
        cat "$parent/$file" >"$parent/$part/$file"
      done
      parent=$parent/$part
    done
  done
}

cgroup_enter() { # PATH: moves the calling (sub)shell
  local root
  for root in "${CGROUP_ROOTS[@]}"; do
    echo "$BASHPID" >"$root/$1/cgroup.procs"
  done
}

cgroup_pids() { # PATH: all processes in it and below
  local root=${CGROUP_ROOTS[0]}
  [[ -d $root/$1 ]] || return 0
  find "$root/$1" -name cgroup.procs -exec cat {} + 2>/dev/null || true
}

# Ends all processes of a cgroup at once, as a power cut does. Fresh forks are why it looks again.
cgroup_kill() { # PATH
  local pids tries
  for ((tries = 0; tries < 200; tries++)); do
    pids=$(cgroup_pids "$1")
    [[ -n $pids ]] || return 0
    # shellcheck disable=SC2086 # one word per process
    kill -KILL $pids 2>/dev/null || true
    sleep 0.05
  done
  say "processes that do not die: ${pids//$'\n'/ }"
}

cgroup_remove() { # PATH
  local root tries
  for root in "${CGROUP_ROOTS[@]}"; do
    for ((tries = 0; tries < 40; tries++)); do # busy for a moment after the last process died
      [[ -d $root/$1 ]] || break
      find "$root/$1" -depth -type d -exec rmdir {} + 2>/dev/null && break
      sleep 0.05
    done
  done
}

# ---------------------------------------------------------------- processes

# Starts CMD free of this shell: own session and cgroup, none of our descriptors.
detach() { # CGROUP LOG CMD…
  local cgroup=$1 log=$2
  shift 2
  (
    cgroup_enter "$cgroup"
    cd /
    exec setsid "$@" </dev/null >>"$log" 2>&1 9>&-
  ) &
}

wait_until() { # SECONDS CMD…
  local deadline=$((SECONDS + $1 + 1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}
