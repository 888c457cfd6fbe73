# Two virtual machines with RDMA: their own kernels, whose rdma_rxe speaks RoCE v2 over an ordinary interface.
# Containers share this machine's kernel, which has none. QEMU emulates in software: booting takes minutes.
#
# shellcheck shell=bash disable=SC2034,SC2154 # parts share names: shellcheck -x scripts/lab sees them all

readonly RDMA_PACKAGES=linux-image-amd64,rdma-core,ibverbs-providers,perftest
readonly RDMA_MACHINES=2
readonly RDMA_RATE=50mbit # software emulation cannot fill much more

rdma_up() {
  local node began=$SECONDS
  require_tools
  require_rdma_tools
  lock_lab
  load_settings
  ((COUNT == 0)) || [[ $KIND == rdma ]] || die "$DIR holds a lab of containers" "choose another --dir"
  KIND=rdma COUNT=$RDMA_MACHINES INTERNET=no LEAVES=0 RATE=${OPTION_RATE:-$RDMA_RATE}
  refuse_foreign_files
  mkdir -p "$RUN"
  save_settings
  [[ -e $DIR/.gitignore ]] || echo '*' >"$DIR/.gitignore"
  [[ -e $DIR/id_ed25519 ]] || ssh-keygen -q -t ed25519 -N '' -C podwright-lab -f "$DIR/id_ed25519"
  register_lab
  # shellcheck source=/dev/null
  SUITE=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  ensure_rdma_image
  name_the_nodes
  cgroup_make "$CGROUP/daemons"
  ensure_bridges
  for node in "${NODES[@]}"; do
    ensure_taps "$node"
    ensure_rdma_disk "$node"
    switch_on "$node"
  done
  write_operator_files
  say "${NODES[*]} boot, which takes minutes"
  wait_for_ssh "${NODES[@]}"
  say "${NODES[*]} up in $((SECONDS - began)) s;" \
    "try: scripts/lab run -- podwright -c $DIR/cluster.toml validate"
}

