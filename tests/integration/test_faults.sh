#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2129
# A bad night: nodes that are down, hang, hang up, changed their key, refuse the login or have a full
# disk. Each is named with its step and remedy, and the others go on.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lab_up 5

# A small profile: what is tested here is the engine, not the packages.
mkdir -p "$LAB/profiles"
cat >"$LAB/profiles/small.toml" <<'TOML'
[profile]
name = "small"
summary = "A few files"

[[file]]
path = "/etc/podwright-test.conf"
content = "node = {{node.name}}\n"

[[directory]]
path = "/srv/test"

[[file]]
path = "/srv/test/big"
content = "{{big}}"
after = ["directory//srv/test"]

[vars]
big = "small"
TOML
small() { pw_json --profile small "$@"; }

small apply --yes
check_status "five healthy nodes" 0

# ---------------------------------------------------------------- five faults at once

lab kill cu01
on cu02 'pkill -STOP -o -x sshd' >>"$LOG"
on cu03 'rm -f /etc/ssh/ssh_host_*; ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key; systemctl restart ssh' >>"$LOG"
on cu04 'mount -t tmpfs -o size=16k tmpfs /srv/test; rm -f /etc/podwright-test.conf' >>"$LOG"
on head 'rm -f /etc/podwright-test.conf'

small apply --yes --timeout 20s --set "big=$(head -c 60000 /dev/zero | tr '\0' x)"
check_status "faults make apply exit with 3" 3
check_json "a node without power is unreachable" '.nodes.cu01.status == "unreachable" and (.nodes.cu01.error | length) > 0'
check_json "a node that accepts and says nothing is unreachable, and the message says so" \
  '.nodes.cu02.status == "unreachable" and (.nodes.cu02.error | test("banner|no answer|within"))'
check_json "a changed host key is refused with both fingerprints" \
  '.nodes.cu03.status == "unreachable" and (.nodes.cu03.error | test("key")) and ([.nodes.cu03.error | scan("SHA256:")] | length) == 2'
check_json "a full disk fails at its step, with the reason" \
  '.nodes.cu04.status == "failed" and .nodes.cu04.failed_step == "file//srv/test/big" and (.nodes.cu04.error | test("No space"))'
check_json "what stood before the full disk is done" '.nodes.cu04.changed | index("file//etc/podwright-test.conf") != null'
check_json "the healthy node is finished" '.nodes.head.status == "ok" and (.nodes.head.changed | length) == 2'
check_error "the end names the log" "events.ndjson"
pw_json --timeout 15s facts
check_json "facts of a node with a full disk still arrive" '.nodes.cu04.os.id == "debian"'

on cu04 'umount /srv/test'
lab down && lab_up 3
small apply --yes
check_status "a new lab is healthy" 0

# ---------------------------------------------------------------- a connection that ends in the middle

pw_json exec -n cu01 -- sh -c 'echo before; kill -9 $PPID; sleep 5'
check_status "a connection cut in mid-command exits with 3" 3
check_json "it is not called a success" '.nodes.cu01.status != "ok"'
pw_json exec -n 'cu[01-02]' -- hostname
check_json "the next command reconnects" '.nodes.cu01.stdout == "cu01\n" and .nodes.cu02.stdout == "cu02\n"'

# ---------------------------------------------------------------- output

pw_json exec -n @all --timeout 120s -- sh -c 'if [ "$(hostname)" = cu01 ]; then head -c 100000000 /dev/urandom; printf "\033[31mred\033[0m"; else echo fine; fi'
check_status "100 MB of noise is no failure" 0
check_json "the output is bounded, and clean text" '(.nodes.cu01.stdout | length) < 20000000 and (.nodes.cu01.stdout | contains("\u001b") | not)'
check_json "the others are undisturbed" '.nodes.cu02.stdout == "fine\n" and .nodes.head.stdout == "fine\n"'
pw_json exec -n cu02 --timeout 2s -- sleep 60
check_status "a command beyond its deadline exits with 3" 3
check_json "it is called a timeout" '.nodes.cu02.status == "timeout"'

# ---------------------------------------------------------------- logins

add_operator="useradd -m -s /bin/bash opsuser && echo opsuser:secret-1 | chpasswd && install -d -o opsuser /home/opsuser/.ssh &&
  echo '$(cat "$LAB/id_ed25519.pub")' >/home/opsuser/.ssh/authorized_keys && chown opsuser /home/opsuser/.ssh/authorized_keys"
on cu01 "$add_operator" >>"$LOG"
on cu02 "$add_operator && echo 'opsuser ALL=(ALL) ALL' >/etc/sudoers.d/opsuser" >>"$LOG"

login() { # NODE TOML…: a cluster of that one node
  printf '[cluster]\nname = "login"\nprofile = "small"\nstate_dir = "%s/state-login"\n[ssh]\nuser = "opsuser"\nknown_hosts = "%s/known_hosts"\nssh_config = false\nagent = false\n%s\n[[node]]\nname = "%s"\naddress = "%s"\nroles = ["compute"]\n' \
    "$WORK" "$LAB" "$2" "$1" "10.98.0.1${1#cu0}" >"$LAB/login.toml"
}
CLUSTER=$LAB/login.toml
login cu01 'password_env = "TEST_PASSWORD"'
TEST_PASSWORD=wrong pw_json exec -- true
check_status "a wrong password exits with 3" 3
check "the password is in no message" bash -c "! grep -q 'wrong' '$WORK/err'"
check_json "the refused login is named" '.nodes.cu01.status != "ok" and (.nodes.cu01 | tostring | test("password|login|auth"; "i"))'
login cu01 "key = \"$LAB/id_ed25519\"
become = \"sudo\""
pw_json apply --yes
check_status "no right to sudo exits with 3" 3
check_json "sudo's refusal is named" '.nodes.cu01.error + (.nodes.cu01.hint // "") | test("sudo")'
login cu02 "key = \"$LAB/id_ed25519\"
become = \"sudo\"
become_password_env = \"TEST_SUDO\""
TEST_SUDO=secret-1 pw_json apply --yes
check_status "sudo with its password works" 0
TEST_SUDO=secret-2 pw_json apply --yes
check_status "a wrong sudo password exits with 3" 3
check "the sudo password is in no log" bash -c "! grep -rq 'secret-[12]' '$WORK/state-login' '$WORK/err' '$WORK/out'"
unset CLUSTER

# ---------------------------------------------------------------- interruption

on cu01 'rm -f /etc/podwright-test.conf'
"$ROOT/scripts/lab" --dir "$LAB" run -- "$PODWRIGHT" -c "$LAB/cluster.toml" exec -n @all -- sleep 30 >"$WORK/out" 2>"$WORK/err" &
runner=$!
sleep 3
pkill -INT -f "$LAB/cluster.toml exec"
wait $runner
STATUS=$?
check_status "Ctrl-C exits with 130" 130
