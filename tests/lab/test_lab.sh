#!/usr/bin/env bash
# Proves scripts/lab on this machine: makes labs in a temporary folder, breaks them, takes them down.
# Needs root and scripts/deps lab; about a minute, once the base is cached. Usage: tests/lab/test_lab.sh
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
WORK=$(mktemp -d /tmp/lab-test.XXXXXX)
LAB=$WORK/lab
PASSED=0 FAILED=0

lab() { scripts/lab "$@" --dir "$LAB" 2>>"$WORK/log"; }
on() { scripts/lab --dir "$LAB" exec "$@" 2>>"$WORK/log"; }
in_lab() { scripts/lab --dir "$LAB" run -- "$@" 2>>"$WORK/log"; }

# One claim: passes when CMD succeeds.
check() { # CLAIM CMD…
  local claim=$1
  shift
  if "$@" >>"$WORK/log" 2>&1; then
    echo "ok     - $claim${VERBOSE:+   ($SECONDS s)}"
    PASSED=$((PASSED + 1))
  else
    echo "not ok - $claim   ($*)"
    FAILED=$((FAILED + 1))
  fi
}
check_not() { check "$1" fails "${@:2}"; }
fails() { ! "$@"; }
equal() { [[ $1 == "$2" ]] || { echo "\"$1\" is not \"$2\""; false; }; }
within() { awk -v v="$1" -v lo="$2" -v hi="$3" 'BEGIN { print v; exit !(v >= lo && v <= hi) }'; }
seconds_of() { # CMD…: prints how long it took
  local began=$EPOCHREALTIME
  "$@" >/dev/null
  awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }'
}

all_answer() { # NODE…
  local node
  for node in "$@"; do equal "$(on "$node" hostname)" "$node" || return; done
}
boot_id() { on "$1" cat /proc/sys/kernel/random/boot_id; }

# What a lab could leave on this machine.
namespaces() { find /run/netns -name "pwlab-$ID-*" 2>/dev/null; }
cgroups() { find /sys/fs/cgroup -maxdepth 2 -name "podwright-lab-$ID" 2>/dev/null; }
mounts() { grep -F "$WORK" /proc/self/mountinfo; }
processes() { pgrep -f -- "pwlab-$ID|$LAB" -a | grep -v test_lab; }
nspawn_leftovers() { find /run/systemd/nspawn -name "*pwlab-$ID*" 2>/dev/null; }
nothing_left() {
  local kind found
  for kind in namespaces cgroups mounts processes nspawn_leftovers; do
    found=$($kind)
    [[ -z $found ]] || { echo "left: $kind: $found"; return 1; }
  done
}

# Mbit/s between two nodes over the fabric: 20 MB by socat, which runs here but in the nodes' namespaces, so
# that the nodes need no tool.
fabric_mbit() { # FROM TO
  local address
  address=$(on "$2" 'ip -br -4 addr show eth1' | awk '{ sub("/.*", "", $3); print $3 }')
  timeout 60 nsenter --net="/run/netns/pwlab-$ID-$2" socat -u TCP-LISTEN:5999,reuseaddr - >"$WORK/received" &
  local receiver=$! began
  sleep 0.3
  began=$EPOCHREALTIME
  head -c 20000000 /dev/zero |
    nsenter --net="/run/netns/pwlab-$ID-$1" socat -u - "TCP:$address:5999,connect-timeout=5"
  wait "$receiver"
  awk -v a="$began" -v b="$EPOCHREALTIME" -v n="$(stat -c %s "$WORK/received")" \
    'BEGIN { printf "%.0f", n * 8 / 1e6 / (b - a) }'
}

take_down() {
  scripts/lab down --dir "$LAB"
  ip netns del "$FOREIGN" 2>/dev/null
  rm -rf "$WORK"
} >/dev/null 2>&1
trap take_down EXIT

# ---------------------------------------------------------------- before

FOREIGN=foreign-$$
ip netns add "$FOREIGN"
mkdir -p "$LAB/.podwright"
echo mine >"$LAB/.podwright/state"
ROUTES=$(ip route; ip rule; ip -br link)
ID=$(realpath "$LAB" | sha256sum | head -c 8)

check_not "down and status of no lab: status says so" lab status
check "down of no lab is no error" lab down
check_not "up without a number is refused" lab up
check "with exit status 2" equal "$(lab up; echo $?)" 2
mkdir "$WORK/taken" && touch "$WORK/taken/id_ed25519"
check_not "a key that is not the lab's is refused" scripts/lab up 1 --dir "$WORK/taken"
check_not "an unknown verb is refused" lab frobnicate
check "help needs no lab" scripts/lab --help

