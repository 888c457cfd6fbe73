#!/usr/bin/env bash
# shellcheck disable=SC2016
# Files from node to node: everything arrives everywhere, whoever dies, hangs or is cut off midway; nothing is
# sent that is there, and nothing but the copy is left.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lab_up 4
ALL=(head cu01 cu02 cu03)
SIZE=24000000
head -c $SIZE /dev/urandom >"$WORK/large"
SUM=$(sha256sum <"$WORK/large")

part_on() { # NODE BYTES: so much has arrived there
  local i
  for ((i = 0; i < 300; i++)); do
    [[ $(on "$1" 'stat -c %s /srv/.podwright-copy-*.part 2>/dev/null' || echo 0) -lt $2 ]] || return 0
    sleep 0.1
  done
  return 1
}

# ---------------------------------------------------------------- everywhere at the price of once

pw_json copy "$WORK/large" /srv/
check_status "a file to four nodes" 0
check "it is right on all of them" holds /srv/large "${ALL[@]}"
check_json "this machine has sent it once" ".bytes == $SIZE and .sent_by_this_machine == $SIZE"
check_json "every node has received it once" "[.nodes[] | .status == \"ok\" and .received == $SIZE] | all and length == 4"
check "nothing is left running or lying about" clean
pw_json copy "$WORK/large" /srv/
check_status "a second time" 0
check_json "nothing is sent" '.sent_by_this_machine == 0 and ([.nodes[].received] | add) == 0'
on cu02 'rm /srv/large'
pw_json copy "$WORK/large" /srv/
check_json "only who lacks it gets it" ".nodes.cu02.received == $SIZE and .nodes.cu01.received == 0 and .sent_by_this_machine == $SIZE"

# ---------------------------------------------------------------- who dies, hangs, or is cut off

start copy --rate-limit 3M "$WORK/large" /srv/killed
part_on cu01 3000000
check "no token is in a process list" on cu02 'pgrep -fa podwright/[r]elay- | grep -q -- "--once$"'
lab kill cu01
ended
check_status "a node that dies midway: exit 3" 3
check_json "it is named" '.nodes.cu01.status == "unreachable" and ([.nodes[] | select(.status == "ok")] | length) == 3'
check "the others have everything" holds /srv/killed head cu02 cu03
check_json "no byte was sent twice for it" ".sent_by_this_machine == $SIZE and .nodes.cu03.received == $SIZE"
lab start cu01
check "what it had received is still there" on cu01 'test $(stat -c %s /srv/.podwright-copy-*.part) -ge 3000000'
on cu01 'f=$(echo /srv/.podwright-copy-*.part); printf damaged | dd of="$f" bs=1 seek=2000000 conv=notrunc 2>/dev/null'
pw_json copy "$WORK/large" /srv/killed
check_status "once it is back" 0
check_json "it gets the rest: what lies behind the damage" ".nodes.cu01.received == $SIZE and .sent_by_this_machine < $SIZE - 1500000"
check "and is right" holds /srv/killed cu01
check "nothing is left of it" clean

start copy --rate-limit 3M "$WORK/large" /srv/hung
part_on cu02 3000000
on cu01 'pkill -STOP -f podwright/[r]elay-'
ended
check_json "those behind a node that hangs midway do not wait for it" '[.nodes.head, .nodes.cu02, .nodes.cu03] | all(.status == "ok")'
check "they have everything" holds /srv/hung head cu02 cu03
check_status "it answers again, and is served at last" 0
check "it is right, too" holds /srv/hung cu01
on cu01 'pkill -CONT -f podwright/[r]elay-; sleep 1; true'
check "and nothing is left" clean

on cu02 'touch /srv/.podwright-copy-another.part'
pw_json copy "$WORK/large" /srv/tidied
check_status "where an earlier transfer of something else was cut off" 0
check "nothing of it is left" clean

head -c 12000000 "$WORK/large" >"$WORK/half"
start copy --rate-limit 4M "$WORK/large" /srv/first
part_on cu03 3000000
mkdir "$WORK/elsewhere"  # as if from another machine: one that knows of the other would wait for it
cp "$LAB/cluster.toml" "$WORK/elsewhere/"
CLUSTER=$WORK/elsewhere/cluster.toml pw_json copy "$WORK/half" /srv/second
check_status "two copies into one folder at a time" 0
check "the longer one goes on" kill -0 "$HEAD"
ended
check_status "and is done" 0
check_json "without sending anything twice" ".sent_by_this_machine == $SIZE"
check "both are right" everywhere 'head -c 12000000 /srv/first | cmp - /srv/second'
check "and nothing is left" clean

start copy --rate-limit 3M "$WORK/large" /srv/cut
part_on cu03 3000000
kill -9 "$HEAD"
ended
sleep 2
check "the head was killed: no relay goes on" everywhere '! pgrep -f podwright/[r]elay-'
check "nor is one left" everywhere '! ls /var/lib/podwright/relay-* 2>/dev/null'
pw_json copy "$WORK/large" /srv/cut
check_status "the same command" 0
check_json "takes it up" ".sent_by_this_machine < $SIZE - 2000000"
check "and finishes it" holds /srv/cut "${ALL[@]}"

start copy --rate-limit 3M "$WORK/large" /srv/stopped
part_on cu01 1000000
kill -INT "$HEAD"
ended
check_status "Ctrl-C" 130
check "no relay goes on" everywhere '! pgrep -f podwright/[r]elay-'

