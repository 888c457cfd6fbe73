#!/usr/bin/env bash
# shellcheck disable=SC2016
# The same environment without internet: locks for two releases and two architectures, bundles that are the same
# bytes twice, tampering that is refused by name, bundles that go from node to node, and nodes with no route out
# that become the cluster from the bundle alone.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lab_up 2 --no-internet

export XDG_CACHE_HOME=${PODWRIGHT_TEST_CACHE:-$WORK/cache}
PROFILE=debian12-slurm-cpu

# Where this machine's apt gets Debian from, and by which proxy; a mirror may be a frozen one.
eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
[[ -z ${http_proxy:-} ]] || export http_proxy
mirror_of() { # RELEASE
  apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Origin: Debian' | awk -v release="$1" '$2 == release { print $1; exit }'
}
mkdir -p "$LAB/distributions"
awk -v main="$(mirror_of bookworm)" -v security="$(mirror_of bookworm-security)" '
  /^uris = .*debian-security/ && security { sub(/\[/, "[\"" security "\", ") }
  /^uris = .*debian"/ && main { sub(/\[/, "[\"" main "\", ") }
  { print }
  /^uris = / { print "check_valid_until = false" }' "$ROOT/distributions/debian.toml" >"$LAB/distributions/debian.toml"

# podwright here, outside of the lab: with the network that the nodes do not have.
here() {
  printf '\n$ podwright %s\n' "$*" >>"$LOG"
  "$PODWRIGHT" -c "$LAB/cluster.toml" --output json "$@" >"$WORK/out" 2>"$WORK/err"
  STATUS=$?
  cat "$WORK/out" "$WORK/err" >>"$LOG"
  return 0
}

# --- locks ---------------------------------------------------------------------------------------------

here lock --profile "$PROFILE" --os debian:12:amd64 --os debian:12:arm64 --os debian:13:amd64 --os debian:13:arm64 -o "$WORK/all.lock.toml"
check_status 'lock, for another release and another architecture as well' 0
check_json 'each with its packages' '[.systems[].packages] | length == 4 and all(. > 100)'
check 'in the versions of their releases' grep -q 'id = "debian:13:aarch64"' "$WORK/all.lock.toml"
check 'for both architectures' grep -q '_arm64.deb"' "$WORK/all.lock.toml"
here lock --profile "$PROFILE" --os debian:99:amd64
check_status 'a release that nobody knows is a usage error' 2

mkdir "$WORK/payload"
head -c 3000000 /dev/urandom >"$WORK/payload/file"
tar -C "$WORK" -cf "$LAB/payload.tar" payload
SIZE=$(stat -c %s "$LAB/payload.tar")
DIGEST=$(sha256sum <"$LAB/payload.tar" | cut -d' ' -f1)
# A repository that nodes could not reach even with a network: its folder is here.
make_key good
deb_of pw-vendor 1.0 ''
deb_index
cat >"$LAB/small.toml" <<TOML
[profile]
name = "small"
summary = "something small"

[[package]]
name = "munge"

[[repo]]
name = "vendor"
uris = ["file://$DEBS"]
suites = ["/"]
key = """
$(cat "$WORK/good.asc")
"""

[[package]]
name = "pw-vendor"

[[archive]]
source = "payload.tar"
sha256 = "$DIGEST"
dest = "/opt/pw-small"
TOML
pw_json facts
cp "$WORK/out" "$WORK/facts.json"
here lock --profile "$LAB/small.toml" --facts "$WORK/facts.json"
check_status 'lock for nodes as their facts were recorded' 0
check_json 'only what they lack' '[.systems[].packages] | length == 1 and all(. > 1 and . < 20)'
cp "$LAB/profile.lock.toml" "$WORK/small.lock.toml"
here lock --profile "$LAB/small.toml" --facts "$WORK/facts.json"
check 'a second lock is the same text' cmp "$LAB/profile.lock.toml" "$WORK/small.lock.toml"

# --- bundles, and what is refused ------------------------------------------------------------------------

