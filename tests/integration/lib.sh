# What every integration scenario needs: a lab of its own, podwright in it, and claims.
# shellcheck shell=bash disable=SC2016,SC2129
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PODWRIGHT=${PODWRIGHT:-$ROOT/build/podwright}
WORK=$(mktemp -d "/tmp/podwright-scenario.XXXXXX")
LAB=$WORK/lab
LOG=$WORK/log
PASSED=0 FAILED=0

finish() {
  local status=$?
  [[ -d $LAB ]] && "$ROOT/scripts/lab" down --dir "$LAB" >>"$LOG" 2>&1
  echo "$PASSED passed, $FAILED failed"
  if ((FAILED > 0 || status != 0)); then
    echo "the log is $LOG"
    exit 1
  fi
  rm -rf "$WORK"
}
trap finish EXIT

lab() { "$ROOT/scripts/lab" "$@" --dir "$LAB" 2>>"$LOG"; }
lab_up() { # N: or nothing of the scenario makes sense
  lab up "$@" || { echo "the lab does not come up; see $LOG"; tail -20 "$LOG"; FAILED=$((FAILED + 1)); exit 1; }
}
on() { # NODE COMMAND LINE
  "$ROOT/scripts/lab" --dir "$LAB" exec "$@" 2>>"$LOG"
}
# podwright in the lab. stdout is the caller's, stderr goes to $WORK/err and the log; STATUS is kept.
pw() {
  printf '\n$ podwright %s\n' "$*" >>"$LOG"
  "$ROOT/scripts/lab" --dir "$LAB" run -- "$PODWRIGHT" -c "${CLUSTER:-$LAB/cluster.toml}" "$@" 2>"$WORK/err"
  STATUS=$?
  cat "$WORK/err" >>"$LOG"
  return $STATUS
}
# The same with its JSON in $WORK/out.
pw_json() {
  pw --output json "$@" >"$WORK/out"
  cat "$WORK/out" >>"$LOG"
}
# The same in the background, as $HEAD; `ended` waits for it. What runs in between does not touch its output.
start() {
  printf '\n$ podwright %s &\n' "$*" >>"$LOG"
  "$ROOT/scripts/lab" --dir "$LAB" run -- "$PODWRIGHT" -c "$LAB/cluster.toml" --output json "$@" >"$WORK/started" 2>"$WORK/started.err" &
  HEAD=$!
}
ended() {
  wait "$HEAD"
  STATUS=$?
  cp "$WORK/started" "$WORK/out"
  cp "$WORK/started.err" "$WORK/err"
  cat "$WORK/out" "$WORK/err" >>"$LOG"
}
json() { jq -r "$1" "$WORK/out"; }

# One claim: passes when the command succeeds.
check() { # CLAIM COMMAND…
  local claim=$1
  shift
  if "$@" >>"$LOG" 2>&1; then
    echo "ok     - $claim"
    PASSED=$((PASSED + 1))
  else
    echo "not ok - $claim   ($*)"
    printf 'NOT OK: %s\n' "$claim" >>"$LOG"
    FAILED=$((FAILED + 1))
  fi
}
equal() { [[ $1 == "$2" ]] || { echo "\"$1\" is not \"$2\""; false; }; }
contains() { [[ $1 == *"$2"* ]] || { echo "\"$1\" does not contain \"$2\""; false; }; }
# A claim about the JSON of the last pw_json: a jq filter that must give true.
check_json() { # CLAIM FILTER
  check "$1" jq -e "$2" "$WORK/out"
}
check_status() { # CLAIM WANTED
  check "$1" equal "$STATUS" "$2"
}
check_error() { # CLAIM TEXT: stderr of the last run says so
  check "$1" contains "$(cat "$WORK/err")" "$2"
}
# A file with its one bit wrong; the same again makes it right.
flip_bit() { # FILE BYTE: the lowest bit of it
  local byte
  byte=$(od -An -tu1 -j"$2" -N1 "$1")
  printf %b "\\0$(printf %o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# --- repositories that a scenario makes itself: debs in $DEBS, an InRelease signed by the key "good" ---------
DEBS=$WORK/debs
make_key() { # NAME: its public half is $WORK/NAME.asc
  export GNUPGHOME=$WORK/gpg
  [[ -d $GNUPGHOME ]] || mkdir -m 700 "$GNUPGHOME"
  gpg --batch --quiet --passphrase '' --quick-gen-key "$1 <$1@example.org>" rsa2048 sign never 2>>"$LOG"
  gpg --armor --export "$1@example.org" >"$WORK/$1.asc"
}
deb_of() { # NAME VERSION LINES OF THE CONTROL FILE: a package with the file /opt/NAME
  local folder=$WORK/deb/$1
  mkdir -p "$folder/DEBIAN" "$folder/opt" "$DEBS"
  chmod 755 "$folder" "$folder/DEBIAN"
  echo "$2" >"$folder/opt/$1"
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: of a test\n%s' "$1" "$2" "$3" >"$folder/DEBIAN/control"
  dpkg-deb --root-owner-group --build "$folder" "$DEBS/$1_$2_all.deb" >>"$LOG" 2>&1
}
deb_index() {
  (
    cd "$DEBS" && rm -f Packages* InRelease && dpkg-scanpackages -m . 2>>"$LOG" >Packages && xz -k Packages
    {
      printf 'Origin: test\nDate: %s\nSHA256:\n' "$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S UTC')"
      for file in Packages Packages.xz; do printf ' %s %s %s\n' "$(sha256sum <$file | cut -d' ' -f1)" "$(stat -c %s $file)" $file; done
    } | gpg --batch --quiet --clearsign -u good@example.org >InRelease
  )
}

# --- copies: ALL the nodes, and SUM, what sha256sum says of the large file --------------------------------------
everywhere() { # COMMAND
  local node
  for node in "${ALL[@]}"; do on "$node" "$1" || { echo "not on $node"; return 1; }; done
}
holds() { # FILE NODE…: the large file is there
  local file=$1 node
  shift
  for node; do equal "$(on "$node" "sha256sum <$file")" "$SUM" || { echo "on $node"; return 1; }; done
}
clean() { # nothing of the transfer runs or lies on the nodes
  everywhere '! pgrep -f podwright/[r]elay- && ! ls -d /var/lib/podwright/relay* /srv/.podwright-copy* 2>/dev/null'
}
