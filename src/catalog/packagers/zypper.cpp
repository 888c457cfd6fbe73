// SUSE Linux Enterprise and openSUSE.
#include "catalog/packagers/repo_fields.hpp"
#include "catalog/packagers/rpm.hpp"
#include "catalog/packagers/take_back_rpm.hpp"

namespace podwright {
namespace {

constexpr std::string_view held = "sed -n 's/^solvable_name: //p' /etc/zypp/locks 2>/dev/null";

std::string query(const std::string& name) {
  return rpm_query(name) + held_query(held);
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
// take the key that it finds there.
const std::string try_repo = common + rpm_trust() + R"sh(
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
  pw_trust "$1" || return
  if [ ! -f "$1/key.asc" ] && grep -q '^gpgkey=' "$1/$2.repo"; then
    import=--gpg-auto-import-keys
  fi
  out=$(pw_zypper --reposd-dir "$1" $import refresh --force "$2" 2>&1) && out=$(pw_signed "$1" "$2" 2>&1) && return
  pw_distrust
  # What is said last is what an operator reads first.
  printf '%s\n' "$out" | grep -v -e '^Skipping repository' -e '^Could not refresh' -e '^History:' >&2
  return 1
}
pw_try_repo)sh";

const std::string hold = common + "pw_zypper addlock";
const std::string unhold = common + "pw_zypper removelock";

const Registered zypper{Packager{
    .id = "zypper",
    .summary = "zypper and rpm: SUSE, openSUSE",
    .query = query,
    .install = install,
    .remove = remove,
    .hold = hold,
    .unhold = unhold,
    .versioned = versioned,
    .list = list_rpms(held),
    .take_back = take_back_rpms({.install = install, .separator = "=", .hold = hold, .unhold = unhold}),
    .keys = std::string(rpm_keys),
    .distrust = "rpm -e",
    .version_globs = false,
    .repo = repo,
    .try_repo = try_repo,
}};

}  // namespace
}  // namespace podwright