# ---------------------------------------------------------------- up

check "up 3" lab up 3
check "all answer" all_answer head cu01 cu02
check "up 3 again changes nothing" within "$(seconds_of lab up 3)" 0 5
KEY=$(cat "$LAB/id_ed25519.pub")
BOOT=$(boot_id cu01)
check "status: 3 are up" equal "$(lab status | grep -c ' up ')" 3
check "systemd in the nodes is content" equal "$(on cu01 systemctl is-system-running --wait)" running
check "a node sees its own interfaces" equal "$(on cu01 'ls /sys/class/net' | xargs)" "eth0 eth1 lo"
check "addresses are as promised" equal "$(on cu02 'ip -br -4 addr | grep eth' | awk '{ print $3 }' | xargs)" \
  "10.98.0.12/16 10.99.0.12/16"
check "host keys are pinned" equal "$(sort "$LAB/known_hosts")" \
  "$(in_lab ssh-keyscan -t ed25519 10.98.0.1 10.98.0.11 10.98.0.12 2>/dev/null | sort)"
check "ssh -F works under run" equal "$(in_lab ssh -F "$LAB/ssh_config" cu01 hostname)" cu01
check "cluster.toml is TOML with both nodes" python3 - "$LAB/cluster.toml" <<'END'
import sys, tomllib
lab = tomllib.load(open(sys.argv[1], "rb"))
assert [n["name"] for n in lab["node"]] == ["head", "cu[01-02]"], lab
assert lab["node"][1]["address"] == "10.98.0.[11-12]" and lab["node"][1]["fabric"][0]["rate_gbps"] == 1
END
check "cgroup v1 controllers are writable for Slurm, where there are any" on cu01 \
  '[ ! -d /sys/fs/cgroup/memory ] || { mkdir /sys/fs/cgroup/memory/t && rmdir /sys/fs/cgroup/memory/t; }'
check "net.* sysctls are the node's own" on cu01 'echo 1 >/proc/sys/net/ipv4/ip_forward'
check "an unknown name fails at once" within "$(seconds_of on cu01 'getent hosts no.such.host')" 0 2

# ---------------------------------------------------------------- exec and run

check "exec keeps the exit status" equal "$(on cu01 'exit 7'; echo $?)" 7
check "exec keeps arguments apart" equal "$(on cu01 printf '<%s>' 'a  b' "c'd" "\$HOME")" "<a  b><c'd><\$HOME>"
check "exec passes stdin" equal "$(echo hello | on cu01 cat)" hello
check "run keeps the exit status" equal "$(in_lab sh -c 'exit 9'; echo $?)" 9
check "run keeps the folder and stdin" equal "$(echo hello | in_lab sh -c 'pwd; cat')" "$PWD"$'\n'hello
check "run keeps the cgroups in view" equal "$(in_lab ls /sys/fs/cgroup)" "$(ls /sys/fs/cgroup)"
check_not "exec on an unknown node is refused" on cu77 true

# ---------------------------------------------------------------- the fabric

lab shape cu01 100mbit both
check "100mbit both ways: sending" within "$(fabric_mbit cu01 cu02)" 75 105
check "100mbit both ways: receiving" within "$(fabric_mbit cu02 cu01)" 75 105
lab shape cu01 off
lab shape cu01 50mbit tx
check "50mbit tx: sending" within "$(fabric_mbit cu01 cu02)" 37 53
check "50mbit tx: receiving is not slowed" within "$(fabric_mbit cu02 cu01)" 150 1050
check "status shows it" equal "$(lab status | awk '$1 == "cu01" { print $5, $6 }')" "1Gbit 50Mbit"
lab shape cu01 off
check "off is back to 1gbit" equal "$(lab status | awk '$1 == "cu01" { print $5, $6 }')" "1Gbit 1Gbit"
check_not "a rate that is none is refused" lab shape cu01 fast

lab cut cu02
check_not "cut: ssh does not reach the node" timeout 10 scripts/lab --dir "$LAB" exec cu02 true
check "status says cut" equal "$(lab status | awk '$1 == "cu02" { print $4 }')" cut
lab heal cu02
check "heal: it does again" all_answer cu02
lab cut cu02 eth1
check "cut eth1 leaves management" all_answer cu02
check_not "and takes the fabric" on cu01 'ping -c1 -W1 10.99.0.12'
lab heal cu02

# ---------------------------------------------------------------- power

