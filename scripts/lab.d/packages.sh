# Where the nodes and their packages come from: the mirror of this machine's apt, and the cache.
#
# shellcheck shell=bash disable=SC2034,SC2154 # parts share names: shellcheck -x scripts/lab sees them all

# ---------------------------------------------------------------- where packages come from

# The host's own apt says which Debian the nodes are and where it comes from: "URI RELEASE", one a line.
# Components besides main are left out: nothing here needs them.
debian_sources() {
  # shellcheck disable=SC2016 # apt fills these in
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
    'Created-By: Packages' 'Origin: Debian' |
    awk -v suite="$SUITE" '$3 == "main" && ($2 == suite || index($2, suite "-") == 1) { print $1, $2 }' | sort -u
}

find_mirror() {
  MIRROR=$(debian_sources | awk -v suite="$SUITE" '$2 == suite && !found++ { print $1 }')
  [[ -n $MIRROR ]] || die "this machine's apt knows no Debian source for \"$SUITE\"" \
    "the nodes are made from it: check /etc/apt/sources.list and run apt-get update"
}

# ---------------------------------------------------------------- the base: a cached Debian root

base_name() {
  local key
  key=$( (dpkg --print-architecture; echo "$BASE_PACKAGES"; declare -f build_base) | sha256sum | head -c 10)
  echo "$SUITE-$key"
}

# Sets BASE to a complete root file system, and makes it when it is not in the cache. It appears under its
# name only when it is complete, so an interrupted attempt leaves nothing but a folder that the next removes.
ensure_base() {
  BASE=$CACHE/base/$(base_name)
  [[ ! -d $BASE ]] || return 0
  find_mirror
  mkdir -p "$CACHE/base"
  (
    flock 8
    [[ ! -d $BASE ]] || exit 0
    rm -rf --one-file-system "$CACHE"/base/making.*
    say "making the nodes' Debian $SUITE, once (a minute or so)"
    making=$(mktemp -d "$CACHE/base/making.XXXXXX")
    if ! build_base "$making/root" >"$CACHE/base/debootstrap.log" 2>&1; then
      tail_of "$CACHE/base/debootstrap.log"
      die "debootstrap failed; the whole log is $CACHE/base/debootstrap.log" \
        "is the mirror reachable? try: apt-get update"
    fi
    mv "$making/root" "$BASE"
    rmdir "$making"
  ) 8>"$CACHE/base/lock" 9>&-
}

