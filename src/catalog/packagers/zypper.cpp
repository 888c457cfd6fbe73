// SUSE Linux Enterprise and openSUSE.
#include "catalog/packagers/repo_fields.hpp"
#include "catalog/packagers/rpm.hpp"
#include "catalog/packagers/take_back_rpm.hpp"

namespace podwright {
namespace {

std::string query(const std::string& name) {
  return rpm_query(name) + R"sh(
[ -r /etc/zypp/locks ] || exit 0
while read -r key value; do
  if [ "$key $value" = "solvable_name: $n" ]; then echo 'held yes'; fi
done </etc/zypp/locks
)sh";
}

std::string versioned(const std::string& name, const std::string& version) {
  return name + "=" + version;
}

const std::string common = R"sh(
# 100 to 103 are news (there are updates, a restart is advised), not failures.
pw_zypper() {
  ZYPP_LOCK_TIMEOUT=120 zypper --non-interactive --quiet "$@"
  status=$?
  case $status in 10[0-3]) return 0 ;; esac
  return "$status"
}
)sh";

const std::string install = common + R"sh(
pw_try() {
  pw_zypper install --no-recommends --oldpackage --auto-agree-with-licenses "$@"
}
# A run that was cut off: rpm takes the older one out as it puts the newer one in place once more.
pw_mend() {
  for twice in $(rpm -qa --qf '%{NAME}.%{ARCH}\n' | sort | uniq -d | grep -v -e '^kernel' -e '^gpg-pubkey'); do
    echo "finishing an earlier run that was cut off and left two versions of $twice"
    pw_zypper install --force --oldpackage "${twice%.*}"
  done
}
pw_install() {
  pw_mend
  pw_try "$@" || { pw_zypper refresh && pw_try "$@"; }
}
pw_install)sh";

const std::string remove = common + R"sh(
# What depends on a package would go with it. That is more than the plan said: people decide.
pw_remove() {
  rpm -e --test "$@" || { echo 'declare those absent too, or keep it' >&2; return 1; }
  pw_zypper remove --no-clean-deps "$@"
}
pw_remove)sh";

Result<RepoFiles> repo(const Wanted& wanted) {
  return yum_repo(wanted, "/etc/zypp/repos.d", "type=rpm-md\nautorefresh=1\nkeeppackages=0\n");
}

// A key that the profile holds is trusted as that one; only where the profile names a URL does zypper
// take the key that it finds there. rpm's keys are those of all repositories: one that verified nothing
// is taken out again.
const std::string try_repo = common + R"sh(
pw_keys() { rpm -qa 'gpg-pubkey*' | sort; }
# zypper is content with any key that the node knows: the metadata must be signed by this one.
pw_signed() {
  [ -f "$1/key.asc" ] && grep -q '^repo_gpgcheck=1' "$1/$2.repo" || return 0
  raw=/var/cache/zypp/raw/$2/repodata
  mkdir -m 700 "$1/gpg" &&
    gpg --batch --no-tty --homedir "$1/gpg" --dearmor <"$1/key.asc" >"$1/ring" &&
    gpgv --keyring "$1/ring" "$raw/repomd.xml.asc" "$raw/repomd.xml"
}
pw_try_repo() {
  import=
  known=$(pw_keys)
  if [ -f "$1/key.asc" ]; then
    rpm --import "$1/key.asc" || return
  elif grep -q '^gpgkey=' "$1/$2.repo"; then
    import=--gpg-auto-import-keys
  fi
  out=$(pw_zypper --reposd-dir "$1" $import refresh --force "$2" 2>&1) && out=$(pw_signed "$1" "$2" 2>&1) && return
  pw_keys | while read -r key; do
    case $known in *"$key"*) ;; *) rpm -e "$key" 2>/dev/null ;; esac
  done
  # What is said last is what an operator reads first.
  printf '%s\n' "$out" | grep -v -e '^Skipping repository' -e '^Could not refresh' -e '^History:' >&2
  return 1
}
pw_try_repo)sh";

const Registered zypper{Packager{
    .id = "zypper",
    .summary = "zypper and rpm: SUSE, openSUSE",
    .query = query,
    .install = install,
    .remove = remove,
    .hold = common + "pw_zypper addlock",
    .unhold = common + "pw_zypper removelock",
    .versioned = versioned,
    .list = list_rpms(),
    .take_back = take_back_rpms(install, "="),
    .version_globs = false,
    .repo = repo,
    .try_repo = try_repo,
}};

}  // namespace
}  // namespace podwright
