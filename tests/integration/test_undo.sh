#!/usr/bin/env bash
# shellcheck disable=SC2016
# What apply did is taken back: the node has the files and the packages that it had before, and what a
# person changed in between is left and named.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lab_up 2

# Everything on the node's disk: path, type, mode, owner, target, and the content of files. Left out, each
# because nothing that installs and removes a package could keep it as it was:
#   /var/log, /var/cache, /tmp, /var/tmp           logs, caches, temporary files of everybody
#   /var/lib/apt/lists, /var/lib/apt/periodic      what apt fetched, and when
#   /var/lib/dpkg, /var/lib/ucf, extended_states   the packager's own books: the package list is compared instead
#   /etc/ld.so.cache                               the linker's cache, made anew by every library
#   /etc/{passwd,group,shadow,gshadow,subuid,subgid}-   the account tools' backup of the state before the last change
#   /var/lib/systemd                               stamps of timers, the random seed
MANIFEST='cd / && LC_ALL=C find . -xdev \
  \( -path ./var/log -o -path ./var/cache -o -path ./tmp -o -path ./var/tmp -o -path ./var/lib/apt/lists \
     -o -path ./var/lib/apt/periodic -o -path ./var/lib/dpkg -o -path ./var/lib/ucf -o -path ./var/lib/systemd \
     -o -path ./var/lib/apt/extended_states -o -path ./etc/ld.so.cache -o -path "./etc/passwd-" -o -path "./etc/group-" \
     -o -path "./etc/shadow-" -o -path "./etc/gshadow-" -o -path "./etc/subuid-" -o -path "./etc/subgid-" \) -prune \
  -o -printf "%p\t%y\t%m\t%U:%G\t%l\n" >/run/manifest.list && LC_ALL=C sort /run/manifest.list &&
  awk -F "\t" "\$2 == \"f\" { printf \"%s%c\", \$1, 0 }" /run/manifest.list | LC_ALL=C sort -z | xargs -0 sha256sum'
manifest() { # NODE FILE
  on "$1" "$MANIFEST" >"$2"
}
packages() { # NODE: names, versions and states
  on "$1" "dpkg -l | grep '^[a-z][a-z]' | awk '{ print \$1, \$2, \$3 }'"
}
same() { diff -u "$1" "$2"; }
services() { on "$1" "systemctl list-units --type=service --state=running --no-legend --plain | awk '{ print \$1 }' | grep -v '^session\|^user@\|^systemd-hostnamed'"; }
settings() { on "$1" "hostname; cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/tcp_rmem /proc/sys/net/ipv4/tcp_wmem"; }

for node in head cu01; do
  manifest $node "$WORK/$node.before"
  packages $node >"$WORK/$node.packages.before"
  { services $node; settings $node; } >"$WORK/$node.running.before"
done
check "the manifest sees the files of a node" bash -c "(( \$(wc -l <'$WORK/head.before') > 10000 ))"

# ---------------------------------------------------------------- nothing yet

pw_json undo --yes
check_status "undo on a node that podwright never changed exits with 0" 0
check_json "and takes nothing back" '.summary == {"nodes": 2, "restored": 0, "left": 0, "failed": 0}'

# ---------------------------------------------------------------- applied, and taken back whole

pw_json apply --yes
check_status "the profile is applied" 0
steps=$(json '[.nodes[].changed | length] | add')
check "the ledger belongs to root alone" equal "$(on cu01 'stat -c "%a %U" /var/lib/podwright/ledger')" "700 root"
pw_json undo --dry-run
check_status "a dry run exits with 0" 0
check_json "it names what would be taken back" '.dry_run and (.nodes.cu01.would_restore | index("package/slurmd") != null) and .summary.left == 0'
check "and takes nothing back" on cu01 'test -e /etc/slurm/slurm.conf && test -d /var/lib/podwright/ledger'

pw_json undo --yes
check_status "undo exits with 0" 0
check_json "nothing is left" '.summary.left == 0 and .summary.failed == 0'
check_json "every step was taken back" ".summary.restored == $steps"
for node in head cu01; do
  manifest $node "$WORK/$node.after"
  packages $node >"$WORK/$node.packages.after"
  { services $node; settings $node; } >"$WORK/$node.running.after"
  check "$node has the packages that it had" same "$WORK/$node.packages.before" "$WORK/$node.packages.after"
  check "$node has the files that it had" same "$WORK/$node.before" "$WORK/$node.after"
  check "$node runs what it ran" same "$WORK/$node.running.before" "$WORK/$node.running.after"
  check "$node has no ledger any more" on $node '! test -e /var/lib/podwright'
