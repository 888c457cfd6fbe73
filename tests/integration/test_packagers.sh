#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2129
# Three worlds of packages for real: apt, dnf and zypper, each against a signed repository of small
# packages that the scenario makes. One node plays them one after the other: Debian has the tools of all
# three, and os-release decides which one a node is run by.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lab_up 1

on head 'DEBIAN_FRONTEND=noninteractive apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
  dnf dnf-plugins-core rpm createrepo-c gnupg dpkg-dev' >>"$LOG" || { echo "the tools could not be installed; see $LOG"; exit 1; }

# What Red Hat and SUSE have and Debian's packages of their tools lack: the usual place of rpm's database,
# a folder of products. The plug-in `local` is Debian's own default.
on head 'cat >/srv/prepare' <<'SH'
set -e
sed -i 's/^enabled *=.*/enabled = 0/' /etc/dnf/plugins/local.conf
mkdir -p /etc/rpm /etc/products.d /srv/rpm/SPECS /srv/repo /srv/deb
echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros
rpm --initdb
export GNUPGHOME=/srv/gpg
mkdir -p -m 700 "$GNUPGHOME"
for who in good evil; do
  gpg --batch --quiet --passphrase '' --quick-gen-key "$who <$who@example.org>" rsa2048 sign never
  gpg --armor --export "$who@example.org" >"/srv/$who.asc"
done
sh /srv/publish pw-base 1
for version in 1.0 1.1 2.0; do sh /srv/publish pw-tool $version; done
sh /srv/publish pw-app 1.0 pw-tool
sh /srv/index
SH
# publish NAME VERSION [NEEDS]: the same package as deb and as rpm
on head 'cat >/srv/publish' <<'SH'
set -e
cd /srv/rpm
provides= requires=
case $1 in pw-base) provides='Provides: /bin/sh' ;; *) requires="Requires: ${3:-pw-base}" ;; esac
cat >SPECS/"$1".spec <<S
Name: $1
Version: $2
Release: 1
Summary: of a test
License: MIT
BuildArch: noarch
$provides
$requires
%description
of a test
%install
mkdir -p %{buildroot}/opt
echo $2 >%{buildroot}/opt/$1
%files
/opt/$1
S
rpmbuild -bb --quiet --define '_topdir /srv/rpm' SPECS/"$1".spec
GNUPGHOME=/srv/gpg rpmsign --define '_gpg_name good@example.org' --define '__gpg /usr/bin/gpg' --addsign "RPMS/noarch/$1-$2-1.noarch.rpm"
mv "RPMS/noarch/$1-$2-1.noarch.rpm" /srv/repo/
b=$(mktemp -d)
chmod 755 "$b"
mkdir -p "$b/DEBIAN" "$b/opt"
printf 'Package: %s\nVersion: %s-1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: of a test\n' "$1" "$2" >"$b/DEBIAN/control"
[ -z "$3" ] || echo "Depends: $3" >>"$b/DEBIAN/control"
echo "$2" >"$b/opt/$1"
dpkg-deb -b "$b" /srv/deb/"$1_$2-1_all.deb" >/dev/null
SH
on head 'cat >/srv/index' <<'SH'
set -e
export GNUPGHOME=/srv/gpg
createrepo_c -q /srv/repo
gpg --batch --yes --armor -u good@example.org --detach-sign /srv/repo/repodata/repomd.xml
cd /srv/deb
dpkg-scanpackages -m . >Packages 2>/dev/null
{
  echo "Origin: test"
  echo "Date: $(date -Ru)"
  echo "SHA256:"
  echo " $(sha256sum <Packages | cut -d' ' -f1) $(wc -c <Packages) Packages"
} >Release
gpg --batch --yes --clearsign -u good@example.org -o InRelease Release
rm Release
SH
on head 'sh /srv/prepare' >>"$LOG" 2>&1 || { echo "the repositories could not be made; see $LOG"; FAILED=1; exit 1; }

mkdir -p "$LAB/profiles"
for key in good evil; do
  cat >"$LAB/profiles/$key.toml" <<TOML
[profile]
name = "$key"
summary = "A repository and two packages"

[vars]
version = "1.0-1"
tool = "present"
app = "absent"
repo = "present"
place = "/srv"

[[repo]]
name = "pw"
state = "{{repo}}"
uris = ["file://{{place}}/deb"]
suites = ["/"]
baseurl = ["file://{{place}}/repo"]
repo_gpgcheck = true
key = """
$(on head "cat /srv/$key.asc")
"""

[[package]]
name = "pw-app"
state = "{{app}}"

[[package]]
name = "pw-tool"
version = "{{version}}"
state = "{{tool}}"
TOML
done

apply() { # KEY, --set…
  local key=$1
  shift
  local set=()
  for one in "$@"; do set+=(--set "$one"); done
  pw_json --profile "$key" apply --yes "${set[@]}"
}
has() { # VERSION, or nothing
  equal "$(on head 'cat /opt/pw-tool 2>/dev/null')" "$1"
}

