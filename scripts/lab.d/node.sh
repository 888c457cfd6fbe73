# A node: its disk, what it differs in from a real machine, and its life.
#
# shellcheck shell=bash disable=SC2034,SC2154 # parts share names: shellcheck -x scripts/lab sees them all

# ---------------------------------------------------------------- a node's disk

ensure_disk() { # NODE
  local node=$1 home=$RUN/$1 upper=$RUN/$1/upper
  [[ ! -e $home/made ]] || return 0
  rm -rf --one-file-system "$home"
  mkdir -p "$home"/{work,root} "$upper"/{etc/ssh,etc/apt,root/.ssh}
  echo "$node" >"$upper/etc/hostname"
  printf '%s\n' '127.0.0.1 localhost' "127.0.1.1 $node" >"$upper/etc/hosts"
  tr -d - </proc/sys/kernel/random/uuid >"$upper/etc/machine-id"
  ssh-keygen -q -t ed25519 -N '' -C "$node" -f "$upper/etc/ssh/ssh_host_ed25519_key"
  chmod 700 "$upper/root" "$upper/root/.ssh"
  cp "$DIR/id_ed25519.pub" "$upper/root/.ssh/authorized_keys"
  cp "$RUN/sources.list" "$upper/etc/apt/sources.list"
  lab_shims "$upper"
  touch "$home/made"
}

# Everything that makes these machines differ from real ones, in one place, but for the banner that build_base
# leaves out. None of it belongs in podwright.
lab_shims() { # FOLDER
  local folder=$1
  local units=$folder/etc/systemd/system library=$folder/usr/local/lib/podwright-lab
  mkdir -p "$units"/{sysinit.target.wants,chrony.service.d} "$library" "$folder"/etc/apt/apt.conf.d

  # A container gets these read-only. Slurm confines jobs with cgroup v1 controllers (a plain remount is
  # refused as busy, a bind remount is not); and net.* is the node's own, so it may set it.
  cat >"$library/boot" <<'END'
#!/bin/sh
for controller in cpu cpuacct cpuset memory devices freezer; do
  mount -o remount,bind,rw "/sys/fs/cgroup/$controller" 2>/dev/null
done
mount --bind /proc/sys/net /proc/sys/net && mount -o remount,bind,rw /proc/sys/net
exit 0
END
  chmod 755 "$library/boot"
  cat >"$units/podwright-lab.service" <<'END'
[Unit]
Description=podwright lab: what a container may write to
DefaultDependencies=no
Before=sysinit.target systemd-sysctl.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/podwright-lab/boot
END
  ln -sf ../podwright-lab.service "$units/sysinit.target.wants/"

  # A container may not set the clock, which is the host's: chrony runs, serves and measures, but leaves
  # the clock alone (-x). As a drop-in, so that installing the package finds its own files untouched.
  echo 'DAEMON_OPTS="-F 1 -x"' >"$library/chrony.env"
  cat >"$units/chrony.service.d/podwright-lab.conf" <<'END'
[Unit]
ConditionCapability=
[Service]
EnvironmentFile=/usr/local/lib/podwright-lab/chrony.env
END

  # Nobody logs in on the console; and nothing takes dpkg's lock at a random hour.
  local unit
  for unit in console-getty.service apt-daily.timer apt-daily-upgrade.timer; do
    ln -sf /dev/null "$units/$unit"
  done

  cp "$RUN/apt.conf" "$folder/etc/apt/apt.conf.d/01podwright-lab"
}