here bundle keygen -o "$WORK/site.key"
check_status 'keygen' 0
check 'the private key is its owner'"'"'s alone' equal "$(stat -c %a "$WORK/site.key")" 600
here bundle create -o "$WORK/small.tar.zst" --key "$WORK/site.key"
check_status 'bundle create' 0
check_json 'a closed bundle' '.closed and .artifacts > 1 and (.sha256 | length) == 64'
mkdir "$WORK/elsewhere"
cp "$WORK/small.lock.toml" "$LAB/payload.tar" "$WORK/elsewhere/"
sleep 1
here bundle create --lock "$WORK/elsewhere/small.lock.toml" -o "$WORK/elsewhere/second.tar.zst" --key "$WORK/site.key"
check 'made twice, in another folder and later, it is the same bytes' cmp "$WORK/small.tar.zst" "$WORK/elsewhere/second.tar.zst"
here bundle verify "$WORK/small.tar.zst" --pub "$WORK/site.key.pub"
check_status 'verify' 0
check_json 'whole, closed, and by the key that was given' '.closed and .key_checked and (.problems | length) == 0'
check_json 'with the digest of the file' ".sha256 == \"$(sha256sum <"$WORK/small.tar.zst" | cut -d' ' -f1)\""

refused() { # CLAIM TEXT
  check_status "$1" 4
  check "$1, by name" contains "$(cat "$WORK/err")" "$2"
}
cp "$WORK/small.tar.zst" "$WORK/flipped.tar.zst"
flip_bit "$WORK/flipped.tar.zst" $(($(stat -c %s "$WORK/flipped.tar.zst") / 2))
here bundle verify "$WORK/flipped.tar.zst"
refused 'a flipped bit' flipped.tar.zst
here bundle keygen -o "$WORK/other.key"
here bundle verify "$WORK/small.tar.zst" --pub "$WORK/other.key.pub"
refused 'somebody else'"'"'s key' 'signed by the key'
head -c 100000 "$WORK/small.tar.zst" >"$WORK/cut.tar.zst"
here bundle verify "$WORK/cut.tar.zst"
refused 'a bundle that is cut off' 'cut off'
{ cat "$WORK/small.tar.zst"; echo more; } >"$WORK/longer.tar.zst"
here bundle verify "$WORK/longer.tar.zst"
refused 'bytes behind its end' 'behind its end'

mkdir "$WORK/open"
zstd -dcq "$WORK/small.tar.zst" | tar -C "$WORK/open" -xf -
repack() { (cd "$WORK/open" && tar --sort=name -cf - -- *) | zstd -q -f -o "$WORK/changed.tar.zst"; }
munge=$(basename "$(echo "$WORK"/open/pool/debian*/libmunge2_*.deb)")
POOL=$(dirname "$(echo "$WORK"/open/pool/debian*/libmunge2_*.deb)")
mv "$POOL/$munge" "$WORK/"
repack
here bundle verify "$WORK/changed.tar.zst"
refused 'a package that was taken out' 'libmunge2'
check 'with what needs it' contains "$(cat "$WORK/err")" 'libmunge2 is needed by'
cp "$WORK/$munge" "$POOL/"
flip_bit "$POOL/$munge" 2000
repack
here bundle verify "$WORK/changed.tar.zst"
refused 'a package with one bit flipped' "$munge"
cp "$WORK/$munge" "$POOL/"
echo evil >"$POOL/evil.deb"
repack
here bundle verify "$WORK/changed.tar.zst"
refused 'a file that was slipped in' evil.deb
rm "$POOL/evil.deb"
flip_bit "$WORK/open/index.json.sig" $(($(stat -c %s "$WORK/open/index.json.sig") - 20))
repack
here bundle verify "$WORK/changed.tar.zst"
refused 'a signature with one bit flipped' 'index.json.sig'
zstd -dcq "$WORK/small.tar.zst" | tar -C "$WORK/open" -xf -
sed -i 's/"profile": "/"profile": "x/' "$WORK/open/index.json"
repack
here bundle verify "$WORK/changed.tar.zst"
refused 'an index that was changed after it was signed' 'index.json.sig'
for what in apply 'bundle push'; do
  # shellcheck disable=SC2086
  case $what in
    apply) pw_json --profile "$LAB/small.toml" apply --yes --bundle "$WORK/changed.tar.zst" ;;
    *) pw_json bundle push "$WORK/changed.tar.zst" ;;
  esac
  check_status "$what takes no such bundle" 4
