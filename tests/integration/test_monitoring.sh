#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2129
# The components that a lab can run: Prometheus with its rules, and Slurm's accounting.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lab_up 2
cat >"$WORK/monitored.toml" <<'END'
[profile]
name = "monitored"
summary = "what a lab can run of the components"
requires = { os = ["debian 12"] }
include = ["base/hpc-node", "monitoring/node-exporter", "monitoring/prometheus", "scheduler/slurmdbd"]
[vars]
prometheus_interval = "2s"
[handoff]
targets = ["hosts", "slurm"]
END
# slurm.conf wants MPI's plugin only where a job asks for it
pw_json apply --yes --profile "$WORK/monitored.toml" --set slurm_mpi_default=none
check_status "the components are applied" 0
pw_json plan --profile "$WORK/monitored.toml" --set slurm_mpi_default=none
check_json "and then nothing is left to do" '.summary.steps == 0'

check "promtool accepts the rules on the node" on head 'promtool check rules /etc/prometheus/rules/podwright.yml'
rules_test=$(sed 's|alerts.yml|/etc/prometheus/rules/podwright.yml|' "$ROOT/tests/cases/monitoring/alerts_test.yml" | base64 -w0)
check "and they raise what they should (tests/cases/monitoring)" \
  on head "echo $rules_test | base64 -d >/root/alerts_test.yml && promtool test rules /root/alerts_test.yml"
check "Prometheus answers" on head 'promtool query instant http://127.0.0.1:9090 "vector(1)"'
up() { on head 'promtool query instant http://127.0.0.1:9090 "sum(up{job=\"node\"})"' | sed 's/.*=> \([0-9]*\).*/\1/'; }
for _ in 1 2 3 4 5 6 7 8 9 10; do [[ $(up) == 2 ]] && break; sleep 2; done
check "it collects both nodes" equal "$(up)" 2
on cu01 'systemctl stop prometheus-node-exporter' >>"$LOG"
for _ in 1 2 3 4 5 6 7 8 9 10; do [[ $(up) == 1 ]] && break; sleep 2; done
check "and sees one go" equal "$(up)" 1

check "slurmdbd runs without a password" equal "$(on head 'systemctl is-active slurmdbd')" active
check "slurmctld has registered the cluster in the database" \
  equal "$(on head 'for i in 1 2 3 4 5 6; do c=$(sacctmgr -nP show cluster format=cluster); [ -n "$c" ] && break; sleep 2; done; echo "$c"')" lab
# The controller hands over to the database in its own time.
check "a job is accounted" equal \
  "$(on head 'srun -N1 hostname >/dev/null; for i in 1 2 3 4 5 6 7 8 9 10; do s=$(sacct -nXP -o state | tail -1); [ "$s" = COMPLETED ] && break; sleep 2; done; echo "$s"')" COMPLETED