# Packages of both databases (rpm keeps its keys as such), sources with their keys, and holds.
packages_and_sources() { # LOCKS
  on head "{ rpm -qa; dpkg-query -W -f '\${Package} \${Version} \${Status}\n'
    ls /etc/apt/sources.list.d /etc/apt/keyrings /etc/apt/preferences.d /etc/yum.repos.d /etc/zypp/repos.d
    $1 | grep pw- | tr -s ' \t' ' '; } 2>/dev/null | sort"
}

world() { # ID DEFINITION GLOB LOCKS CUT-OFF LATER
  local id=$1 definition=$2 pattern=$3 locks=$4 cut_off=$5
  on head "rm -f /etc/os-release; printf 'ID=%s\nVERSION_ID=1\nPRETTY_NAME=%s\n' '$id' '$id' >/etc/os-release" >>"$LOG"
  local before
  before=$(packages_and_sources "$locks")

  apply evil
  check_status "$id: a repository that somebody else signed makes apply fail" 3
  check_json "$id: the step says so" '.nodes.head.failed_step == "repo/pw" and (.nodes.head.error | test("(?i)signature|signed|NO_PUBKEY"))'
  check "$id: nothing of it is left" on head "! test -e $definition && ! rpm -qa 'gpg-pubkey*' | grep -q ."
  apply good place=/srv/nowhere
  check_json "$id: so does one that can't be fetched" '.nodes.head.failed_step == "repo/pw" and .nodes.head.status == "failed"'

  apply good
  check_status "$id: with its own key it is added, and a package of it installed in the same run" 0
  check "$id: in the version that is wanted" has 1.0
  apply good
  check_json "$id: the second plan is empty" '.nodes.head.status == "ok" and (.nodes.head.changed | length) == 0'
  apply evil
  check_json "$id: its metadata is verified anew when the key changes" '.nodes.head.failed_step == "repo/pw"'

  apply good "version=$pattern"
  check "$id: version $pattern" has 1.1
  apply good version=1.0-1
  check "$id: an older version goes over a newer one" has 1.0
  apply good version=2.0-1 tool=held
  check "$id: a newer one, held" has 2.0
  check "$id: the packager knows of the hold" on head "$locks | grep -q pw-tool"

  on head "sh /srv/publish pw-tool $6 && sh /srv/index" >>"$LOG" 2>&1
  apply good "version=$6-1" tool=held
  check "$id: a version published after the metadata was read, of a held package" has "$6"
  apply good version=99-1 tool=held
  check_json "$id: a version that nobody has fails with its name" '.nodes.head.failed_step == "package/pw-tool" and (.nodes.head.error | test("99"))'
  check "$id: and the package stays held" on head "$locks | grep -q pw-tool"

  on head "$cut_off" >>"$LOG" 2>&1
  apply good "version=$6-1"
  check_status "$id: what a run that was cut off left is finished" 0
  check "$id: with the wanted version" has "$6"
  apply good "version=$6-1"
  check_json "$id: and nothing is left to do" '.nodes.head.status == "ok" and (.nodes.head.changed | length) == 0'

  apply good "version=$6-1" app=present
  check_status "$id: a package that needs it" 0
  cat >"$LAB/profiles/without.toml" <<TOML
[profile]
name = "without"
summary = "Not without what needs it"
[[package]]
name = "pw-tool"
state = "absent"
TOML
  apply without
  check_json "$id: what others need is not removed" '.nodes.head.failed_step == "package/pw-tool" and (.nodes.head.error | test("declare"))'
  apply good tool=absent repo=absent
  check_status "$id: everything goes" 0
  check "$id: with the repository" on head "! test -e $definition && ! test -e /opt/pw-tool && ! test -e /opt/pw-app"

  apply good version=2.0-1 tool=held app=present
  check "$id: there once more" has 2.0
  pw_json undo --yes
  check_status "$id: undo" 0
  check "$id: takes packages, repository and key back" equal "$(packages_and_sources "$locks")" "$before"
}

world debian /etc/apt/sources.list.d/pw.sources '1.1*' 'apt-mark showhold' \
  'apt-mark unhold pw-tool; dpkg --unpack /srv/deb/pw-tool_1.0-1_all.deb' 3.0
world rocky /etc/yum.repos.d/pw.repo '1.1*' 'dnf -q versionlock list' \
  'rpm -i --force --nodeps /srv/repo/pw-tool-1.0-1.noarch.rpm' 4.0
# Debian's zypper and dnf-plugins-core exclude each other.
on head 'DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends zypper; rpm -e --allmatches gpg-pubkey' >>"$LOG"
world opensuse-leap /etc/zypp/repos.d/pw.repo 1.1-1 'zypper -n locks' \
  'rpm -i --force --nodeps /srv/repo/pw-tool-1.0-1.noarch.rpm' 5.0
