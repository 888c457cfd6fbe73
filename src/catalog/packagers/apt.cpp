// Debian, Ubuntu and their kin.
#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "catalog/packagers/repo_fields.hpp"
#include "catalog/packagers/take_back.hpp"

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
# apt-get waits for the lock of dpkg by itself, but not for that of the lists. A proxy that keeps the
# connection and says no more can hold it for ever: what it has got by then is kept for the next try.
pw_update() {
  tries=24
  while :; do
    out=$(timeout -k 10 300 apt-get -q update 2>&1) && break
    ended=$?
    tries=$((tries - 1))
    case $ended/$out in
      *'Could not get lock'*) ;;
      124/* | 137/*)
        echo 'apt-get update came to no end within 300 s: does the mirror, or a proxy, still answer?'
        tries=$((tries - 11))
        ;;
      *) tries=0 ;;
    esac
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

/// deb822, which every apt since 1.1 reads.
Result<RepoFiles> repo(const Wanted& wanted) {
  const auto uris = wanted.list("uris");
  const auto suites = wanted.list("suites");
  if (uris.empty()) return repo_needs(wanted, "uris", "apt", "uris and suites");
  if (suites.empty()) return repo_needs(wanted, "suites", "apt", "suites: [\"{{os.codename}}\"], or [\"/\"]");
  // A suite that ends in a slash is a folder that holds the index itself: it has no components.
  const bool flat = std::ranges::all_of(suites, [](const auto& suite) { return suite.ends_with('/'); });
  auto components = wanted.list("components");
  if (flat && !components.empty()) {
    return refuse(wanted, "components", "a suite that ends in / has no components", "leave them out");
  }
  if (!flat && components.empty()) components = {"main"};
  auto types = wanted.list("types");
  if (types.empty()) types = {"deb"};

  const auto source = wanted.text("key_source");
  RepoFiles files{
      .path = fmt::format("/etc/apt/sources.list.d/{}.sources", wanted.name),
      // apt tells keys in armor from others by the name of the file.
      .key_path = fmt::format("/etc/apt/keyrings/{}.{}", wanted.name, source.ends_with(".gpg") ? "gpg" : "asc"),
      .pin_path = fmt::format("/etc/apt/preferences.d/{}.pref", wanted.name)};
  files.content = fmt::format("# Written by podwright.\nTypes: {}\nURIs: {}\nSuites: {}\n", join(types, " "),
                              join(uris, " "), join(suites, " "));
  if (!components.empty()) files.content += fmt::format("Components: {}\n", join(components, " "));
  const auto architectures = wanted.list("architectures");
  if (!architectures.empty()) files.content += fmt::format("Architectures: {}\n", join(architectures, " "));
  if (has_key(wanted)) files.content += fmt::format("Signed-By: {}\n", files.key_path);
  if (!wanted.flag("enabled", true)) files.content += "Enabled: no\n";
  for (const auto& option : repo_options(wanted, ": ")) files.content += option + "\n";

  if (!wanted.has("pin_priority")) return files;
  const auto host = uris.front().substr(uris.front().find("//") == std::string::npos
                                            ? uris.front().size()
                                            : uris.front().find("//") + 2);
  files.pin = fmt::format("# Written by podwright.\nPackage: *\nPin: origin \"{}\"\nPin-Priority: {}\n",
                          host.substr(0, host.find_first_of(":/")), wanted.integer("pin_priority", 500));
  return files;
}

const std::string try_repo = R"sh(
# apt refuses everything when two sources contradict each other, so that is asked before.
pw_fits() {
  mkdir "$1/parts" || return
  for part in /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    case $part in
      */"$2.sources" | *'*'*) ;;
      *) cp "$part" "$1/parts/" || return ;;
    esac
  done
  cp "$1/real/$2.sources" "$1/parts/" &&
    apt-get -o Dir::Etc::sourceparts="$1/parts" indextargets >/dev/null
}
# apt-get calls some failures warnings and ends well, and takes an old index for the new one.
pw_try_repo() {
  pw_fits "$1" "$2" || return
  tries=24
  while :; do
    out=$(apt-get -q update -o Dir::Etc::sourcelist="$1/$2.sources" -o Dir::Etc::sourceparts=- \
      -o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any 2>&1)
    status=$?
    case $out in *'Could not get lock'*) ;; *) break ;; esac
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then break; fi
    sleep 5
  done
  bad=$(printf '%s\n' "$out" | grep -E \
    '^E: |^Err:|^W: .*([Ff]ailed to fetch|GPG error|signature|NO_PUBKEY|not signed|ignored, or old)')
  if [ "$status" = 0 ] && [ -z "$bad" ]; then return 0; fi
  printf '%s\n' "${bad:-$out}" >&2
  return 1
}
pw_try_repo)sh";