# What lab_shims and ensure_disk copy into every node about packages.
write_apt_files() {
  local uri release option value
  find_mirror
  debian_sources | while read -r uri release; do
    # apt-cacher-ng speaks https to the mirror itself, so that it can cache it
    [[ $INTERNET == no ]] || uri=${uri/#https:\/\//http://HTTPS///}
    echo "deb $uri $release main"
  done >"$RUN/sources.list"
  {
    echo 'Acquire::Languages "none";'
    # a mirror frozen in time, or a clock that is not right: as on this machine
    for option in Acquire::Check-Valid-Until Acquire::Check-Date; do
      value='' && eval "$(apt-config shell value "$option")"
      [[ -z $value ]] || echo "$option \"$value\";"
    done
    [[ $INTERNET == no ]] || echo "Acquire::http::Proxy \"http://$OPERATOR_ADDRESS:$PROXY_PORT\";"
  } >"$RUN/apt.conf"
}

# ---------------------------------------------------------------- a node's life

# The supervisor holds a lock for as long as it lives: no process number that another could have got since.
is_on() { # NODE
  [[ -e $RUN/$1/alive ]] && ! flock --shared -n "$RUN/$1/alive" true
}

switch_on() { # NODE
  ! is_on "$1" || return 0
  cgroup_kill "$CGROUP/$1" # outlived a supervisor that was killed
  rm -f "$RUN/$1/nspawn.pid"
  detach "$CGROUP/daemons" "$RUN/$1/console.log" \
    unshare --mount --propagation slave "$SELF" supervise "$1" --dir "$DIR"
}

# Runs in the background, in a mount namespace of its own, for as long as the node is switched on.
supervise() { # NODE
  find_cgroup_roots
  load_lab
  local node=$1 home=$RUN/$1 status machine=pwlab-$ID-$1
  exec 7>"$home/alive"
  flock -w 5 7 || exit 0 # -w: is_on may be looking this very moment
  if [[ $KIND == rdma ]]; then
    # shellcheck source=/dev/null
    SUITE=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    ensure_rdma_image
    supervise_machine "$node"
    return
  fi
  cd "$home" || exit 1 # relative names: an overlay's options have no way to quote
  mount -t overlay overlay -o "lowerdir=$BASE,upperdir=upper,workdir=work" root || {
    echo "no overlay in $home: is --dir on ext4 or xfs?"
    exit 1
  }
  # nspawn locks a file of this name, and leaves it behind when it is killed
  stat -c 'inode-%d:%i' root >nspawn.lock
  while :; do
    # Each boot in an empty cgroup in every hierarchy; without one, containers share a payload cgroup.
    cgroup_remove "$CGROUP/$node"
    cgroup_make "$CGROUP/$node"
    start_container "$node" "$machine" 7>&- &
    echo $! >nspawn.pid
    status=0
    wait $! || status=$?
    rm -f nspawn.pid
    cgroup_kill "$CGROUP/$node"
    echo "[$(date +%T)] $node: systemd-nspawn ended with $status"
    ((status == REBOOT_STATUS)) || break
  done
  cgroup_remove "$CGROUP/$node"
}

start_container() { # NODE MACHINE
  cgroup_enter "$CGROUP/$1"
  # --suppress-sync: dpkg's fsyncs are most of an installation's time, and the disk is thrown away anyway.
  # /tmp on the disk, as on a server, not a tmpfs.
  # nsenter as well as --network-namespace-path: else /sys/class/net shows the interfaces of this machine.
  SYSTEMD_NSPAWN_TMPFS_TMP=0 exec nsenter --net="/run/netns/$NETNS_PREFIX$1" \
    systemd-nspawn --quiet --boot --register=no --keep-unit --machine="$2" \
    --hostname="$1" --directory="$RUN/$1/root" \
    --network-namespace-path="/run/netns/$NETNS_PREFIX$1" --capability=CAP_NET_ADMIN \
    --console=pipe --kill-signal=SIGRTMIN+3 --suppress-sync=yes \
    --resolv-conf=off --timezone=off --link-journal=no </dev/null
}

# The node's PID 1, as seen from here.
init_of() { # NODE
  local nspawn
  is_on "$1" && nspawn=$(cat "$RUN/$1/nspawn.pid" 2>/dev/null) && pgrep -P "$nspawn" | head -n 1
}

# PID 1's death takes every process of the node along; nspawn then ends by itself and tidies up.
cut_power() { # NODE
  local init
  is_on "$1" || return 0
  if init=$(init_of "$1") && [[ -n $init ]]; then kill -KILL "$init" 2>/dev/null || true; fi
  wait_until 5 is_off "$1" || cgroup_kill "$CGROUP/$1"
  wait_until 5 is_off "$1" || die "$1 does not go down" "scripts/lab down --dir $DIR removes it for sure"
}
is_off() { ! is_on "$1"; }

# Prints the addresses where an sshd says its banner. Not ssh-keyscan, nor a login: their key exchange takes
# 70 ms of CPU a node, which booting nodes need more. `timeout` ends the whole group, hanging connects too.
answering() { # ADDRESS…
  # shellcheck disable=SC2016 # for the inner shell
  in_lab_netns timeout 3 bash -c 'for address; do
      { exec 3<>"/dev/tcp/$address/22" && read -r -t 2 banner <&3 && [[ $banner == SSH-* ]] && echo "$address"; } &
    done 2>/dev/null
    wait' _ "$@" 2>/dev/null || true
}

wait_for_ssh() { # NODE…
  local began=$SECONDS node answers addresses waiting=("$@")
  while :; do
    addresses=()
    for node in "${waiting[@]}"; do addresses+=("${ADDRESS_OF[$node]}"); done
    answers=" $(answering "${addresses[@]}" | xargs) "
    set -- "${waiting[@]}"
    waiting=()
    for node; do
      [[ $answers == *" ${ADDRESS_OF[$node]} "* ]] || waiting+=("$node")
    done
    ((${#waiting[@]} > 0)) || return 0
    ((SECONDS - began < $([[ $KIND == rdma ]] && echo 900 || echo $((60 + 2 * COUNT))))) || break
    # one that ended is not worth waiting for; starting takes a moment
    ((SECONDS - began < 5 + COUNT / 10)) || ! is_off "${waiting[0]}" || break
    sleep 0.1
  done
  for node in "${waiting[@]:0:3}"; do
    say "the console of $node, $RUN/$node/console.log, ends with:"
    tail_of "$RUN/$node/console.log"
  done
  die "no ssh on: ${waiting[*]}" "try again: scripts/lab up $COUNT --dir $DIR" \
    "or from scratch: scripts/lab down --dir $DIR"
}

host_key_line() { # NODE: as in known_hosts
  local type key rest
  read -r type key rest <"$RUN/$1/upper/etc/ssh/ssh_host_ed25519_key.pub"
  echo "${ADDRESS_OF[$1]} $type $key"
}