require_rdma_tools() {
  local tool missing=()
  for tool in qemu-system-x86_64 qemu-img mkfs.ext4; do command -v "$tool" >/dev/null || missing+=("$tool"); done
  ((${#missing[@]} == 0)) || die "missing here: ${missing[*]}" "run scripts/deps rdma"
}

# Sets RDMA_IMAGE, RDMA_KERNEL and RDMA_INITRD: a file system with a kernel, made once.
ensure_rdma_image() {
  local key folder
  key=$( (dpkg --print-architecture; echo "$BASE_PACKAGES $RDMA_PACKAGES"; declare -f build_rdma_root finish_rdma_root) | sha256sum | head -c 10)
  folder=$CACHE/base/rdma-$SUITE-$key
  RDMA_IMAGE=$folder/disk.img RDMA_KERNEL=$folder/vmlinuz RDMA_INITRD=$folder/initrd
  [[ ! -d $folder ]] || return 0
  find_mirror
  mkdir -p "$CACHE/base"
  (
    flock 8
    [[ ! -d $folder ]] || exit 0
    rm -rf --one-file-system "$CACHE"/base/making-rdma.*
    say "making the machines' Debian $SUITE with its kernel, once (some minutes)"
    making=$(mktemp -d "$CACHE/base/making-rdma.XXXXXX")
    if ! { build_rdma_root "$making/root" && finish_rdma_root "$making/root" &&
      cp -L "$making/root/vmlinuz" "$making/vmlinuz" && cp -L "$making/root/initrd.img" "$making/initrd" &&
      truncate -s 3G "$making/disk.img" && mkfs.ext4 -q -F -d "$making/root" "$making/disk.img" &&
      rm -rf --one-file-system "$making/root"; } >"$CACHE/base/rdma.log" 2>&1; then
      tail_of "$CACHE/base/rdma.log"
      die "the image could not be made; the whole log is $CACHE/base/rdma.log" "is the mirror reachable? try: apt-get update"
    fi
    mv "$making" "$folder"
  ) 8>"$CACHE/base/rdma.lock" 9>&-
}

build_rdma_root() { # FOLDER
  local proxy=''
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  http_proxy=$proxy unshare --mount debootstrap --variant=minbase --include="$BASE_PACKAGES,$RDMA_PACKAGES" \
    "$SUITE" "$1" "$MIRROR" || return
  rm -f "$1"/etc/ssh/ssh_host_* "$1"/var/cache/apt/archives/*.deb "$1/etc/resolv.conf" || return
  rm -rf "$1"/var/lib/apt/lists/* || return
  : >"$1/etc/resolv.conf"
}

# What differs from machine to machine comes on a second disk, labelled "machine".
finish_rdma_root() { # FOLDER
  cat >"$1/usr/local/sbin/podwright-machine" <<'END'
#!/bin/sh
mkdir -p /run/machine
mount -o ro LABEL=machine /run/machine || exit 1
hostname "$(cat /run/machine/hostname)"
cp /run/machine/hostname /etc/hostname
cp /run/machine/machine-id /etc/machine-id
cp /run/machine/ssh_host_ed25519_key /run/machine/ssh_host_ed25519_key.pub /etc/ssh/
chmod 600 /etc/ssh/ssh_host_ed25519_key
mkdir -p -m 700 /root/.ssh
cp /run/machine/authorized_keys /root/.ssh/
ip link set lo up
ip link set eth0 up
ip link set eth1 up
ip addr add "$(cat /run/machine/management)" brd + dev eth0
ip addr add "$(cat /run/machine/fabric)" brd + dev eth1
modprobe rdma_rxe
rdma link add rxe0 type rxe netdev eth1
END
  cat >"$1/etc/systemd/system/podwright-machine.service" <<'END'
[Unit]
Description=podwright lab: who this machine is
Before=ssh.service network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/podwright-machine
[Install]
WantedBy=multi-user.target
END
  chmod 755 "$1/usr/local/sbin/podwright-machine"
  mkdir -p "$1/etc/systemd/system/multi-user.target.wants"
  ln -sf ../podwright-machine.service "$1/etc/systemd/system/multi-user.target.wants/"
  # Nothing that costs an emulated processor time at boot and serves nobody.
  local unit
  for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    getty@tty1.service systemd-timesyncd.service; do
    ln -sf /dev/null "$1/etc/systemd/system/$unit"
  done
  echo '/dev/vda / ext4 rw,noatime 0 0' >"$1/etc/fstab"
  # Only what finds the disk: the usual initramfs is 40 MB, which an emulated processor unpacks for minutes.
  echo 'MODULES=list' >"$1/etc/initramfs-tools/conf.d/podwright"
  printf '%s\n' virtio_pci virtio_blk ext4 crc32c_generic >>"$1/etc/initramfs-tools/modules"
  chroot "$1" update-initramfs -u -k all
}

ensure_taps() { # NODE
  local tap bridge
  for tap in m f; do
    bridge=br-mgmt
    [[ $tap == m ]] || bridge=br-fabric
    if ! ip -n "$LAB_NETNS" link show "$tap-$1" >/dev/null 2>&1; then
      ip -n "$LAB_NETNS" tuntap add dev "$tap-$1" mode tap
      ip -n "$LAB_NETNS" link set "$tap-$1" master "$bridge" up
    fi
  done
  shape_fabric "$1" "$RATE" both
}

ensure_rdma_disk() { # NODE
  local home=$RUN/$1
  [[ ! -e $home/made ]] || return 0
  rm -rf --one-file-system "$home"
  mkdir -p "$home/upper/etc/ssh" "$home/machine"
  ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$home/upper/etc/ssh/ssh_host_ed25519_key"
  cp "$home"/upper/etc/ssh/ssh_host_ed25519_key{,.pub} "$home/machine/"
  cp "$DIR/id_ed25519.pub" "$home/machine/authorized_keys"
  echo "$1" >"$home/machine/hostname"
  tr -d - </proc/sys/kernel/random/uuid >"$home/machine/machine-id"
  echo "${ADDRESS_OF[$1]}/16" >"$home/machine/management"
  echo "${FABRIC_OF[$1]}/16" >"$home/machine/fabric"
  truncate -s 4M "$home/machine.img"
  mkfs.ext4 -q -F -L machine -d "$home/machine" "$home/machine.img"
  qemu-img create -q -f qcow2 -F raw -b "$RDMA_IMAGE" "$home/disk.qcow2"
  touch "$home/made"
}

# Runs in the background for as long as the machine is switched on; a reboot stays within QEMU.
supervise_machine() { # NODE
  local home=$RUN/$1 number=${1#cu} accelerator status=0
  accelerator=$(accelerator)
  cgroup_remove "$CGROUP/$1"
  cgroup_make "$CGROUP/$1"
  (
    cgroup_enter "$CGROUP/$1"
    exec nsenter --net="/run/netns/$LAB_NETNS" qemu-system-x86_64 -accel "$accelerator" -cpu max -smp 1 -m 768 \
      -display none -serial stdio -kernel "$RDMA_KERNEL" -initrd "$RDMA_INITRD" \
      -append "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off quiet" \
      -drive "file=$home/disk.qcow2,if=virtio,cache=unsafe" -drive "file=$home/machine.img,if=virtio,format=raw,readonly=on" \
      -netdev "tap,id=m,ifname=m-$1,script=no,downscript=no" -device "virtio-net-pci,netdev=m,mac=52:54:00:98:00:$number,romfile=" \
      -netdev "tap,id=f,ifname=f-$1,script=no,downscript=no" -device "virtio-net-pci,netdev=f,mac=52:54:00:99:00:$number,romfile=" \
      -device virtio-rng-pci </dev/null 7>&-
  ) &
  echo $! >"$home/nspawn.pid"
  wait $! || status=$?
  rm -f "$home/nspawn.pid"
  echo "[$(date +%T)] $1: QEMU ended with $status"
  cgroup_remove "$CGROUP/$1"
}

# Within another virtual machine there may be a /dev/kvm on which no processor starts: it is tried.
accelerator() {
  if [[ -w /dev/kvm ]] && printf '{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n' |
    timeout 60 qemu-system-x86_64 -accel kvm -cpu max -m 64 -nodefaults -display none -qmp stdio >/dev/null 2>&1 7>&-; then
    echo kvm
  else
    echo tcg,thread=multi
  fi
}

rdma_cluster_toml() {
  local node
  cat <<END
# Written by scripts/lab: $COUNT virtual machines with RDMA in software. Edit freely: an edited file is kept.
#   scripts/lab run -- podwright -c $DIR/cluster.toml validate

[cluster]
name = "rdma"
profile = "rdma.toml"
state_dir = ".podwright"          # relative to this file

[ssh]
user = "root"
key = "$DIR/id_ed25519"
known_hosts = "$DIR/known_hosts"
END
  for node in "${NODES[@]}"; do
    cat <<END

[[node]]
name = "$node"
address = "${ADDRESS_OF[$node]}"
roles = ["compute"]
fabric = [{ name = "eth1", address = "${FABRIC_OF[$node]}", rate_gbps = $(rate_in_gbps), rail = 0 }]
END
  done
}