on cu02 'echo kept >/root/file'
check "kill" lab kill cu02
check "status says off" equal "$(lab status | awk '$1 == "cu02" { print $4 }')" off
check "killing it twice is no error" lab kill cu02
check "start" lab start cu02
check "its disk is as it was" equal "$(on cu02 cat /root/file)" kept
BEFORE=$(boot_id cu02)
check "reboot" lab reboot cu02
check_not "it is another boot" equal "$(boot_id cu02)" "$BEFORE"
BEFORE=$(boot_id cu02)
on cu02 systemctl reboot
sleep 3
check_not "a node may reboot itself" equal "$(boot_id cu02)" "$BEFORE"
check "the others noticed nothing" equal "$(boot_id cu01)" "$BOOT"

# ---------------------------------------------------------------- packages

check "apt-get update and install through the cache" on cu01 \
  'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install chrony'
check "chrony runs, and leaves the clock alone" on cu01 'systemctl is-active chrony && pgrep -fa "chronyd.* -x"'
check_not "there is no other way out" on cu01 'timeout 3 bash -c "echo >/dev/tcp/192.0.2.1/80"'

# ---------------------------------------------------------------- growing, and edited files

check "up 4 adds one" lab up 4
check "all four answer" all_answer head cu01 cu02 cu03
check "the key is the same" equal "$(cat "$LAB/id_ed25519.pub")" "$KEY"
check "cluster.toml has the new one" grep -q 'cu\[01-03\]' "$LAB/cluster.toml"
check "the first ones did not reboot" equal "$(boot_id cu01)" "$BOOT"
check_not "what it was made with is not changed silently" lab up 4 --no-internet

# ---------------------------------------------------------------- crashes

# As if the machine had killed what it could see: no supervisor, no nspawn, no relay, half a namespace.
# By process number, from the lab's own cgroup: other labs may be running here.
crash() {
  local root pids pid
  root=$(find /sys/fs/cgroup -maxdepth 2 -name "podwright-lab-$ID" -print -quit)
  mapfile -t pids < <(find "$root" -name cgroup.procs -exec cat {} +)
  for pid in "${pids[@]}"; do
    [[ $(readlink "/proc/$pid/exe") =~ /(bash|systemd-nspawn|socat)$ ]] && kill -KILL "$pid"
  done
  ip -n "pwlab-$ID-net" link del f-cu02
  ip netns del "pwlab-$ID-cu03"
}
crash
sleep 0.5
check_not "after a crash, status sees it" lab status
check "up 4 repairs" lab up 4
check "all four answer again" all_answer head cu01 cu02 cu03
check "the fabric is whole" on cu03 'ping -c1 -W2 10.99.0.12'
check "apt works again" on cu03 'apt-get -q update'
crash

# ---------------------------------------------------------------- down

echo '# mine' >>"$LAB/cluster.toml"
check "down, after a crash" lab down
check "nothing is left on this machine" nothing_left
check "a foreign namespace survives" test -e "/run/netns/$FOREIGN"
check "a foreign file in DIR survives" grep -q mine "$LAB/.podwright/state"
check "an edited cluster.toml survives" grep -q mine "$LAB/cluster.toml"
check "nothing else is left in DIR" equal "$(find "$LAB" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | xargs)" \
  ".gitignore .podwright cluster.toml"
check "down again is no error" lab down
check "this machine's network is untouched" equal "$(ip route; ip rule; ip -br link)" "$ROUTES"

# ---------------------------------------------------------------- without internet

check "up 2 --no-internet" lab up 2 --no-internet --rate 200mbit
check "an edited cluster.toml is kept" grep -q mine "$LAB/cluster.toml"
check_not "no packages" on cu01 'apt-get -q update -o APT::Update::Error-Mode=any'
check_not "no proxy" on cu01 'timeout 3 bash -c "echo >/dev/tcp/10.98.255.254/3142"'
check_not "no proxy configured" on cu01 'apt-config dump | grep -i http::proxy'
check "the lab's rate" equal "$(lab status | awk '$1 == "cu01" { print $5, $6 }')" "200Mbit 200Mbit"

# Two labs, same addresses, side by side.
check "a second lab" scripts/lab up 1 --no-internet --dir "$WORK/other"
check "is another one" test "$(scripts/lab exec head cat /etc/machine-id --dir "$LAB" 2>/dev/null)" != \
  "$(scripts/lab --dir "$WORK/other" exec head cat /etc/machine-id 2>/dev/null)"
check "its down" scripts/lab down --dir "$WORK/other"
check "removes its folder, where nothing else was in it" test ! -e "$WORK/other"
check "and leaves the first alone" all_answer head cu01
check "down" lab down
check "nothing is left" nothing_left

echo "$PASSED passed, $FAILED failed"
((FAILED == 0)) || { cp "$WORK/log" /tmp/lab-test.log; echo "log: /tmp/lab-test.log"; exit 1; }
