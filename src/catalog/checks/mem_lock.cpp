// mem.lock: RDMA may pin memory.
#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/checks/judging.hpp"

namespace podwright {

namespace {

// This shell came in by ssh, as the ranks of mpirun do: its limit is that of a login. A job under Slurm
// inherits slurmd's. The connection may be older than the limit; then PAM is asked what a login would
// get now, which counts where sshd uses PAM.
constexpr std::string_view script = R"sh(
login=$(ulimit -S -l)
if [ "$login" != unlimited ] && command -v su >/dev/null 2>&1; then
  case $(sshd -T 2>/dev/null) in
    *'usepam yes'*) new=$(su -s /bin/sh root -c 'ulimit -S -l' 2>/dev/null) && login=${new:-$login} ;;
  esac
fi
printf 'login=%s\n' "$login"
pid=
for f in /run/slurmd.pid /run/slurm/slurmd.pid /var/run/slurmd.pid /var/run/slurm/slurmd.pid; do
  [ ! -r "$f" ] || { read -r pid <"$f"; break; }
done
[ -n "$pid" ] || { ! command -v pidof >/dev/null 2>&1 || pid=$(pidof slurmd); pid=${pid%% *}; }
if [ -n "$pid" ] && [ -r "/proc/$pid/limits" ]; then
  while read -r a b c soft hard unit; do
    case "$a $b $c" in 'Max locked memory') printf 'slurmd=%s\n' "$soft" ;; esac
  done <"/proc/$pid/limits"
else
  echo slurmd=absent
fi
echo end
)sh";

std::vector<CheckResult> judge(const Check& check, const Observed& observed, const Expectation& expectation) {
  const auto pairs = judging::read_pairs(observed);
  if (!pairs) return {judging::failed_to_run(check, pairs.error().what, "ulimit -l")};
  const auto* login = judging::find_pair(*pairs, "login");
  const auto* slurmd = judging::find_pair(*pairs, "slurmd");
  if (login == nullptr || slurmd == nullptr) {
    return {judging::failed_to_run(check, "the probe names no limit of a login or of slurmd", "ulimit -l")};
  }
  std::vector<std::string> told;
  bool limited = *login != "unlimited";
  told.push_back(*login == "unlimited" ? "a login: unlimited" : fmt::format("a login: {} KiB", *login));
  if (*slurmd != "absent") {
    told.push_back(*slurmd == "unlimited" ? "slurmd: unlimited" : fmt::format("slurmd: {} bytes", *slurmd));
    limited = limited || *slurmd != "unlimited";
  }
  const auto seen = join(told, ", ");
  const std::string remedy = "[[limit]] name = \"memlock\", value = \"unlimited\" for * and for root, then log in anew; for slurmd: "
                             "LimitMEMLOCK=infinity in its unit, then systemctl restart slurmd";
  if (!limited) return {judging::passed(check, seen, "unlimited")};
  // TCP pins no memory, so that nothing fails for it there.
  if (expectation.profile.fabric.transport == "tcp" && judging::in_container(expectation.facts)) {
    return {judging::skipped(check, fmt::format("{}: a container gets no more than its host gave it, and tcp needs none", seen))};
  }
  if (expectation.profile.fabric.transport == "tcp") return {judging::warned(check, seen, "unlimited (RDMA would need it; tcp does not)", remedy)};
  return {judging::broken(check, seen, "unlimited", remedy)};
}

const Registered check{Check{
    .id = "mem.lock",
    .summary = "Logins and slurmd may lock as much memory as RDMA registers",
    .severity = Severity::fatal,
    .source = "Open MPI FAQ, OpenFabrics: 'locked memory limits'; NVIDIA DOCA-OFED manual",
    .needs = {"os"},
    .probe = script,
    .judge = judge}};

}  // namespace

}  // namespace podwright
