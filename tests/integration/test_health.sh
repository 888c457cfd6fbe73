#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2053,SC2129
# Health: what breaks is named with its remedy, from the head, on the node itself, and by Slurm, which
# drains a node that fails and gives it back when it is well again.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lab_up 4
mkdir -p "$LAB/profiles"
cat >"$LAB/profiles/health.toml" <<'TOML'
[profile]
name = "health"
summary = "Slurm, and checks that it runs itself"
include = ["base/hpc-node", "identity/training-user", "runtime/openmpi", "scheduler/slurm-health"]

[[directory]]
path = "/srv/data"
mode = "1777"
[[mount]]
path = "/srv/data"
source = "tmpfs"
fstype = "tmpfs"
options = "size=20m"
state = "mounted"

[handoff]
targets = ["hosts", "slurm"]
TOML
sed -i 's/^profile = .*/profile = "health"/' "$LAB/cluster.toml"

# The nodes get podwright as its own package, which brings the libraries that it needs.
check "the package is made" bash -c \
  "cd '$(dirname "$PODWRIGHT")' && cpack -G DEB -B '$WORK/package' && mv '$WORK'/package/podwright*.deb '$WORK/podwright.deb'"
for node in cu01 cu02 cu03 head; do
  on "$node" 'cat >/root/podwright.deb' <"$WORK/podwright.deb"
  on "$node" 'ls -l /root/podwright.deb; apt-get -q update && apt-get -q -y install --no-install-recommends /root/podwright.deb' >>"$LOG"
done
pw_json apply --yes
check_status "apply" 0
pw_json handoff
check_status "the cluster is handed over" 0
pw_json plan
check_json "and nothing is left to do" '.summary.steps == 0'
pw_json check
check_status "all checks pass" 0

# ---------------------------------------------------------------- faults, each named with its remedy

on cu01 'systemctl stop chrony; umount /srv/data' >>"$LOG"
on cu02 'head -c 20m /dev/zero >/srv/data/filler; mount -o remount,ro /srv/data' >>"$LOG" 2>&1
on cu03 'systemctl kill -s KILL slurmd; systemctl stop slurmd
  cp -r /sys/devices/system/cpu /run/cpu 2>/dev/null
  for c in /run/cpu/cpu[0-9]*; do mkdir -p $c/cpufreq; echo powersave >$c/cpufreq/scaling_governor; done
  mount --bind /run/cpu /sys/devices/system/cpu' >>"$LOG" 2>&1
pw_json check
check_status "check fails" 4
named() { # NODE CHECK TEXT
  check_json "$1: $2 is named with its remedy" \
    "[.nodes.$1.checks[] | select(.id == \"$2\" and (.status == \"fail\" or .status == \"warn\"))] | length == 1 and (.[0].observed | test(\"$3\")) and (.[0].remedy | length) > 0"
}
named cu01 svc.chrony 'not running'
named cu01 fs.mounts /srv/data
named cu02 fs.use '/srv/data 100'
named cu02 fs.rw /srv/data
named cu03 svc.slurmd 'inactive|failed'
named cu03 cpu.governor powersave
check_json "and nothing that is well" \
  '[.nodes | to_entries[] | .key as $n | .value.checks[] | select(.status == "fail" or .status == "error") | "\($n) \(.id)"]
   | map(select(test("cu01 (svc.chrony|fs.mounts|time.sync)|cu02 (fs.use|fs.rw)|cu03 (svc.slurmd|slurm.node)") | not)) == []'

# ---------------------------------------------------------------- the same, far from the machines

verdicts='.nodes | to_entries[] | .key as $n | .value.checks[] | "\($n) \(.id) \(.status)"'
json "$verdicts" | sort >"$WORK/live"
pw snapshot -o "$WORK/pod.tar.zst" >>"$LOG"
check "a snapshot is the owner's alone" equal "$(stat -c %a "$WORK/pod.tar.zst")" 600
pw_json check --snapshot "$WORK/pod.tar.zst"
check_status "judged from a snapshot it fails too" 4
json "$verdicts" | sort >"$WORK/judged"
check "with the very same verdicts" diff "$WORK/live" "$WORK/judged"

