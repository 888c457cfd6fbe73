#!/usr/bin/env bash
# shellcheck disable=SC2016
# lock, bundle create and bundle verify for distributions that the test makes: real rpms, metadata by createrepo_c,
# a signed repomd.xml, rich and weak dependencies, files as dependencies; real debs with a signed InRelease; and
# what is refused of both. No node, no network: the repositories are folders.
# shellcheck source=tests/integration/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export XDG_CACHE_HOME=$WORK/cache
SITE=$WORK/site
REPO=$WORK/repo
mkdir -p "$SITE/distributions" "$REPO" "$WORK/rpm/SPECS"
make_key good
make_key evil

rpm_of() { # NAME VERSION LINES OF THE SPEC [RELEASE]
  local release=${4:-1}
  cat >"$WORK/rpm/SPECS/$1.spec" <<SPEC
Name: $1
Version: $2
Release: $release
Summary: of a test
License: MIT
BuildArch: noarch
$3
%description
of a test
%install
mkdir -p %{buildroot}/opt/pw
echo $2 >%{buildroot}/opt/pw/$1
%files
/opt/pw/$1
SPEC
  rpmbuild -bb --quiet --define "_topdir $WORK/rpm" "$WORK/rpm/SPECS/$1.spec" >>"$LOG" 2>&1
  mv "$WORK/rpm/RPMS/noarch/$1-$2-$release.noarch.rpm" "$REPO/"
}
index() { # [MODULES.YAML]
  createrepo_c -q "$REPO" >>"$LOG" 2>&1
  [ -z "${1-}" ] || modifyrepo_c --mdtype=modules "$1" "$REPO/repodata" >>"$LOG" 2>&1
  gpg --batch --yes --quiet --armor -u good@example.org --detach-sign "$REPO/repodata/repomd.xml"
}
rpm_of base 1.0 ''
rpm_of tool 1.0 'Requires: base'
rpm_of tool 2.0 'Requires: base >= 1.0'
rpm_of nice 1.0 ''
rpm_of plugin 1.0 'Requires: tool'
rpm_of driver 1.0 'Provides: accelerator'
rpm_of by-file 1.0 ''
rpm_of app 1.0 'Requires: (plugin if tool)
Requires: (driver or other)
Requires: /opt/pw/by-file
Requires: tool < 3
Recommends: nice'
index

site() { # KEY
  cat >"$SITE/distributions/rocky.toml" <<TOML
[distribution]
os = "rocky"
packager = "rpm"
architectures = { x86_64 = "x86_64", aarch64 = "aarch64" }
versions = { "9" = "9" }
minimal = ["base"]

[[repo]]
name = "test"
uris = ["file://$REPO"]
keys = """
$(cat "$1")
"""
TOML
}
cat >"$SITE/app.toml" <<'TOML'
[profile]
name = "app"
summary = "an application"

[[package]]
name = "app"
TOML
here() {
  printf '\n$ podwright %s\n' "$*" >>"$LOG"
  (cd "$SITE" && "$PODWRIGHT" --output json "$@") >"$WORK/out" 2>"$WORK/err"
  STATUS=$?
  cat "$WORK/out" "$WORK/err" >>"$LOG"
  return 0
}
locked() { sed -n 's/^  { name = "\([^"]*\)", version = "\([^"]*\)", arch.*/\1-\2/p' "$SITE/profile.lock.toml" | xargs; }

site "$WORK/good.asc"
here --profile ./app.toml lock --os rocky:9.4:x86_64
check_status 'lock of an rpm distribution on a Debian head' 0
check 'rich dependencies, files and the newest versions; nothing that is only recommended' \
  equal "$(locked)" 'app-1.0-1 base-1.0-1 by-file-1.0-1 driver-1.0-1 plugin-1.0-1 tool-2.0-1'
here bundle create -o one.tar.zst
check_status 'bundle create' 0
check_json 'closed' '.closed and .artifacts == 6'
here bundle verify one.tar.zst
check_json 'and verified so' '.closed'
here bundle create -o two.tar.zst
check 'twice the same bytes' cmp "$SITE/one.tar.zst" "$SITE/two.tar.zst"

mkdir "$WORK/open"
zstd -dcq "$SITE/one.tar.zst" | tar -C "$WORK/open" -xf -
check 'createrepo_c finds the same packages in the bundle' test "$(createrepo_c -q "$WORK/open/systems/rocky-9.4-x86_64" -o "$WORK" && \
  zgrep -o '<name>[^<]*' "$WORK"/repodata/*primary.xml.gz | sort | xargs)" = "$(grep -o '<name>[^<]*' "$WORK/open/systems/rocky-9.4-x86_64/repodata/primary.xml" | sort | xargs)"
rm "$WORK/open/systems/rocky-9.4-x86_64/Packages/plugin-1.0-1.noarch.rpm"
(cd "$WORK/open" && tar --sort=name -cf - -- *) | zstd -q -f -o "$WORK/less.tar.zst"
here bundle verify "$WORK/less.tar.zst"
check_status 'a package that was taken out fails the proof' 4
check_error 'by name' 'plugin'
check_error 'with what needs it' 'app'

rpm_of extra 1.0 ''
rpm_of app 1.1 'Requires: extra'
index
here --profile ./app.toml lock --os rocky:9.4:x86_64
check 'new metadata is noticed' equal "$(locked)" 'app-1.1-1 base-1.0-1 extra-1.0-1'
here bundle create -o more.tar.zst --since one.tar.zst
check_json 'an incremental bundle packs the difference' '.artifacts == 2 and .left_out == 1'
here bundle verify more.tar.zst
check_status 'alone it is not whole' 4
check_error 'and says what it needs' 'older bundle'
here bundle verify more.tar.zst --since one.tar.zst
check_json 'with the older one it is' '.closed'