// Names of the node's own architecture stand without it, as apt-get prints them.
const std::string list = R"sh(
arch=$(dpkg --print-architecture) || exit
s=$(dpkg-query -W -f '${db:Status-Abbrev}${binary:Package} ${Version}\n') || exit
s=$(printf '%s\n' "$s" | sed "s/:$arch / /")
printf '%s\n' "$s" | sed -n 's/^.i.//p' | sed 's/^/package /'
printf '%s\n' "$s" | sed -n 's/^.c.\([^ ]*\) .*/config \1/p; s/^h..\([^ ]*\) .*/hold \1/p'
if [ -e /var/lib/apt/extended_states ]; then
  while read -r key value; do
    case $key$value in
      Package:*) p=$value ;;
      Architecture:$arch) ;;
      Architecture:*) p=$p:$value ;;
      Auto-Installed:1) echo "auto $p" ;;
    esac
  done </var/lib/apt/extended_states
fi
)sh" + list_accounts();

const std::string take_back = common + R"sh(
pw_mend
# What a command would remove; recommended and suggested packages are not needed.
pw_sim() {
  pw_apt -s -o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false \
    "$@" 2>/dev/null | sed -n 's/^Remv \([^ ]*\) .*/\1/p; s/^Purg \([^ ]*\) .*/\1/p' | sort -u
}
pw_goes() {
  while [ -s "$t/wanted" ]; do
    pw_sim purge $(cat "$t/wanted") >"$t/gone"
    sort -u "$t/wanted" "$t/deps" | comm -13 - "$t/gone" >"$t/more"
    [ -s "$t/more" ] || break
    : >"$t/keep"
    for p in $(cat "$t/wanted"); do
      by=$(pw_sim purge "$p" | comm -12 - "$t/more")
      [ -n "$by" ] || continue
      pw_left "$p" "is needed by $(echo $by)"
      echo "$p" >>"$t/keep"
    done
    [ -s "$t/keep" ] || { echo "apt-get would remove $(echo $(cat "$t/more")) too" >&2; return 1; }
    comm -23 "$t/wanted" "$t/keep" >"$t/wanted.new"
    mv "$t/wanted.new" "$t/wanted"
  done
  {
    cat "$t/wanted"
    if [ -s "$t/wanted" ]; then pw_sim --auto-remove purge $(cat "$t/wanted"); else pw_sim autoremove; fi |
      comm -12 - "$t/deps"
  } | sort -u >"$t/goes"
}
# What is on hold goes too.
pw_purge() { pw_apt --allow-change-held-packages purge "$@"; }
pw_drop() { pw_apt --allow-change-held-packages remove "$@"; }
pw_marks() {
  set -- $entries
  sh "$1/state" >"$t/state" || return
  part package "$t/state" | cut -d ' ' -f 1 | comm -12 - "$t/touched" >"$t/b"
  part auto "$t/first" | comm -12 - "$t/b" >"$t/a"
  part auto "$t/state" | comm -23 "$t/a" - | xargs -r apt-mark auto
}
)sh";

const std::string hold = "apt-mark hold";
const std::string unhold = "apt-mark unhold";

const Registered apt{Packager{
    .id = "apt",
    .summary = "apt and dpkg: Debian, Ubuntu",
    .query = query,
    .install = install,
    .remove = remove,
    .hold = hold,
    .unhold = unhold,
    .versioned = versioned,
    .list = list,
    .take_back = take_back_packages(
        take_back, {.install = install, .separator = "=", .hold = hold, .unhold = unhold}),
    .repo = repo,
    .try_repo = try_repo,
}};

}  // namespace
}  // namespace podwright
