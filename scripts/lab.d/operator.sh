# What the operator gets in DIR: cluster.toml, known_hosts, ssh_config.
#
# shellcheck shell=bash disable=SC2034,SC2154 # parts share names: shellcheck -x scripts/lab sees them all

write_operator_files() {
  write_known_hosts
  write_ssh_config
  write_cluster_toml
}

# Keeps lines for other machines: podwright pins host keys in this file too.
write_known_hosts() {
  local node file=$DIR/known_hosts
  {
    foreign_known_hosts
    for node in "${NODES[@]}"; do host_key_line "$node"; done
  } >"$RUN/known_hosts.new"
  cmp -s "$RUN/known_hosts.new" "$file" || cp "$RUN/known_hosts.new" "$file"
}

foreign_known_hosts() {
  [[ ! -f $DIR/known_hosts ]] || grep -v "^$MANAGEMENT_NET\\.0\\." "$DIR/known_hosts" || true
}

write_ssh_config() {
  local node
  {
    echo "# Written by scripts/lab. ssh -F $DIR/ssh_config cu01, under scripts/lab run --"
    for node in "${NODES[@]}"; do printf 'Host %s\n  HostName %s\n' "$node" "${ADDRESS_OF[$node]}"; done
    cat <<END
Host *
  User root
  IdentityFile "$DIR/id_ed25519"
  IdentitiesOnly yes
  UserKnownHostsFile "$DIR/known_hosts"
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 5
  LogLevel ERROR
END
  } >"$DIR/ssh_config"
}

# A cluster.toml that a person changed is theirs: it is kept, and they are told what to add.
write_cluster_toml() {
  local file=$DIR/cluster.toml wanted=$RUN/cluster.toml.new sum=$RUN/cluster.toml.sha256
  cluster_toml >"$wanted"
  if [[ ! -e $file ]] || sha256sum --status -c "$sum" 2>/dev/null; then
    cmp -s "$wanted" "$file" || cp "$wanted" "$file"
    sha256sum "$file" >"$sum"
  elif ! cmp -s "$wanted" "$file" && [[ $(cat "$RUN/cluster.toml.count" 2>/dev/null) != "$COUNT" ]]; then
    say "$file was edited: kept as it is. The nodes are now:"
    sed -n '/^\[\[node\]\]/,$p' "$wanted" >&2
  fi
  echo "$COUNT" >"$RUN/cluster.toml.count"
}

cluster_toml() {
  if [[ $KIND == rdma ]]; then
    rdma_cluster_toml
    return
  fi
  cat <<END
# Written by scripts/lab: $COUNT real Debian machines on this one. Edit freely: an edited file is kept.
#   scripts/lab run -- podwright -c $DIR/cluster.toml plan

[cluster]
name = "lab"
profile = "debian12-slurm-cpu"
state_dir = ".podwright"          # relative to this file

[ssh]
user = "root"
key = "$DIR/id_ed25519"
known_hosts = "$DIR/known_hosts"

[[node]]
name = "head"
address = "${ADDRESS_OF[head]}"
roles = ["head"]
labels = { rack = "lab" }
fabric = [{ name = "eth1", address = "${FABRIC_OF[head]}", rate_gbps = $(rate_in_gbps), rail = 0 }]
END
  # Names are two digits up to cu99 and three from cu100: a range each. So has each leaf.
  local compute=$((COUNT - 1)) first last
  for ((first = 1; first <= compute; first = last + 1)); do
    for ((last = first; last < compute; last++)); do
      [[ $last != 99 && $(leaf_of "$(compute_name $((last + 1)))") == "$(leaf_of "$(compute_name "$first")")" ]] || break
    done
    toml_compute_nodes "$first" "$last"
  done
}

compute_name() { printf 'cu%02d' "$1"; }

toml_compute_nodes() { # FIRST LAST
  local names numbers leaf label=
  leaf=$(leaf_of "$(compute_name "$1")")
  ((leaf == 0)) || label=", leaf = \"leaf$leaf\""
  if (($1 == $2)); then
    printf -v names 'cu%02d' "$1"
    numbers=$((10 + $1))
  else
    printf -v names 'cu[%02d-%02d]' "$1" "$2"
    numbers="[$((10 + $1))-$((10 + $2))]"
  fi
  cat <<END

[[node]]
name = "$names"
address = "$MANAGEMENT_NET.0.$numbers"
roles = ["compute"]
labels = { rack = "lab"$label }
fabric = [{ name = "eth1", address = "$FABRIC_NET.0.$numbers", rate_gbps = $(rate_in_gbps), rail = 0 }]
END
}

rate_in_gbps() {
  if [[ $RATE == none ]]; then echo 10; else awk -v bits="$(bits_per_second "$RATE")" 'BEGIN { print bits / 1e9 }'; fi
}