done
ln -s /etc/passwd "$WORK/open/link"
repack
here bundle verify "$WORK/changed.tar.zst"
refused 'a link' '"link" is a link'
rm "$WORK/open/link"
(cd "$WORK/open" && tar -P --transform 's,^profile.lock.toml$,../../escaped,' -cf - index.json profile.lock.toml) | zstd -q -f -o "$WORK/changed.tar.zst"
here bundle verify "$WORK/changed.tar.zst"
refused 'a path that leads out' '"../../escaped" would lie outside'
check 'no node was touched by any of that' on cu01 '! test -e /var/lib/podwright'
rm -rf "$WORK/open" "$WORK"/{changed,flipped,cut,longer}.tar.zst

# --- from node to node -----------------------------------------------------------------------------------

pw_json bundle push "$WORK/small.tar.zst" --pub "$WORK/site.key.pub"
check_status 'bundle push' 0
check_json 'every node has received it, and this machine sent it once' \
  '([.nodes[].received] | length == 2 and all(. > 3000000)) and .sent_by_this_machine == .nodes.head.received'
check 'contents lie on the nodes by their digest' on cu01 'cd /var/lib/podwright/artifacts && for f in *; do [ "$(sha256sum <"$f")" = "$f  -" ] || exit 1; done'
pw_json bundle push "$WORK/small.tar.zst"
check_json 'a second push sends nothing' '.sent_by_this_machine == 0'
on cu01 "rm /var/lib/podwright/artifacts/$DIGEST"
pw_json bundle push "$WORK/small.tar.zst"
check_json 'or what is missing' '.sent_by_this_machine == '"$SIZE and .nodes.cu01.received == $SIZE"' and .nodes.head.received == 0'

# --- nodes with no route out -----------------------------------------------------------------------------

check 'the nodes have no way to a repository' on cu01 '! apt-get -qq update -o APT::Update::Error-Mode=any -o Acquire::Retries=0'
start --profile "$LAB/small.toml" apply --yes --bundle "$WORK/small.tar.zst"
for ((i = 0; i < 300; i++)); do
  ! on cu01 'test -d /var/lib/podwright/bundle/systems' || break
  sleep 0.1
done
kill -9 "$HEAD"
ended
pw_json apply --resume --yes
check_status 'an apply that was killed is resumed, from the same bundle' 0
check 'what it installs is there, also of a repository that is out of reach' on cu01 'munge -V && grep 1.0 /opt/pw-vendor && cmp /opt/pw-small/payload/file -' <"$WORK/payload/file"

here lock --profile "$PROFILE" --facts "$WORK/facts.json"
check_status 'lock of the whole profile' 0
here bundle create -o "$WORK/site.tar.zst" --key "$WORK/site.key"
check_status 'its bundle' 0
check_json 'is closed' '.closed and .artifacts > 50'
APT_STATE='find /etc/apt /var/lib/apt/lists -type f -exec sha256sum {} + | sort'
on cu01 "$APT_STATE" >"$WORK/apt.before"
pw_json --profile "$PROFILE" plan
cp "$WORK/out" "$WORK/plan.before"
pw_json --profile "$PROFILE" up --yes --bundle "$WORK/changed.tar.zst"
check_status 'a bundle that is not there is found before any node is contacted' 2
pw_json --profile "$PROFILE" up --yes --bundle "$WORK/site.tar.zst" --pub "$WORK/site.key.pub"
check_status 'up from the bundle alone' 0
check_json 'all nodes, measured, checked and handed over' '.pass and ([.nodes[] | select(.status == "ok")] | length == 2)'
check 'it did what the plan without a bundle says' equal \
  "$(jq -S '[.nodes[].steps[].id] | sort' "$WORK/plan.before")" "$(jq -S '[.nodes[].changed[]] | sort' "$WORK/out")"
on cu01 "$APT_STATE" >"$WORK/apt.after"
check 'apt'"'"'s configuration on the nodes is as it was' cmp "$WORK/apt.before" "$WORK/apt.after"
check 'nothing of the bundle is left there' on cu01 '! test -e /var/lib/podwright/bundle && ! test -e /var/lib/podwright/artifacts'
pw_json --profile "$PROFILE" plan
check_json 'the second plan is empty' '.summary.steps == 0'
check 'munge works' on cu01 'munge -n | unmunge >/dev/null'
check 'Slurm is there' on head 'slurmctld -V'