done
check "no secret was logged" bash -c "! grep -qF \"\$(head -c 24 '$LAB'/.podwright/secrets/munge* | base64 -w0 | head -c 24)\" '$LOG'"

# ---------------------------------------------------------------- a person changed something since

cat >"$WORK/small.toml" <<'END'
[profile]
name = "small"
summary = "A few things of each sort"
requires = { os = ["debian 12"] }

[[package]]
name = "tree"

[[file]]
path = "/etc/motd"
content = "podwright was here\n"

[[file]]
path = "/opt/site/app.conf"
content = "a = 1\n"
parents = true

[[user]]
name = "carol"
groups = ["games"]

[[group]]
name = "crew"

[[timezone]]
name = "Europe/Berlin"

[[mount]]
path = "/mnt/scratch"
source = "tmpfs"
fstype = "tmpfs"
options = "size=1m"

[[unit]]
name = "quiet.service"
content = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"

[[service]]
name = "quiet"
enabled = true
after = ["unit/quiet.service"]

[[service]]
name = "loud"
state = "stopped"
enabled = false

[[command]]
name = "no way back"
run = "touch /opt/marked"
creates = "/opt/marked"
END
# A service that runs already, and that the profile stops.
on cu01 "printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/loud.service; systemctl enable -q --now loud"
manifest cu01 "$WORK/cu01.before"
small=(-n cu01 --profile "$WORK/small.toml")
pw_json apply --yes "${small[@]}"
check_status "a small profile is applied" 0
check "it stopped the service" on cu01 '! systemctl is-active loud && ! systemctl is-enabled loud'
on cu01 'echo "by hand" >>/etc/motd; echo notes >/home/carol/notes; echo mine >/opt/site/mine'
pw_json undo --yes -n cu01
check_status "what was left does not make undo fail" 0
check_json "the file that a person changed is left and named" \
  'any(.nodes.cu01.left[]; .id == "file//etc/motd" and (.why | contains("/etc/motd was changed since (content)")) and (.hint | contains("--force")))'
check_json "the command without undo is named" 'any(.nodes.cu01.left[]; .id == "command/no way back" and (.why | contains("no undo")))'
check_json "the home with a file of carol's is named" 'any(.nodes.cu01.left[]; .id == "user/carol" and (.why | contains("notes")))'
check_json "the folder with somebody's file is named" 'any(.nodes.cu01.left[]; .id == "file//opt/site/app.conf" and (.why | contains("mine")))'
check_json "the rest is taken back" '(.nodes.cu01.restored | sort) == ["group/crew", "mount//mnt/scratch", "package/tree", "service/loud", "service/quiet", "timezone/Europe/Berlin", "unit/quiet.service"]'
check "the service that apply stopped runs again" on cu01 'systemctl is-active loud && systemctl is-enabled loud'
check "what a person wrote is there" equal "$(on cu01 'tail -n 1 /etc/motd; cat /home/carol/notes /opt/site/mine' | xargs)" "by hand notes mine"
on cu01 'rm -r /home/carol /opt/site/mine /opt/marked'
pw_json undo --yes --force -n cu01
check_status "with --force it takes back the rest" 0
manifest cu01 "$WORK/cu01.after"
check "and then the node has the files that it had" same "$WORK/cu01.before" "$WORK/cu01.after"

# ---------------------------------------------------------------- one component; a node that is gone

pw_json apply --yes -n cu01 --component runtime/network-tools --component base/hpc-node
check_status "two components are applied" 0
pw_json undo --yes -n cu01 --component runtime/network-tools
check_json "only one of them is taken back" '.nodes.cu01.restored == ["package/iperf3"]'
check "its package is gone, the other's is there" on cu01 '! dpkg -s iperf3 && dpkg -s chrony'
lab kill head
pw_json undo --yes
check_status "a node that is gone makes undo exit with 3" 3
check_json "it is unreachable, the other is as it was" '.nodes.head.status == "unreachable" and .nodes.cu01.status == "ok"'
manifest cu01 "$WORK/cu01.after"
check "the node has the files that it had, after all" same "$WORK/cu01.before" "$WORK/cu01.after"
