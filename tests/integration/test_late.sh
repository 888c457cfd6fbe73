#!/usr/bin/env bash
# shellcheck disable=SC2016
# A transfer does not wait for nodes that take their time to let anybody in: they join it, or are served afterwards.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lab_up 6
ALL=(head cu01 cu02 cu03 cu04 cu05)
SIZE=24000000
head -c $SIZE /dev/urandom >"$WORK/large"
SUM=$(sha256sum <"$WORK/large")

knock() { # SIGNAL NODE: for its sshd, from outside
  local nspawn init
  nspawn=$(<"$LAB/run/$2/nspawn.pid")
  read -r init _ <"/proc/$nspawn/task/$nspawn/children"
  pkill "-$1" -o -x sshd --ns "$init" --nslist pid
}
close_door() { knock STOP "$1"; }
open_door() { knock CONT "$1"; }
events() { cat "$(ls -d "$LAB"/.podwright/runs/*-copy | tail -n 1)/events.ndjson"; }
arrived() { # NODE…: before anybody else
  local i
  for ((i = 0; i < 300; i++)); do
    if (($(events | grep -c '"event":"progress","phase":"copy",.*"item":"[a-z0-9]*"}') >= $#)); then break; fi
    sleep 0.1
  done
  local node
  for node; do events | grep -q "\"event\":\"progress\",\"phase\":\"copy\",.*\"item\":\"$node\"}" || { echo "$node has not"; return 1; }; done
}

close_door cu02
start copy --rate-limit 6M "$WORK/large" /srv/
sleep 1
check "the others have it while one node lets nobody in" arrived head cu01 cu03 cu04 cu05
check "and it has nothing" bash -c "! grep -q '\"item\":\"cu02' <<<'$(events)'"
open_door cu02
ended
check_status "it lets podwright in at last" 0
check "and has it" holds /srv/large "${ALL[@]}"
check_json "from a node: this machine has sent the file once" ".sent_by_this_machine == $SIZE and .nodes.cu02.received == $SIZE"
check "nothing is left" clean

# In the midst of it: it joins at the end of the chain, and nobody has to share with it.
on cu03 'rm /srv/large'
close_door cu03
start copy --rate-limit 3M "$WORK/large" /srv/joined
sleep 5
check "meanwhile the transfer goes on" bash -c "grep -q '\"phase\":\"copy\",.*\"item\":\"cu05 [1-9]0 %\"' <<<'$(events)'"
open_door cu03
ended
check_status "a node that comes in the midst of it" 0
check "has it as well" holds /srv/joined "${ALL[@]}"
check_json "this machine has sent it once" ".sent_by_this_machine == $SIZE"
check "nothing is left" clean

# What a node has is not known before it is there: who has the file already is not sent it.
for node in head cu01 cu03 cu05; do on "$node" 'rm -f /srv/large'; done
close_door cu02
close_door cu04
start copy --rate-limit 6M "$WORK/large" /srv/
sleep 2
open_door cu02
open_door cu04
ended
check_status "nodes that come late, and have the file" 0
check_json "are sent nothing; the others are" ".nodes.cu02.received == 0 and .nodes.cu04.received == 0 and .nodes.cu03.received == $SIZE and .sent_by_this_machine == $SIZE"
check "all have it" holds /srv/large "${ALL[@]}"
check "nothing is left" clean

# The others have it, and it never comes.
close_door cu01
start copy "$WORK/large" /srv/never
check "a node that never lets anybody in: the others have it" arrived head cu02 cu03 cu04 cu05
ended
check_status "exit 3" 3
check_json "and it is named" '.nodes.cu01.status == "unreachable" and ([.nodes[] | select(.status == "ok")] | length) == 5'
open_door cu01
check "nothing is left" clean
