#include "catalog/collectives/launch.hpp"

#include <fmt/format.h>

#include "base/shell.hpp"

namespace podwright::launch {

namespace {

// The ring is what NCCL uses, and what makes the bus bandwidth comparable with the wire; Open MPI's
// own choice for few nodes moves more data than it must.
constexpr std::string_view functions = R"sh(
export OMPI_MCA_coll_tuned_use_dynamic_rules=1 OMPI_MCA_coll_tuned_allreduce_algorithm=4
PATH=$PATH:/usr/lib64/openmpi/bin
cd /
as_user() {
  if [ -n "$user" ]; then
    runuser -u "$user" -- env HOME="$(getent passwd "$user" | cut -d : -f 6)" USER="$user" LOGNAME="$user" "$@"
  else
    "$@"
  fi
}
)sh";

// What is carried is on the head only: sbcast brings it to the nodes of the job.
constexpr std::string_view slurm = R"sh(
as_user timeout -k 5 "$run_seconds" salloc --quiet --immediate=60 --time=$((run_seconds / 60 + 2)) \
  --job-name=podwright-proof --nodes="$count" --ntasks-per-node="$devices" --nodelist="$list" $allocation \
  sh -c 'copy=/tmp/podwright-carried-$SLURM_JOB_ID
    export copy
    [ -z "$1" ] || sbcast --force "$1" "$copy" || exit 1
    srun --label --mpi=pmix sh -c "$2"
    status=$?
    [ -z "$1" ] || srun --ntasks-per-node=1 --ntasks="$SLURM_JOB_NUM_NODES" rm -f "$copy"
    exit $status' sh "$carried" "$rank" </dev/null 2>&1
)sh";

constexpr std::string_view ssh = R"sh(
copy=/tmp/podwright-carried-$$
ssh_options='-o BatchMode=yes -o ConnectTimeout=10'
nodes=$(echo "$list" | tr , ' ')
(
  [ -n "$user" ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  [ -z "$carried" ] || for node in $nodes; do
    as_user timeout -k 5 60 scp -q $ssh_options "$carried" "$node:$copy" || {
      echo "cannot copy the program to $node as ${user:-root}"
      failed=yes
    }
  done
  [ -z "${failed-}" ] || exit 1
  hostfile=
  [ ! -e /etc/podwright/mpi-hostfile ] || hostfile='--hostfile /etc/podwright/mpi-hostfile'
  as_user timeout -k 5 "$run_seconds" env copy="$copy" mpirun --mca plm rsh --mca plm_rsh_agent "ssh $ssh_options" \
    $hostfile --host "$hosts_with_slots" --map-by "ppr:$devices:node" -np "$((count * devices))" \
    --tag-output -x copy sh -c "$rank"
) </dev/null 2>&1
status=$?
[ -z "$carried" ] || for node in $nodes; do
  as_user timeout -k 5 20 ssh $ssh_options "$node" 'rm -f /tmp/podwright-carried-*' </dev/null >/dev/null 2>&1
done
(exit $status)
)sh";

std::string with_slots(const std::string& hosts, int devices) {
  if (devices <= 1) return hosts;
  std::string all;
  std::size_t from = 0;
  for (;;) {
    const auto comma = hosts.find(',', from);
    all += fmt::format("{}{}:{}", all.empty() ? "" : ",", hosts.substr(from, comma - from), devices);
    if (comma == std::string::npos) return all;
    from = comma + 1;
  }
}

}  // namespace

std::string preparation(const Launch& launch) {
  const auto allocation = launch.devices > 1 ? fmt::format("--gpus-per-node={} --mem=0", launch.devices) : "--mem=512M";
  return fmt::format(
      "list={}\nhosts_with_slots={}\ncount={}\ndevices={}\nuser={}\nrun_seconds={}\nallocation={}\nrank={}\ncarried={}\n{}",
      sh::quote(launch.hosts), sh::quote(with_slots(launch.hosts, launch.devices)), launch.nodes, launch.devices,
      sh::quote(launch.user), launch.seconds, sh::quote(allocation), sh::quote(launch.rank),
      sh::quote(launch.carried), functions);
}

std::string_view through_slurm() { return slurm; }
std::string_view through_ssh() { return ssh; }

}  // namespace podwright::launch