build_base() { # FOLDER
  local proxy=''
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  # In a mount namespace of its own, so that being killed leaves no mount behind.
  http_proxy=$proxy unshare --mount debootstrap --variant=minbase --include="$BASE_PACKAGES" \
    "$SUITE" "$1" "$MIRROR" || return
  # What debootstrap copied from this machine, and what every node must make for itself.
  rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/hostname "$1"/etc/machine-id "$1"/var/lib/dbus/machine-id \
    "$1"/var/cache/apt/archives/*.deb || return
  rm -rf "$1"/var/lib/apt/lists/* || return
  # Without a resolver a look-up fails at once; with an unreachable one it would take 20 seconds.
  rm -f "$1/etc/resolv.conf" && : >"$1/etc/resolv.conf" || return
  # A login would make its banner anew, which nobody reads: a quarter of what a login takes, and all nodes share
  # this machine.
  rm -rf "$1/etc/update-motd.d" || return
  chmod 755 "$1" || return
}

# ---------------------------------------------------------------- the package cache

# Nodes have no route out. With internet they get the Debian mirror, and only that, in two hops:
#   node -> OPERATOR_ADDRESS in the lab's namespace (socat) -> a unix socket -> apt-cacher-ng on this machine
# apt-cacher-ng is one instance of ours for all labs that share the cache (two would spoil its files), on
# loopback; its own unix socket does not answer in Debian 12, hence a socat in front of it as well.

# Whether an HTTP proxy answers, over whatever lies between. ignoreeof: apt-cacher-ng takes a half-closed
# connection for a closed one.
proxy_answers() { # SOCAT-ADDRESS [PREFIX…]
  local address=$1
  shift
  [[ $(printf 'HEAD / HTTP/1.0\r\n\r\n' | "$@" socat -T 2 -,ignoreeof "$address" 2>/dev/null) == HTTP/* ]]
}

ensure_proxy() {
  if ! proxy_answers "TCP:$OPERATOR_ADDRESS:$PROXY_PORT" in_lab_netns; then
    (
      flock 8
      proxy_answers "UNIX-CONNECT:$CACHE/proxy/socket" || start_proxy
    ) 8>"$CACHE/proxy.lock"
    cgroup_kill "$CGROUP/relay"
    cgroup_make "$CGROUP/relay"
    detach "$CGROUP/relay" "$RUN/relay.log" nsenter --net="/run/netns/$LAB_NETNS" \
      socat "TCP-LISTEN:$PROXY_PORT,bind=$OPERATOR_ADDRESS,fork,reuseaddr,backlog=256" \
      "UNIX-CONNECT:$CACHE/proxy/socket"
    wait_until 5 proxy_answers "TCP:$OPERATOR_ADDRESS:$PROXY_PORT" in_lab_netns || {
      tail_of "$RUN/relay.log"
      die "the relay to the package cache does not answer"
    }
  fi
  renew_indexes
}

# Has the cache renew what changes at the mirror, by one client: what the nodes then ask for is fresh.
renew_indexes() {
  local kind uri release rest
  (
    flock 8
    while read -r kind uri release rest; do
      [[ $kind == deb ]] || continue
      printf 'GET %s/dists/%s/InRelease HTTP/1.0\r\nCache-Control: max-age=0\r\n\r\n' "${uri%/}" "$release" |
        socat -T 30 -,ignoreeof "UNIX-CONNECT:$CACHE/proxy/socket" >/dev/null || true # apt says what is wrong
    done <"$RUN/sources.list"
  ) 8>"$CACHE/proxy.lock"
}

start_proxy() {
  local port tries upstream='' folder=$CACHE/proxy
  cgroup_kill "$PROXY_CGROUP"
  cgroup_make "$PROXY_CGROUP"
  mkdir -p "$folder"/{conf,packages,log}
  rm -f "$folder/socket"
  eval "$(apt-config shell upstream Acquire::http::Proxy)"
  for ((tries = 0; tries < 5; tries++)); do
    port=$((20000 + (0x${PROXY_CGROUP##*-} + tries * 37) % 10000)) # any free one will do
    {
      # 443: https mirrors, written http://HTTPS/// in the nodes. FreshIndexMaxAge: an index that has to be
      # renewed while several nodes ask for it is answered to some of them with an error, or never to its
      # end, so renew_indexes does it before. (Passing indexes by with DontCache sends Host: twice, which
      # strict mirrors refuse with 400.)
      printf '%s\n' "CacheDir: $folder/packages" "LogDir: $folder/log" \
        'SupportDir: /usr/lib/apt-cacher-ng' 'ForeGround: 1' 'BindAddress: 127.0.0.1' "Port: $port" \
        "SocketPath: $folder/acng.socket" \
        'AllowUserPorts: 80 443' 'FreshIndexMaxAge: 14400'
      [[ -z $upstream ]] || echo "Proxy: $upstream"
    } >"$folder/conf/acng.conf"
    detach "$PROXY_CGROUP" "$folder/log/start.log" apt-cacher-ng -c "$folder/conf" 8>&-
    if wait_until 3 proxy_answers "TCP:127.0.0.1:$port"; then
      detach "$PROXY_CGROUP" "$folder/log/start.log" \
        socat "UNIX-LISTEN:$folder/socket,fork,mode=600,backlog=256" "TCP:127.0.0.1:$port" 8>&-
      wait_until 3 proxy_answers "UNIX-CONNECT:$folder/socket" && return
    fi
    cgroup_kill "$PROXY_CGROUP"
  done
  tail_of "$folder/log/start.log"
  die "the package cache does not start; its log is in $folder/log" "without it: scripts/lab up N --no-internet"
}

# Which labs use the cache, so that the last one switches the proxy off, and `purge` spares the others.
register_lab() {
  mkdir -p "$CACHE/labs"
  echo "$DIR" >"$CACHE/labs/$ID"
}

other_labs() { # prints their DIRs; forgets those that are gone
  local file
  for file in "$CACHE"/labs/*; do
    [[ -e $file && ${file##*/} != "$ID" ]] || continue
    if [[ -d $(<"$file")/run ]]; then cat "$file"; else rm -f "$file"; fi
  done
}

leave_cache() {
  [[ -d $CACHE ]] || return 0
  (
    flock 8
    rm -f "$CACHE/labs/$ID"
    if [[ -z $(other_labs) ]]; then
      cgroup_kill "$PROXY_CGROUP"
      cgroup_remove "$PROXY_CGROUP"
      rm -f "$CACHE"/proxy/{socket,acng.socket}
    fi
  ) 8>"$CACHE/proxy.lock"
}