# ---------------------------------------------------------------- the node itself, and Slurm

state_of() { on head "scontrol show node $1 --oneliner" | grep -o ' State=[^ ]*' | cut -d= -f2; }
reason_of() { on head "sinfo -h -n $1 -o %E"; }
until_state() { # NODE PATTERN: at most 20 s
  local i
  for ((i = 0; i < 40; i++)); do [[ $(state_of "$1") == $2 ]] && return; sleep 0.5; done
  return 1
}
check "slurm knows its health program" contains "$(on head 'scontrol show config')" "HealthCheckProgram      = /etc/slurm/podwright-health"
on cu02 '/etc/slurm/podwright-health; echo "exit $?"' >>"$LOG" 2>&1
check "a node that fails is drained" until_state cu02 '*DRAIN*'
check "with the reason" contains "$(reason_of cu02)" "podwright: fs."
check "no job goes there" contains "$(on head 'timeout 20 srun --immediate=5 -w cu02 hostname 2>&1')" "nable to allocate"
on head 'scontrol update nodename=cu01 state=drain reason="new power supply"' >>"$LOG"
on cu01 'systemctl start chrony; mount /srv/data; chronyc -n waitsync 20 0 0 0.5; /etc/slurm/podwright-health; echo "exit $?"' >>"$LOG" 2>&1
check "what a person has drained stays drained" contains "$(reason_of cu01)" "new power supply"
on cu02 'mount -o remount,rw /srv/data; rm /srv/data/filler' >>"$LOG"
# slurmd runs it by itself, too: when it starts
on cu02 'systemctl restart slurmd' >>"$LOG"
check "mended, Slurm gives it back" until_state cu02 'IDLE'
check "and it works" equal "$(on head 'timeout 60 srun -w cu02 hostname')" cu02

on cu02 'podwright check --local --output json' >"$WORK/out"
check_json "check --local judges by what the profile declares" \
  '(.nodes | keys) == ["cu02"] and ([.nodes.cu02.checks[].id] | index("svc.slurmd") != null and index("fs.mounts") != null)'
on cu02 'systemctl start podwright-check.service; cat /var/lib/prometheus/node-exporter/podwright.prom' >"$WORK/metrics"
check "the timer's metrics are there" grep -q '^podwright_checks_pass{node="cu02"} 1$' "$WORK/metrics"
check "and the timer is on" on cu02 'systemctl is-active podwright-check.timer' >>"$LOG"
on cu02 'mkdir /root/alone && cd /root/alone && mv /etc/podwright /etc/podwright.off; podwright check --local --output json; mv /etc/podwright.off /etc/podwright' >"$WORK/out"
check_json "without any configuration it still judges the machine" '[.nodes.cu02.checks[] | select(.status == "pass")] | length > 5'
on cu02 'cd /root/alone; for i in 1 2 3; do (time -p podwright check --local -q >/dev/null) 2>&1 | awk "/user|sys/ {s += \$2} END {print s}"; done; type time' >>"$LOG" 2>&1

# ---------------------------------------------------------------- who differs

on cu03 'umount /sys/devices/system/cpu; systemctl start slurmd; apt-get -q -y remove podwright' >>"$LOG"
pw_json check --drift
check_status "drift is found" 4
check_json "the odd node is named with what differs" \
  '.classes | map(select(.nodes | index("cu01"))) | .[0] | .alike == ["cu01", "cu02"] and .odd[0].nodes == ["cu03"] and ([.odd[0].differs[].aspect] | index("package podwright") != null)'
pw check --drift >"$WORK/out"
check "in words" contains "$(cat "$WORK/out")" "cu03  differs in"

pw_json check --explain fs.use
check_json "a check explains itself" '.source != "" and (.options | length) > 0'
pw_json check --markdown "$WORK/checks.md" --junit "$WORK/checks.xml"
check "as Markdown" grep -q '| fs.use |' "$WORK/checks.md"
check "as JUnit" grep -q '<testsuite name="cu01"' "$WORK/checks.xml"
