#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2129
# A bad night for apply itself: its process is killed, its connections break, somebody interrupts it, nodes
# are in different states of disrepair, must reboot, or do not come back. Nothing is done twice, and it ends well.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lab_up 4
sed -i '/^\[cluster\]/a quorum = 0.5' "$LAB/cluster.toml"
ALL=(head cu01 cu02 cu03)
mkdir -p "$LAB/profiles"

# Each command leaves a line for each time it ran: more than one is a step that was done again.
cat >"$LAB/profiles/witness.toml" <<'TOML'
[profile]
name = "witness"
summary = "Steps that count how often they ran"

[vars]
pause = "0.4"

[[directory]]
path = "/srv/witness"
[[command]]
name = "one"
run = "echo one >>/srv/witness/log; echo output of one; sleep {{pause}}; touch /srv/witness/one"
creates = "/srv/witness/one"
[[file]]
path = "/srv/witness/conf"
content = "{{node.name}}\n"
[[command]]
name = "two"
run = "for i in 1 2 3 4; do echo tick $i; sleep {{pause}}; done; echo two >>/srv/witness/log; touch /srv/witness/two"
creates = "/srv/witness/two"
[[command]]
name = "head-first"
run = "echo first >>/srv/witness/log; sleep {{pause}}; touch /srv/witness/first"
creates = "/srv/witness/first"
roles = ["head"]
[[command]]
name = "three"
run = "echo three >>/srv/witness/log; sleep {{pause}}; touch /srv/witness/three"
creates = "/srv/witness/three"
roles = ["compute"]
after = ["head:command/head-first"]
TOML

