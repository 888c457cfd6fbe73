# Namespaces, bridges and cables, and how fast the cables are.
#
# shellcheck shell=bash disable=SC2034,SC2154 # parts share names: shellcheck -x scripts/lab sees them all

in_lab_netns() { nsenter --net="/run/netns/$LAB_NETNS" -- "$@"; }

add_netns() { # NAME
  ip netns add "$1"
  nsenter --net="/run/netns/$1" -- sh -c 'echo "$0" >/proc/sys/net/ipv4/tcp_congestion_control' "$CONGESTION_CONTROL" 2>/dev/null || true
}

delete_netns() { # NAME
  ip netns del "$1" 2>/dev/null || rm -f "/run/netns/$1" # a half-made one is a file and no mount
}

# Here and below: the thing made last is the sign that all of it was made; else it is made anew.
ensure_bridges() {
  if ip -n "$LAB_NETNS" link show br-fabric 2>/dev/null | grep -q 'alias ready'; then return; fi
  delete_netns "$LAB_NETNS"
  add_netns "$LAB_NETNS"
  ip -n "$LAB_NETNS" -batch - <<END
link set lo up
link add br-mgmt type bridge
addr add $OPERATOR_ADDRESS/16 brd + dev br-mgmt
link set br-mgmt up
link add br-fabric type bridge
link set br-fabric up
$(leaf_bridges)
link set br-fabric alias ready
END
  local leaf
  for ((leaf = 1; leaf <= LEAVES; leaf++)); do shape_uplink "$leaf" none both; done
}

# With leaves, br-fabric is the spine; leaf N is br-leafN, and its uplink the cable from leafN to spineN.
leaf_bridges() {
  local leaf
  for ((leaf = 1; leaf <= LEAVES; leaf++)); do
    cat <<END
link add br-leaf$leaf type bridge
link add leaf$leaf type veth peer name spine$leaf
link set leaf$leaf master br-leaf$leaf up
link set spine$leaf master br-fabric up
link set br-leaf$leaf up
END
  done
}

# The leaf that a node hangs on: neighbours share one, the head is on the first. 0: there are none.
leaf_of() { # NODE
  local number=${1#cu} each
  ((LEAVES > 0)) || { echo 0; return; }
  [[ $1 != head ]] || number=1
  each=$(((COUNT - 2 + LEAVES) / LEAVES))
  echo $(((10#$number - 1) / each + 1))
}

fabric_bridge_of() { # NODE
  local leaf
  leaf=$(leaf_of "$1")
  if ((leaf == 0)); then echo br-fabric; else echo "br-leaf$leaf"; fi
}

shape_uplink() { # LEAF RATE rx|tx|both
  [[ $3 == tx ]] || limit_rate "$LAB_NETNS" "spine$1" "$2"
  [[ $3 == rx ]] || limit_rate "$LAB_NETNS" "leaf$1" "$2"
}

# LINKS: what is in the bridges' namespace, read once for all nodes.
read_links() { LINKS=$(ip -n "$LAB_NETNS" link show); }

# In the bridges' namespace the node's cables are m-NODE and f-NODE; inside the node eth0 and eth1.
ensure_node_network() { # NODE
  local node=$1 netns=$NETNS_PREFIX$1
  if [[ -e /run/netns/$netns && $LINKS =~ \ f-$node@[^$'\n']*$'\n'[^$'\n']*$'\n'\ *alias\ ready ]]; then
    [[ ! $LINKS =~ \ [mf]-$node@[^$'\n']*state\ DOWN ]] || plug_in "$node"
    return
  fi
  cgroup_kill "$CGROUP/$node" # it would go on living in the old namespace
  delete_netns "$netns"
  ip -n "$LAB_NETNS" link del "m-$node" 2>/dev/null || true
  ip -n "$LAB_NETNS" link del "f-$node" 2>/dev/null || true
  add_netns "$netns"
  ip -n "$LAB_NETNS" -batch - <<END
link add m-$node type veth peer name eth0 netns $netns
link add f-$node type veth peer name eth1 netns $netns
link set m-$node master br-mgmt up
link set f-$node master $(fabric_bridge_of "$node") up
END
  ip -n "$netns" -batch - <<END
link set lo up
addr add ${ADDRESS_OF[$node]}/16 brd + dev eth0
addr add ${FABRIC_OF[$node]}/16 brd + dev eth1
link set eth0 up
link set eth1 up
END
  shape_fabric "$node" "$RATE" both
  ip -n "$LAB_NETNS" link set "f-$node" alias ready
}

# tbf limits what leaves an interface: the node's end is its sending, the bridge's end its receiving.
shape_fabric() { # NODE RATE rx|tx|both
  [[ $3 == tx ]] || limit_rate "$LAB_NETNS" "f-$1" "$2"
  # A virtual machine's own end is out of reach: what it receives is limited, which is what others send it.
  [[ $KIND != rdma ]] || return 0
  [[ $3 == rx ]] || limit_rate "$NETNS_PREFIX$1" eth1 "$2"
}

limit_rate() { # NETNS DEVICE RATE
  if [[ $3 == none ]]; then
    tc -n "$1" qdisc del dev "$2" root 2>/dev/null || true
    return
  fi
  # A bucket of 2 ms: small enough to be felt in short transfers, large enough for the timer.
  local burst=$(($(bits_per_second "$3") / 8 / 500))
  ((burst > 131072)) || burst=131072
  tc -n "$1" qdisc replace dev "$2" root tbf rate "$3" burst "$burst" latency 50ms
}

bits_per_second() { # RATE
  [[ $1 =~ ^([0-9]+(\.[0-9]+)?)(bit|kbit|mbit|gbit)$ ]] ||
    bad_usage "\"$1\" is no rate: write 400mbit, 2.5gbit, 100kbit"
  awk -v n="${BASH_REMATCH[1]}" -v unit="${BASH_REMATCH[3]}" \
    'BEGIN { f["bit"] = 1; f["kbit"] = 1e3; f["mbit"] = 1e6; f["gbit"] = 1e9; printf "%d", n * f[unit] }'
}

plug_in() { # NODE
  ip -n "$LAB_NETNS" -batch - <<END
link set m-$1 up
link set f-$1 up
END
}
