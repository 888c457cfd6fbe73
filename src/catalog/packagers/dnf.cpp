// Red Hat, Rocky, Alma, Fedora, openEuler: dnf, or yum where that is all there is.
#include "catalog/packagers/repo_fields.hpp"
#include "catalog/packagers/rpm.hpp"
#include "catalog/packagers/take_back_rpm.hpp"

namespace podwright {
namespace {

// The names on hold, as the plug-ins of dnf and yum keep them: name-epoch:version… (dnf 4),
// epoch:name-version-release… (yum), name = "…" (dnf 5).
constexpr std::string_view held = R"sh(cat /etc/dnf/plugins/versionlock.list \
  /etc/yum/pluginconf.d/versionlock.list /etc/dnf/versionlock.toml 2>/dev/null |
  sed -n -e 's/^name = "\(.*\)"$/\1/p' -e 's/^\([^#! ].*\)-[0-9][0-9]*:[^:]*$/\1/p' \
    -e 's/^[0-9][0-9]*:\(.*\)-[^-]*-[^-]*$/\1/p')sh";

std::string query(const std::string& name) {
  return rpm_query(name) + held_query(held);
}

std::string versioned(const std::string& name, const std::string& version) {
  return name + "-" + version;
}

const std::string common = R"sh(
pw_dnf() {
  if command -v dnf >/dev/null 2>&1; then
    dnf -y --setopt=install_weak_deps=False --setopt=clean_requirements_on_remove=False "$@"
  else
    yum -y --setopt=clean_requirements_on_remove=0 "$@"
  fi
}
pw_lock() {
  pw_dnf versionlock "$@" && return
  echo 'versions are held by a plug-in: package python3-dnf-plugin-versionlock, for yum' \
    'yum-plugin-versionlock' >&2
  return 1
}
)sh";

const std::string install = common + R"sh(
# A run that was cut off: dnf puts the newer one in place and takes the older one out.
pw_mend() {
  twice=$(rpm -qa --qf '%{NAME}.%{ARCH}\n' | sort | uniq -d | grep -v -e '^kernel' -e '^gpg-pubkey')
  [ -n "$twice" ] || return 0
  echo "finishing an earlier run that was cut off and left two versions of" $twice
  if command -v dnf >/dev/null 2>&1; then
    pw_dnf remove --duplicates
  else
    package-cleanup -y --cleandupes
  fi
}
# The usual cause of a failure is old metadata, which names files that the mirror has replaced.
pw_install() {
  pw_mend
  pw_dnf install "$@" || { pw_dnf clean expire-cache && pw_dnf install "$@"; }
}
pw_install)sh";

const std::string remove = common + R"sh(
# What depends on a package would go with it. That is more than the plan said: people decide.
pw_remove() {
  rpm -e --test "$@" || { echo 'declare those absent too, or keep it' >&2; return 1; }
  pw_dnf remove "$@"
}
pw_remove)sh";

Result<RepoFiles> repo(const Wanted& wanted) {
  return yum_repo(wanted, "/etc/yum.repos.d", wanted.flag("module_hotfixes", false) ? "module_hotfixes=1\n" : "");
}

// The folder takes the place of /etc/yum.repos.d: only this repository is fetched, into the cache
// that the real one uses (its name there comes from the id and the URL). Keys that were taken for it
// before are forgotten there: the metadata must be signed by this one.
const std::string try_repo = common + rpm_trust() + R"sh(
pw_try_repo() {
  pw_trust "$1" || return
  rm -rf /var/cache/dnf/"$2"-*/pubring || return
  if command -v dnf >/dev/null 2>&1; then
    out=$(dnf -y -q --setopt=reposdir="$1" --repo="$2" --setopt="$2.skip_if_unavailable=0" \
      makecache --refresh 2>&1) && return
  else
    out=$(yum -y -q --setopt=reposdir="$1" --setopt="$2.skip_if_unavailable=0" makecache 2>&1) && return
  fi
  rm -rf /var/cache/dnf/"$2"-*/pubring
  pw_distrust
  printf '%s\n' "$out" >&2
  return 1
}
pw_try_repo)sh";

const std::string hold = common + "pw_lock add";
const std::string unhold = common + "pw_lock delete";

const Registered dnf{Packager{
    .id = "dnf",
    .summary = "dnf or yum, and rpm: Red Hat, Rocky, Alma, Fedora, openEuler",
    .query = query,
    .install = install,
    .remove = remove,
    .hold = hold,
    .unhold = unhold,
    .versioned = versioned,
    .list = list_rpms(held),
    .take_back = take_back_rpms({.install = install, .separator = "-", .hold = hold, .unhold = unhold}),
    .keys = std::string(rpm_keys),
    .distrust = "rpm -e",
    .repo = repo,
    .try_repo = try_repo,
}};

}  // namespace
}  // namespace podwright
