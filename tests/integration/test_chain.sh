#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2129
# The main job from end to end: a head and three compute nodes become a cluster that is proven ready,
# stay one, and come back when somebody breaks them.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A fabric that two busy cores can fill: more would measure them and not the links.
lab_up 4 --rate 300mbit

# ---------------------------------------------------------------- up

pw up --yes >"$WORK/up.txt"
check_status "up makes the cluster and exits with 0" 0
cat "$WORK/up.txt" >>"$LOG"
report=$(sed -n 's/^report: //p' "$WORK/up.txt" | tail -1)
check "up says where the report is" test -s "$report"
check "the report fetches nothing from anywhere" bash -c "! grep -Eq '(src|href)=\"?(https?:)?//' '$report'"
check "the report holds the matrix as a picture" grep -q '<svg' "$report"
check "srun on three nodes prints three names" \
  equal "$(on head 'srun -N3 hostname' | sort | xargs)" "cu01 cu02 cu03"
check "a user's job runs as that user on all nodes" \
  equal "$(on head 'su - train -c "srun -N3 id -un"' | sort -u)" train
check "the training user reaches every node without a password" \
  equal "$(on cu01 'su - train -c "ssh -o BatchMode=yes cu03 hostname"')" cu03
check "the journal holds every event as JSON" jq -es 'length > 50' "$(dirname "$report")/events.ndjson"

# ---------------------------------------------------------------- apply twice: nothing

pw_json plan
check_status "plan afterwards exits with 0" 0
check_json "the second plan is empty" '.summary.steps == 0'

# ---------------------------------------------------------------- the documents of the contract

pw_json exec -n @all -- uname -r
check_json "exec: every node, ok, its kernel" \
  '(.nodes | length) == 4 and all(.nodes[]; .status == "ok" and .exit == 0 and (.stdout | startswith("'"$(uname -r)"'")))'
pw_json facts
check_json "facts: what cli.md promises" \
  '(.nodes | length) == 4 and all(.nodes[]; .os.id == "debian" and .os.version == "12" and .arch == "'"$(uname -m)"'"
     and .kernel == "'"$(uname -r)"'" and .memory_bytes > 1e9 and (.cpu | type) == "object" and ([.numa, .gpus, .hcas, .nics, .disks] | all(type == "array")))'
check_json "facts: the addresses of both interfaces" \
  '[.nodes.cu01.nics[] | .addresses[]] | (index("10.98.0.11/16") != null) and (index("10.99.0.11/16") != null)'
pw_json validate
check_status "validate passes on a healthy fabric" 0
check_json "validate: pairs with figures and floors" \
  '.verdict.pass and .rounds == 3 and (.pairs | length) == 3 and all(.pairs[]; .gbps > 0.2 and .expected_gbps > 0.2 and .status == "pass")'
check_json "validate: no node appears twice in a round" \
  '[.pairs[] | .round as $r | (.a, .b) | "\($r) \(.)"] | length == (unique | length)'
pw_json check
check_status "check passes" 0
check_json "check: passes, and every result says what was seen" \
  '.pass and all(.nodes[].checks[]; .status != "fail" and .status != "error" and (.observed | length) > 0)'
check_json "check: the rows of CPU, memory, file system, time, services and Slurm" \
  '[.nodes.cu01.checks[].id] as $ids | ["cpu.count", "mem.total", "fs.use", "fs.rw", "time.sync", "slurm.node"] | all(. as $id | $ids | index($id) != null)'
pw_json handoff
check_json "handoff: proven by an srun and an MPI allreduce" '.pass and (.proof | tostring | contains("allreduce"))'

# ---------------------------------------------------------------- broken by hand: named, and mended

on cu02 'DEBIAN_FRONTEND=noninteractive apt-get remove -y -q prometheus-node-exporter; echo "# by hand" >>/etc/slurm/slurm.conf' >>"$LOG"
on cu03 'systemctl stop munge' >>"$LOG"
pw_json plan
check_json "what was broken is planned, and nothing else" \
  '(.nodes.cu02.steps | map(.id)) == ["package/prometheus-node-exporter", "service/prometheus-node-exporter", "file//etc/slurm/slurm.conf", "service/slurmd"]
   and (.nodes.cu03.steps | map(.id)) == ["service/munge"] and (.nodes.head.steps + .nodes.cu01.steps == [])'
check_json "the plan shows the line that somebody added" '.nodes.cu02.steps[2].diff | contains("-# by hand")'
pw plan --out "$WORK/plan.json" >/dev/null
check "a plan has no secret in it" bash -c "! grep -qF \"\$(head -c 12 '$LAB'/.podwright/secrets/* | base64 -w0 | head -c 12)\" '$WORK/plan.json'"
pw_json apply --yes "$WORK/plan.json"
check_status "the saved plan is applied" 0
check_json "it changed just those two nodes" '(.nodes.cu02.changed | length) == 4 and (.nodes.cu03.changed | length) == 1 and (.nodes.cu01.changed | length) == 0'
pw_json apply --yes "$WORK/plan.json"
check_status "a stale plan is refused with 5" 5
pw_json plan
check_json "and then nothing is left to do" '.summary.steps == 0'

# ---------------------------------------------------------------- a slow link is found

lab shape cu02 100mbit tx
pw_json validate
check_status "a slow node fails validate with 4" 4
check_json "the node is named, and only it" '[.verdict.nodes[].name] == ["cu02"] and .verdict.nodes[0].cause == "slow"'
lab shape cu02 off

# ---------------------------------------------------------------- a sick node is found

on cu01 'systemctl stop slurmd' >>"$LOG"
pw_json check
check_status "a stopped slurmd fails check with 4" 4
check_json "the node, the check and a remedy" \
  'any(.nodes.cu01.checks[]; .id == "svc.slurmd" and .status == "fail" and (.observed | contains("not running")) and (.remedy | contains("systemctl status slurmd")))'
check_json "the other nodes still pass" 'all(.nodes.cu02.checks[]; .status != "fail")'
pw up --yes >/dev/null
check_status "up again mends it" 0

# ---------------------------------------------------------------- one node dead: the rest is finished

lab kill cu03
on cu01 'systemctl stop chrony' >>"$LOG"
pw_json apply --yes
check_status "a dead node makes apply exit with 3" 3
check_json "it is called unreachable, and the others are mended" \
  '.nodes.cu03.status == "unreachable" and .nodes.cu01.status == "ok" and (.nodes.cu01.changed | index("service/chrony") != null)'
check "slurm.conf still knows the node that is down" contains "$(on head 'cat /etc/slurm/slurm.conf')" "NodeName=cu03"
lab start cu03