rpm_of app 2.0 '' 1.module+el9.6.0+1+2a3b4c5d
index
rm -rf "$XDG_CACHE_HOME"
here --profile ./app.toml lock --os rocky:9.4:x86_64
check 'a package of a module is one like others where no modules are listed' \
  equal "$(locked)" 'app-2.0-1.module+el9.6.0+1+2a3b4c5d base-1.0-1'
printf '%s\n' --- 'document: modulemd' 'version: 2' 'data: { name: app, stream: "2" }' >"$WORK/modules.yaml"
index "$WORK/modules.yaml"
rm -rf "$XDG_CACHE_HOME"
here --profile ./app.toml lock --os rocky:9.4:x86_64
check 'where they are it is hidden, as dnf hides streams that nobody has enabled' \
  equal "$(locked)" 'app-1.1-1 base-1.0-1 extra-1.0-1'
rm "$REPO"/app-2.0-*.rpm
index

site "$WORK/evil.asc"
here --profile ./app.toml lock --os rocky:9.4:x86_64
check_status 'metadata signed by a key that nobody named is refused' 4
check_error 'by name' 'test repomd.xml'
site "$WORK/good.asc"
sed -i 's/<revision>/<revision>1/' "$REPO/repodata/repomd.xml"
here --profile ./app.toml lock --os rocky:9.4:x86_64
check_status 'so is metadata that was changed after it was signed' 4
check_error 'by name' 'signature'
index
flip_bit "$(echo "$REPO"/repodata/*primary.xml*)" 100
rm -rf "$XDG_CACHE_HOME"
here --profile ./app.toml lock --os rocky:9.4:x86_64
check 'and a primary.xml that is not the signed one' test "$STATUS" != 0
check_error 'by name' 'primary.xml'
index
flip_bit "$REPO/extra-1.0-1.noarch.rpm" 1000
here --profile ./app.toml bundle create -o bad.tar.zst --cache "$WORK/empty"
check 'a package that is not the locked one' test "$STATUS" != 0
check_error 'by name' 'extra'
rm "$REPO/repodata/repomd.xml.asc"
rm -rf "$XDG_CACHE_HOME"
here --profile ./app.toml lock --os rocky:9.4:x86_64
check_status 'a repository that is not signed is refused' 4
check_error 'with the remedy' 'trusted'
sed -i 's/^name = "test"$/&\ntrusted = true/' "$SITE/distributions/rocky.toml"
here --profile ./app.toml lock --os rocky:9.4:x86_64
check_status 'unless its file says so' 0
check_json 'and then a note does' '.notes | length == 1 and (.[0] | contains("the metadata of test is taken without a signature"))'

# --- apt -------------------------------------------------------------------------------------------------

deb_of app 1.0 $'Depends: lib | other, virtual\n'
deb_of lib 1.0 ''
deb_of lib 1.5 ''
deb_of other 1.0 ''
deb_of provider 1.0 $'Provides: virtual\n'
deb_index
cat >"$SITE/distributions/debian.toml" <<TOML
[distribution]
os = "debian"
packager = "apt"
architectures = { x86_64 = "amd64" }
versions = { "12" = "bookworm" }

[[repo]]
name = "test"
uris = ["file://$DEBS"]
suites = ["/"]
keys = """
$(cat "$WORK/good.asc")
"""
TOML
deb_lock() {
  rm -rf "$XDG_CACHE_HOME"
  here --profile ./app.toml lock --os debian:12:amd64
}
deb_lock
check_status 'lock of a repository of debs' 0
check 'the first alternative, the newest version, the one that provides' equal "$(locked)" 'app-1.0 lib-1.5 provider-1.0'
here bundle create -o debs.tar.zst
check_json 'its bundle is closed' '.closed and .artifacts == 3'
flip_bit "$DEBS/lib_1.5_all.deb" 200
here bundle create -o bad.tar.zst --cache "$WORK/empty"
check_status 'a deb with one bit flipped' 4
check_error 'by name' 'lib 1.5'
flip_bit "$DEBS/lib_1.5_all.deb" 200
cached=$XDG_CACHE_HOME/podwright/packages/$(sha256sum <"$DEBS/lib_1.5_all.deb" | cut -d' ' -f1)
for byte in 80 $(($(stat -c %s "$cached") - 5)); do
  flip_bit "$cached" $byte
  here bundle create -o again.tar.zst
  check_status "a bit of the cache that was flipped (byte $byte) gets into no bundle" 4
  check 'and no file of one is left' test ! -e "$SITE/again.tar.zst"
  here bundle create -o again.tar.zst
  check_status 'it is fetched anew' 0
  check 'and the bundle is what it was' cmp "$SITE/debs.tar.zst" "$SITE/again.tar.zst"
  rm "$SITE/again.tar.zst"
done
at=$(grep -abo 'Origin: test' "$DEBS/InRelease" | cut -d: -f1)
flip_bit "$DEBS/InRelease" $((at + 8))
deb_lock
check_status 'an InRelease with one bit flipped' 4
check_error 'by name' 'the signature by'
flip_bit "$DEBS/InRelease" $((at + 8))
rm "$DEBS/Packages"
flip_bit "$DEBS/Packages.xz" 100
deb_lock
check_status 'a Packages with one bit flipped' 4
check_error 'by name' 'Packages'
flip_bit "$DEBS/Packages.xz" 100
deb_lock
check_status 'and as it was it is taken' 0
