#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2129
# A golden node becomes a profile: it plans to nothing on that node, and makes an empty node like it.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lab_up 3

# ---------------------------------------------------------------- a golden node, made by hand

on cu01 'export DEBIAN_FRONTEND=noninteractive
  apt-get update -q && apt-get install -y -q nginx-light tree &&
  groupadd -g 3000 ml && useradd -m -u 3001 -g 3000 -s /bin/bash alice &&
  install -d -o alice -g ml -m 700 ~alice/.ssh &&
  echo "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHZuZ29sZGVubm9kZWtleWZvcnRlc3RzMDAwMDAwMDAw alice@site" >~alice/.ssh/authorized_keys &&
  chown alice:ml ~alice/.ssh/authorized_keys &&
  sed -i "s/worker_connections 768/worker_connections 4096/" /etc/nginx/nginx.conf &&
  printf "server { listen 8080; root /srv/www; }\n" >/etc/nginx/conf.d/site.conf &&
  systemctl restart nginx &&
  printf "net.core.somaxconn = 2048\nnet.ipv4.tcp_rmem = 4096 131072 33554432\n" >/etc/sysctl.d/50-site.conf && sysctl -q -p /etc/sysctl.d/50-site.conf &&
  printf "* - memlock unlimited\n" >/etc/security/limits.d/site.conf &&
  printf "#!/bin/sh\necho {{braces}} and \"quotes\"\n" >/usr/local/bin/site-tool && chmod 755 /usr/local/bin/site-tool &&
  printf "[Service]\nExecStart=/usr/local/bin/site-tool\nType=oneshot\nRemainAfterExit=yes\n[Install]\nWantedBy=multi-user.target\n" >/etc/systemd/system/site-tool.service &&
  systemctl daemon-reload && systemctl enable --now -q site-tool &&
  ln -sfn /usr/share/zoneinfo/Europe/Berlin /etc/localtime &&
  umask 077 && printf "token=opensesame\n" >/etc/site-token && printf "\000\001\377" >/etc/site-blob && chmod 644 /etc/site-blob' >>"$LOG" 2>&1
check "the golden node is made" equal "$(on cu01 'systemctl is-active nginx site-tool' | xargs)" "active active"

# ---------------------------------------------------------------- captured: nothing to do there

cd "$WORK" || exit 1
pw profile capture cu01 -o "$WORK/gold.toml" >"$WORK/capture.txt"
check_status "capture writes a profile" 0
cat "$WORK/capture.txt" "$WORK/gold.toml" >>"$LOG"
check "it is a valid profile" pw profile validate "$WORK/gold.toml"
check "the secret is named" grep -q '/etc/site-token: not everybody may read it' "$WORK/capture.txt"
check "and is nowhere in the profile" bash -c "! grep -rq opensesame '$WORK/gold.toml' '$WORK/gold.files'"
check "a file that is no text is named" grep -q '/etc/site-blob: not a text' "$WORK/capture.txt"
pw_json plan -n cu01 --profile "$WORK/gold.toml"
check_status "the profile can be planned on the golden node" 0
check_json "and finds nothing to do there" '.summary.steps == 0 and (.nodes.cu01.steps | length) == 0'

# ---------------------------------------------------------------- reproduced: an empty node becomes like it

pw_json apply -n cu02 --yes --profile "$WORK/gold.toml"
check_status "it is applied to an empty node" 0
pw_json plan -n cu02 --profile "$WORK/gold.toml"
check_json "after which nothing is left to do" '.summary.steps == 0'
check "both run the same packages" equal "$(on cu02 "dpkg-query -W | sort | sha256sum")" "$(on cu01 "dpkg-query -W | sort | sha256sum")"
files='/etc/nginx /etc/sysctl.d /etc/security/limits.d /usr/local/bin /etc/systemd/system/site-tool.service'
tree="find $files -type f -exec stat -c '%n %U %G %a' {} + | sort; find $files -type f | sort | xargs sha256sum"
check "files, owners and modes are the same" equal "$(on cu02 "$tree")" "$(on cu01 "$tree")"
check "the account is the same" equal "$(on cu02 'id alice; cat ~alice/.ssh/authorized_keys')" "$(on cu01 'id alice; cat ~alice/.ssh/authorized_keys')"
check "the services run" equal "$(on cu02 'systemctl is-active nginx site-tool; systemctl is-enabled nginx site-tool' | xargs)" "active active enabled enabled"
check "nginx has taken up its site" equal "$(on cu02 'ss -Hltn "sport = :8080" | wc -l')" 1
check "the kernel settings count" equal "$(on cu02 'sysctl -n net.core.somaxconn')" 2048
check "the time zone is the same" equal "$(on cu02 'readlink /etc/localtime')" /usr/share/zoneinfo/Europe/Berlin

mkdir "$WORK/again" && pw profile capture cu02 -o "$WORK/again/gold.toml" >/dev/null
plain() { grep -v -e 'Captured from' -e '^# /etc/site-' -e '^# --- left out' "$1" | sed '/^$/d'; }
check "captured again, it is the same profile" diff <(plain "$WORK/gold.toml") <(plain "$WORK/again/gold.toml")
check "with the same files" diff -r "$WORK/gold.files" "$WORK/again/gold.files"

# ---------------------------------------------------------------- planned from records, without the node

pw snapshot -n cu02 -o "$WORK/cu02.tar.zst" >/dev/null
mkdir "$WORK/snapshot" && tar --zstd -xf "$WORK/cu02.tar.zst" -C "$WORK/snapshot"
pw_json facts -n cu02
cp "$WORK/out" "$WORK/facts.json"
lab kill cu02
for recorded in "$WORK/facts.json" "$WORK/snapshot"; do
  pw_json plan --facts "$recorded" -n cu02 --profile "$WORK/gold.toml"
  check_status "a dead node is planned from ${recorded##*/}" 0
  check_json "packages are known to be there, files are taken to be absent, and it says so" \
    '[.nodes.cu02.steps[].id] | (map(select(startswith("package/"))) == []) and (index("file//etc/nginx/conf.d/site.conf") != null)'
  check_json "no node was contacted" '.assumption | contains("no node was contacted")'
done
