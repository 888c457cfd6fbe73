// Debian, Ubuntu and their kin.
#include "base/shell.hpp"
#include "catalog/registry.hpp"

namespace podwright {
namespace {

std::string query(const std::string& name) {
  return sh::assign("n", name) + R"sh(
s=$(dpkg-query -W -f '${db:Status-Status} ${db:Status-Want} ${Version}\n' "$n" 2>/dev/null)
[ $? -le 1 ] || { echo 'dpkg cannot read its database' >&2; exit 2; }
printf '%s\n' "$s" | while read -r state want version; do
  case $state in
    installed | triggers-*) echo 'state installed'; echo "version $version" ;;
    unpacked | half-*) echo 'state broken' ;;
  esac
  if [ "$want" = hold ]; then echo 'held yes'; fi
done
)sh";
}

std::string versioned(const std::string& name, const std::string& version) {
  return name + "=" + version;
}

const std::string common = R"sh(
pw_apt() {
  apt-get -y -q --no-install-recommends --allow-downgrades -o DPkg::Lock::Timeout=120 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@"
}
# dpkg refuses everything after a run that was cut off, until it has been told to finish.
pw_mend() {
  if [ -z "$(dpkg --audit 2>/dev/null)" ]; then
    set -- /var/lib/dpkg/updates/[0-9]*
    [ -e "$1" ] || return 0
  fi
  echo 'finishing an earlier run of dpkg that was cut off'
  dpkg --force-confdef --force-confold --configure -a
  pw_apt -f install
}
)sh";

const std::string install = common + R"sh(
# The lists of packages are old when there are none, after a day, and when the sources have changed.
pw_lists_are_old() {
  stamp=/var/lib/apt/periodic/update-success-stamp
  [ -n "$(find "$stamp" -mmin -1440 2>/dev/null)" ] || return 0
  set -- /var/lib/apt/lists/*_Packages*
  [ -e "$1" ] || return 0
  [ -n "$(find /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/preferences.d \
    -newer "$stamp" 2>/dev/null)" ]
}
# apt-get waits for the lock of dpkg by itself, but not for that of the lists.
pw_update() {
  tries=24
  until out=$(apt-get -q update 2>&1); do
    tries=$((tries - 1))
    case $out in *'Could not get lock'*) ;; *) tries=0 ;; esac
    if [ "$tries" -le 0 ]; then
      printf '%s\n' "$out" 'the lists of packages could not be refreshed' >&2
      return 1
    fi
    sleep 5
  done
  mkdir -p /var/lib/apt/periodic && touch /var/lib/apt/periodic/update-success-stamp
}
pw_install() {
  pw_mend
  if pw_lists_are_old; then
    # One source out of reach is no reason to stop: install says what is really missing.
    pw_update
    pw_apt install "$@"
  else
    pw_apt install "$@" || { pw_update && pw_apt install "$@"; }
  fi
}
pw_install)sh";

const std::string remove = common + R"sh(
# What depends on a package would go with it. That is more than the plan said: people decide.
pw_remove() {
  pw_mend
  more=
  for gone in $(apt-get -s remove "$@" | sed -n 's/^Remv \([^ ]*\) .*/\1/p'); do
    case " $* " in *" $gone "*) ;; *) more="$more $gone" ;; esac
  done
  if [ -n "$more" ]; then
    echo "removing $* would also remove$more: declare them absent too, or keep it" >&2
    return 1
  fi
  pw_apt remove "$@"
}
pw_remove)sh";

const Registered apt{Packager{
    .id = "apt",
    .summary = "apt and dpkg: Debian, Ubuntu",
    .query = query,
    .install = install,
    .remove = remove,
    .hold = "apt-mark hold",
    .unhold = "apt-mark unhold",
    .versioned = versioned,
}};

}  // namespace
}  // namespace podwright
