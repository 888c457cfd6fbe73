#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2129
# RDMA for real: ib_write_bw between two virtual machines whose kernels speak RoCE in software, run and judged by
# podwright over SSH. Emulated processors: a quarter of an hour where there is no KVM.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../integration/lib.sh"

"$ROOT/scripts/deps" rdma >>"$LOG" 2>&1 || { echo "scripts/deps rdma does not install; see $LOG"; exit 1; }
lab rdma || { echo "the machines do not come up; see $LOG"; tail -20 "$LOG"; FAILED=1; exit 1; }

# What software emulation reaches differs from machine to machine: a tenth of the wire is sound here, and what is
# cut to a hundredth is not.
cat >"$LAB/rdma.toml" <<'END'
[profile]
name = "rdma"
summary = "RDMA in software"
requires = { os = ["debian 12"] }

[fabric]
transport = "rdma"
floor_fraction = 0.1

[[measurement]]
kind = "pairwise"
tool = "ib_write_bw"
seconds = 3
startup_seconds = 60
END

pw_json facts
check_json "the machines have an HCA with an active port" \
  'all(.nodes[]; [.hcas[] | select(.name == "rxe0" and (.state | contains("ACTIVE")) and .link_layer == "Ethernet")] | length == 1)'
pw_json validate
check_status "RDMA between them passes" 0
check_json "both directions were measured" '(.pairs | length) == 1 and all(.pairs[]; .gbps_ab > 0 and .gbps_ba > 0 and .status == "pass")'
lab shape cu01 500kbit
lab shape cu02 500kbit
pw_json validate
check_status "slowed, it fails" 4
check_json "two nodes: it cannot be told which, and is not guessed" '.verdict.ambiguous == [["cu01", "cu02"]] and .verdict.nodes == []'
lab shape cu01 off
lab shape cu02 off
on cu02 'rdma link delete rxe0' >>"$LOG"
pw_json validate
check_status "without its RDMA device, it fails" 4
check_json "as a failure with the reason, not as a slow pair" \
  '.pairs[0].status == "failed" and (.pairs[0].error | contains("no RDMA device is or belongs to \"eth1\""))'
on cu02 'rdma link add rxe0 type rxe netdev eth1' >>"$LOG"
nothing_stays() { [[ -z $(on cu01 'pgrep -f "[i]b_(write|read)"; ls -d /tmp/podwright-measure.* 2>/dev/null') ]]; }
check "nothing of a measurement stays" nothing_stays
