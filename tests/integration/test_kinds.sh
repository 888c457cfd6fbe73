#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2129
# Kinds of resource that bring files of their own: an archive, a vendor's installer, an export of NFS.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lab_up 1

mkdir -p "$LAB/profiles" "$WORK/files/tool-1.0/bin"
make_archive() { # VERSION COMPRESSION
  printf '#!/bin/sh\necho %s\n' "$1" >"$WORK/files/tool-1.0/bin/tool"
  chmod +x "$WORK/files/tool-1.0/bin/tool"
  tar -C "$WORK/files" --"$2" -cf "$WORK/tool.tar" tool-1.0
}
make_installer() { # VERSION EXIT STATUS
  printf '#!/bin/sh\n[ "$1" = --silent ] || exit 2\necho "installing %s as $0"\necho %s >/opt/driver-version\nexit %s\n' \
    "$1" "$1" "$2" >"$WORK/driver.run"
}
profile() {
  cat >"$LAB/profiles/kinds.toml" <<TOML
[profile]
name = "kinds"
summary = "What brings files"

[[archive]]
dest = "/opt/tool"
source = "$WORK/tool.tar"
sha256 = "$(sha256sum <"$WORK/tool.tar" | cut -d' ' -f1)"
strip = 1
creates = "bin/tool"

[[installer]]
name = "driver"
source = "$WORK/driver.run"
sha256 = "$(sha256sum <"$WORK/driver.run" | cut -d' ' -f1)"
args = ["--silent"]
probe = "cat /opt/driver-version"
version = "${1:-2.*}"

[[package]]
name = "nfs-kernel-server"

[[directory]]
path = "/srv/data"

[[nfs_export]]
path = "/srv/data"
clients = ["10.98.0.0/16(rw,sync,no_subtree_check,fsid=1)"]
TOML
}
kinds() { pw_json --profile kinds apply --yes; }

make_archive 1.0 gzip
make_installer 2.1 0
profile
kinds
check_status "files are brought to a node, unpacked, installed and exported" 0
check "the archive's program runs" equal "$(on head /opt/tool/bin/tool)" 1.0
check "the installer ran under its own name" equal "$(on head cat /opt/driver-version)" 2.1
check "the server exports the folder" contains "$(on head exportfs -s)" "/srv/data  10.98.0.0/16("
kinds
check_json "the second plan is empty" '.nodes.head.status == "ok" and (.nodes.head.changed | length) == 0'

make_archive 1.1 gzip
profile
kinds
check "another archive replaces the folder" equal "$(on head /opt/tool/bin/tool)" 1.1
make_archive 1.2 xz
profile
on head 'xz=$(command -v xz) && rm "$xz"' >>"$LOG" 2>&1
kinds
check_json "a decompressor that the node lacks is named" '.nodes.head.failed_step == "archive//opt/tool" and (.nodes.head.error | test("compressed with xz, which this node lacks"))'
check "and what was there stays" equal "$(on head /opt/tool/bin/tool)" 1.1

make_archive 1.1 gzip
make_installer 3.0 0
profile '4.*'
kinds
check_json "an installer that ends well without the wanted version is no success" \
  '.nodes.head.failed_step == "installer/driver" and (.nodes.head.error | test("its probe prints"))'
make_installer 3.0 9
profile '4.*'
kinds
check_json "one that fails is named with its status" '.nodes.head.error | test("driver.run ended with 9")'