everywhere() { # COMMAND
  local node
  for node in "${ALL[@]}"; do on "$node" "$1" >>"$LOG"; done
}
events() { # of the latest run
  local runs=("$LAB"/.podwright/runs/*)
  cat "${runs[-1]}/events.ndjson"
}
log_of() { on "$1" 'cat /srv/witness/log' | xargs; }
once_everywhere() {
  [[ $(log_of head) == "one two first" && $(log_of cu01) == "one two three" && $(log_of cu02) == "one two three" ]] &&
    [[ $(log_of cu03) == "one two three" ]]
}
until_on() { # NODE CONDITION: at most a minute
  local i
  for ((i = 0; i < 60; i++)); do on "$1" "$2" >/dev/null && return; sleep 0.5; done
  return 1
}

# ---------------------------------------------------------------- its process is killed, anywhere

RANDOM=20260131
killed=0
for ((i = 1; i <= ${PODWRIGHT_KILLS:-5}; i++)); do
  everywhere 'rm -rf /srv/witness'
  # From before the first connection to after the end, which is at some five seconds.
  delay=$((RANDOM % 5500))
  start apply --profile witness --yes
  sleep "$((delay / 1000)).$(printf %03d $((delay % 1000)))"
  kill -9 "$HEAD" 2>/dev/null && killed=$((killed + 1))
  ended
  # Killed before it could note anything: there is nothing to go on with.
  pw_json apply --resume --yes || pw_json apply --profile witness --yes
  check "killed after $delay ms: goes on to the end" equal "$STATUS" 0
  check "killed after $delay ms: no step ran twice" once_everywhere
done
check "most of the kills came before the end" test "$killed" -ge $((${PODWRIGHT_KILLS:-5} / 2))
pw_json --profile witness plan
check_json "nothing is left to do" '.summary.steps == 0'
check "no script's output is left on the nodes" equal "$(on cu01 'ls /var/lib/podwright/run' | wc -l)" 0

# ---------------------------------------------------------------- connections break in the middle of a step

everywhere 'rm -rf /srv/witness'
start apply --profile witness --set pause=2 --yes
until_on cu01 'test -e /srv/witness/one' && on cu01 'pkill -9 -f "sshd: root@notty"' >>"$LOG"
lab cut cu02 eth0
sleep 4
lab heal cu02
ended
check_status "broken connections are made again, and apply succeeds" 0
check "no step ran twice" once_everywhere
for node in cu01 cu02; do
  check "$node: the output of the step is whole" equal \
    "$(events | jq -r "select(.event == \"step_finished\" and .node == \"$node\" and .step == \"command/two\").output" | xargs)" \
    "tick 1 tick 2 tick 3 tick 4"
done

# ---------------------------------------------------------------- somebody else is at work

everywhere 'rm -rf /srv/witness'
start apply --profile witness --set pause=2 --yes
until_on cu01 'test -e /srv/witness/log'
kill -9 "$HEAD"
ended
pw_json apply --profile witness --yes
check_status "a second apply does not begin on nodes at work" 3
check_json "it names the run" '.nodes.cu01.error | test("apply-1 is at work on this node")'
pw_json apply --resume --yes
check_status "--resume takes up what runs there" 0
check "no step ran twice" once_everywhere
check "its output is in the journal" contains "$(events | jq -r 'select(.event == "step_finished").output')" "tick 4"

# ---------------------------------------------------------------- Ctrl-C

everywhere 'rm -rf /srv/witness'
start apply --profile witness --set pause=2 --yes
until_on cu01 'test -e /srv/witness/log'
kill -INT "$HEAD"
ended
check_status "Ctrl-C exits with 130" 130
check_error "it says how to go on" "apply --resume"
check "the step that ran was finished" on cu01 'test -e /srv/witness/one'
check "no other was begun" on cu01 '! test -e /srv/witness/conf'
check "what is left is named" grep -q 'left undone: .*command/two' "$WORK/out"
pw_json apply --resume --yes
check_status "--resume does the rest" 0
check "no step ran twice" once_everywhere

everywhere 'rm -rf /srv/witness'
start apply --profile witness --set pause=3 --yes
until_on cu01 'test -e /srv/witness/log'
kill -INT "$HEAD"
sleep 0.5
kill -INT "$HEAD"
ended
check_status "a second Ctrl-C exits with 130" 130
check "at once: the step goes on without it" on cu01 '! test -e /srv/witness/one'
pw_json apply --resume --yes
check_status "and --resume takes it up" 0
check "no step ran twice" once_everywhere

# ---------------------------------------------------------------- four states of disrepair

cat >"$LAB/profiles/repair.toml" <<'TOML'
[profile]
name = "repair"
summary = "A package, a file, a service"
[[package]]
name = "tree"
[[directory]]
path = "/srv/repair"
mode = "0750"
[[file]]
path = "/srv/repair/conf"
content = "{{node.name}}\n"
[[unit]]
name = "repair.service"
content = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
[[service]]
name = "repair"
state = "started"
enabled = true
restart_on = ["file//srv/repair/conf", "unit/repair.service"]
[[secret]]
name = "witness"
path = "/srv/repair/key"
TOML
repair() { pw_json "$@" --profile repair; }
repair apply --yes
check_status "four fresh nodes" 0
on head 'apt-get remove -y -q tree; rm -rf /srv/repair' >>"$LOG"
# cut off in the middle of an installation
on cu01 'apt-get remove -y -q tree; apt-get download -q tree; dpkg --unpack ./tree_*.deb; systemctl mask --now repair' >>"$LOG"
on cu02 'rm -rf /srv/repair; kill -9 $(systemctl show -P MainPID repair); systemctl disable repair' >>"$LOG"
on cu03 'echo by hand >>/srv/repair/conf; chmod 600 /srv/repair/conf; chown nobody /srv/repair; rm /etc/systemd/system/repair.service; systemctl daemon-reload; echo other >/srv/repair/key' >>"$LOG"
# and on one of them somebody installs something just now
on cu03 'apt-get remove -y -q tree; cp /bin/sleep /tmp/apt-get; setsid /tmp/apt-get 600 >/dev/null 2>&1 </dev/null &' >>"$LOG"
repair apply --yes
check_json "a node on which another apt-get runs is not touched, and says why" \
  '.nodes.cu03.status == "failed" and (.nodes.cu03.error | test("another package manager is running: /tmp/apt-get 600")) and .nodes.cu03.changed == []'
check_json "the others are mended" '[.nodes.head, .nodes.cu01, .nodes.cu02] | all(.status == "ok" and (.changed | length) > 0)'
on cu03 'pkill -x apt-get' >>"$LOG"
pw_json apply --retry-failed --yes
check_status "--retry-failed mends that one" 0
check_json "and looks at no other" '(.nodes | keys) == ["cu03"]'
repair plan
check_json "all four are as wanted" '.summary.steps == 0 and (.nodes | length) == 4'

# ---------------------------------------------------------------- a plan is what is done, and secrets stay secret

on cu01 'echo by hand >>/srv/repair/conf; rm /srv/repair/key' >>"$LOG"
repair plan --out "$WORK/plan.json"
on cu01 'echo again >>/srv/repair/conf'
on cu02 'systemctl stop repair'
pw_json apply --yes "$WORK/plan.json"
check_status "a stale plan is refused" 5
said=$(tr -s ' \n' ' ' <"$WORK/err")
check "it names the file and what became of it" contains "$said" "file//srv/repair/conf: "
check "and what was well, and is not any more" contains "$said" "service/repair has changed since"
check "nothing was done anywhere" on cu01 'grep -q again /srv/repair/conf && ! test -e /srv/repair/key'
repair plan --show-script
check_json "the script that is shown starts a process of its own" '.nodes.cu01.scripts[0] | contains("setsid")'
secret=$(base64 -w0 <"$LAB/.podwright/secrets/witness" | head -c 24)
check "no secret in the plan, the script or a message" bash -c "! grep -qF '$secret' '$WORK/out' '$WORK/err' '$WORK/plan.json'"
on cu01 'for i in $(seq 100); do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ /var/lib/podwright/run/*/* 2>/dev/null; sleep 0.05; done >/root/seen' &
watcher=$!
repair apply --yes
check_status "applied" 0
wait "$watcher"
check "no secret in the node's process list, or in what the script left" on cu01 "! grep -qaF '$secret' /root/seen"
check "no secret in a journal" bash -c "! grep -rqF '$secret' '$LAB/.podwright/runs'"

# ---------------------------------------------------------------- reboots

cat >"$LAB/profiles/reboots.toml" <<'TOML'
[profile]
name = "reboots"
summary = "A file that counts after a reboot"
[vars]
pause = "0"
text = "one"
[[file]]
path = "/etc/at-boot.conf"
content = "{{text}}\n"
roles = ["compute"]
[[command]]
name = "pause"
run = "sleep {{pause}}; touch /run/not-rebooted; echo {{text}} >/root/paused"
unless = "grep -qx {{text}} /root/paused"
roles = ["compute"]
[[reboot]]
name = "at-boot"
on = ["file//etc/at-boot.conf"]
deadline = "30s"
roles = ["compute"]
[[command]]
name = "after"
run = "test ! -e /run/not-rebooted && echo {{text}} >/root/after"
unless = "test \"$(cat /root/after)\" = {{text}}"
roles = ["compute"]
TOML
boot_of() { on "$1" 'sed "s/.*) //" /proc/1/stat | cut -d" " -f20'; }
before1=$(boot_of cu01) before2=$(boot_of cu02) beforeh=$(boot_of head)
pw_json --profile reboots plan
check_json "the plan shows the reboots, and why" \
  '.summary.reboots == 3 and (.nodes.cu01.steps | map(select(.reboots)) | map(.why)) == ["file//etc/at-boot.conf changes, which needs a reboot"]'
pw_json --profile reboots apply --yes --batch 1
check_status "nodes reboot in batches" 0
check_json "and are told so" 'all(.nodes.cu01, .nodes.cu02; .changed | index("reboot/at-boot") != null)'
check "one after the other" equal "$(events | jq -r 'select(.event == "phase_started") | .phase' | grep -c '^reboot, batch')" 3
check "they run another boot" test "$before1" != "$(boot_of cu01)" -a "$before2" != "$(boot_of cu02)"
check "the head, which needed none, does not" equal "$beforeh" "$(boot_of head)"
check "what follows came after it" equal "$(on cu01 'cat /root/after')" one
pw_json --profile reboots plan
check_json "no reboot is wanted any more" '.summary.steps == 0'

before1=$(boot_of cu01)
start apply --profile reboots --set text=two --set pause=3 --yes
until_on cu01 'grep -q two /etc/at-boot.conf'
kill -9 "$HEAD"
ended
pw_json apply --resume --yes
check_status "a head killed before the reboot: --resume" 0
check "the reboot that was owed is done" test "$before1" != "$(boot_of cu01)"
check "and what follows it" equal "$(on cu01 'cat /root/after')" two

# A node that comes back without its sshd is as good as gone.
on cu02 'systemctl disable ssh' >>"$LOG"
pw_json apply --profile reboots --set text=three --yes
check_status "a node that does not return: exit 3" 3
check_json "it is quarantined" '.nodes.cu02.status == "quarantined" and (.nodes.cu02.error | test("did not come back"))'
check_json "the others are finished" '.nodes.cu01.status == "ok" and .nodes.cu03.status == "ok"'
lab kill cu02
ln -sf /lib/systemd/system/ssh.service "$LAB/run/cu02/upper/etc/systemd/system/multi-user.target.wants/ssh.service"
lab start cu02
pw_json apply --retry-failed --yes
check_status "--retry-failed finishes it once it is back" 0
check "what follows the reboot is done there too" equal "$(on cu02 'cat /root/after')" three