cp "$WORK/large" "$WORK/shrinks"
start copy --rate-limit 3M "$WORK/shrinks" /srv/shrinks
part_on cu01 3000000
truncate -s 4000000 "$WORK/shrinks"
ended
check_status "the file becomes shorter while it is sent" 3
check_json "no node has it, and each says why" '[.nodes[] | .status == "failed" and (.error | test("shrinks has become shorter"))] | all and length == 4'
check "nor does a relay go on" everywhere '! pgrep -f podwright/[r]elay-'
everywhere 'rm -rf /srv/.podwright-copy-* /srv/large'

# A node whose link is slow: those behind it go past it. Its link is mended once they have everything.
NET=pwlab-$(sha256sum <<<"$LAB" | head -c 8)-net
tc -n "$NET" qdisc replace dev m-cu01 root tbf rate 2mbit burst 32768 latency 50ms
latest_run() { ls -d "$LAB"/.podwright/runs/* | tail -n 1; }
BEFORE=$(latest_run)
start copy --rate-limit 1M "$WORK/half" /srv/slow
has_everything() { # NODE, says the journal
  grep -q "\"event\":\"progress\",\"phase\":\"copy\",.*\"item\":\"$1\"}" "$(latest_run)/events.ndjson"
}
passed_by() { # cu03 had everything, and cu01 had not
  local i
  for ((i = 0; i < 600; i++)); do
    if [[ $(latest_run) != "$BEFORE" ]]; then
      ! has_everything cu01 || return 1
      ! has_everything cu03 || return 0
    fi
    sleep 0.1
  done
  return 1
}
check "those behind a slow node do not wait for it" passed_by
tc -n "$NET" qdisc del dev m-cu01 root
ended
check_status "it is served, too" 0
check_error "and is named" "cu01 is slow"
check "nothing is left of that" clean

# ---------------------------------------------------------------- who cannot take part, and trees

on cu02 'mv /usr/bin/gzip /usr/bin/gzip.away'
pw_json copy "$WORK/large" /srv/
check_status "a node that cannot run a relay" 0
check "is served over SSH" holds /srv/large "${ALL[@]}"
on cu02 'mv /usr/bin/gzip.away /usr/bin/gzip'
on cu02 'mkdir -p /srv/small && mount -t tmpfs -o size=20m tmpfs /srv/small && mkdir /srv/small/into'
pw_json copy "$WORK/large" /srv/small/into/
check_status "a node without room" 3
check_json "says how much there is, and is not sent it in another way" '.nodes.cu02 | .status == "failed" and .received == 0 and (.error | test("/srv/small/into has room for .* MiB, and 22.9 MiB are to come"))'
check "the others have it" holds /srv/small/into/large head cu01 cu03
everywhere '! mountpoint -q /srv/small || umount /srv/small; rm -rf /srv/small'
LIBRARY=$(on cu02 "ldconfig -p | awk '/libstdc[+][+].so.6 / { print \$NF; exit }'")
on cu02 "rm /srv/large; mv $LIBRARY /root/"
on cu01 'rm /srv/large'
pw_json copy "$WORK/large" /srv/
check_status "a node without a C++ library" 0
check_json "relays all the same" ".sent_by_this_machine == $SIZE and .nodes.cu02.received == $SIZE"
on cu02 "mv /root/${LIBRARY##*/} $LIBRARY"
start copy --direct --rate-limit 20M "$WORK/large" /srv/direct
part_on cu01 1000000
check "sent directly, no node listens for another" everywhere '! ss -Hltnp | grep -q relay-'
check "while it goes on" kill -0 "$HEAD"
ended
check_status "all over SSH" 0
check_json "from this machine to each" ".sent_by_this_machine == 4 * $SIZE"
start copy --direct --rate-limit 20M "$WORK/large" /srv/alone
part_on cu01 1000000
on cu01 'pkill -STOP -f podwright/[r]elay-'
ended
check_status "sent directly, a node hangs: once it is the only one left, it is not waited for" 0
check "it is asked again, and has it" holds /srv/alone "${ALL[@]}"
on cu01 'pkill -KILL -f podwright/[r]elay-; rm -f /srv/.podwright-copy-*; true'
check "nothing is left" clean

mkdir -p "$WORK/tree/deep/er"
head -c 3000000 /dev/urandom >"$WORK/tree/one"
cp "$WORK/tree/one" "$WORK/tree/deep/the same; \$(touch bad)"
head -c 2500000 /dev/urandom >"$WORK/tree/deep/er/two"
chmod 4755 "$WORK/tree/deep/er/two"
: >"$WORK/tree/empty"
ln -s ../one "$WORK/tree/deep/link"
chmod 0510 "$WORK/tree/deep/er"
print_tree() { echo "cd $1 && find . -printf '%y %m %p %l\n' | sort; find . -type f -exec sha256sum {} + | sort"; }
pw_json copy "$WORK/tree" /srv/tree
check_status "a tree" 0
check_json "equal contents travel once" '.sent_by_this_machine == 5500000'
wanted=$(bash -c "$(print_tree "$WORK/tree")")
for node in cu01 cu03; do check "it is the same on $node" equal "$(on "$node" "$(print_tree /srv/tree)")" "$wanted"; done
check "names are never run" everywhere '! ls /bad /root/bad /srv/tree/bad 2>/dev/null'
echo more >>"$WORK/tree/one"
pw_json copy "$WORK/tree" /srv/tree
check_json "one file changed: it alone is sent" '.sent_by_this_machine == 3000005'
check "nothing is left" clean

pw_json copy "$WORK/large" /srv/tree
check_status "a file over a folder is refused" 3
check_json "with the way to write it" '.nodes.cu01 | (.error | test("/srv/tree is a folder there")) and (.hint | test("write /srv/tree/"))'
check_json "before anything is sent" '.sent_by_this_machine == 0'
pw_json copy "$WORK/none" /srv/
check_status "a source that is not there is found before any node is contacted" 2
