#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2129
# The interconnect of eight real nodes below two leaf switches: what is slowed or cut is named, and nothing else.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# In megabits a second. What two busy cores can fill with four flows at a time; more would measure them and not
# the links. PODWRIGHT_FABRIC_RATE=1000 where there is more.
RATE=${PODWRIGHT_FABRIC_RATE:-100}
SLOW=$((RATE * 4 / 10))mbit

lab_up 9 --rate "${RATE}mbit" --leaves 2
cat >"$LAB/fabric.toml" <<'END'
[profile]
name = "fabric"
summary = "what measuring between nodes needs"
requires = { os = ["debian 12"] }

[[package]]
name = "iperf3"
roles = ["compute"]

[fabric]
floor_fraction = 0.85

[[measurement]]
kind = "pairwise"
tool = "iperf3"
seconds = 1
END
sed -i 's/^profile = .*/profile = "fabric.toml"/' "$LAB/cluster.toml"
pw apply --yes >>"$LOG"
check_status "iperf3 is installed on the nodes" 0

verdict() { # what is named, on one line: nodes with direction and cause, then links, then ambiguous sets
  jq -r '.verdict | ([.nodes[] | "\(.name):\(.direction):\(.cause)"] + [.links[] | "\(.a)-\(.b)"] + [.ambiguous[] | "ambiguous:" + join(",")])
    | sort | join(" ")' "$WORK/out"
}
names() { # CLAIM EXPECTED
  pw_json validate
  check "$1" equal "$(verdict)" "$2"
}
clean_nodes() { # nothing of a measurement runs on any node
  local node
  for node in cu01 cu02 cu03 cu04 cu05 cu06 cu07 cu08; do
    [[ -z $(on "$node" 'pgrep -x iperf3; ls -d /tmp/podwright-measure.* 2>/dev/null') ]] || { echo "left on $node"; return 1; }
  done
}

# ---------------------------------------------------------------- nothing is shaped

pw_json validate --svg "$WORK/matrix.svg"
check_status "a sound fabric passes" 0
check_json "every pair was measured, both ways, and nobody is named" \
  '.verdict.pass and (.pairs | length) == 28 and all(.pairs[]; .gbps_ab > 0 and .gbps_ba > 0) and (.verdict.nodes + .verdict.links == [])'
check_json "no node is twice in a round" '[.pairs[] | .round as $r | (.a, .b) | "\($r) \(.)"] | length == (unique | length)'
check_json "the leaves are told" '[.leaves[].leaf] | unique == ["leaf1", "leaf2"]'
check "the matrix is a picture of its own" grep -q '<svg.*xmlns' "$WORK/matrix.svg"
check "nothing of it stays on the nodes" clean_nodes

# ---------------------------------------------------------------- one fault of each kind, at once

lab shape cu01 "$SLOW" both
lab shape cu02 "$SLOW" tx
lab cut cu06 eth1
lab shape leaf2 "$SLOW" both
names "the slow node, the slow sender, the cut one and the uplink are named, and only they" \
  "cu01:both:slow cu02:tx:slow cu06:both:failed leaf:leaf1-leaf:leaf2"
check_status "and the exit status says so" 4
check_json "each verdict tells its evidence" 'all(.verdict.nodes[] , .verdict.links[]; (.evidence | length) > 20 and .confidence > 0.5)'
pw report --format html -o "$WORK/report.html" >/dev/null
check "the report shows evidence and picture" bash -c "grep -q 'sends at best' '$WORK/report.html' && grep -q '<svg' '$WORK/report.html'"
lab shape cu01 off
lab shape leaf2 off
lab heal cu06
names "the slow sender alone" "cu02:tx:slow"
lab shape cu02 off
lab shape cu05 "$SLOW" rx
names "a slow receiver alone" "cu05:rx:slow"
lab shape cu05 off
pw_json validate --full
check_status "mended: it passes again" 0

# ---------------------------------------------------------------- the head is killed

pw validate --seconds 60 >/dev/null 2>&1 &
for _ in $(seq 100); do
  [[ -z $(on cu01 'pgrep -x iperf3') ]] || break
  sleep 0.3
done
check "a measurement runs" test -n "$(on cu01 'pgrep -x iperf3')"
mapfile -t head < <(pgrep -f "^$PODWRIGHT -c $LAB/cluster.toml validate")
check "the head's process is there" test "${#head[@]}" -ge 1
kill -KILL "${head[@]}"
wait
for _ in $(seq 40); do
  clean_nodes >/dev/null && break
  sleep 0.5
done
check "when the head is killed, its servers and clients end long before their deadlines" clean_nodes
