#include "catalog/packagers/take_back.hpp"

#include <fmt/format.h>

namespace podwright {

namespace {

constexpr std::string_view common = R"sh(
set -- $entries
ledger=${1%/*}
t=$(mktemp -d) || exit
trap 'rm -rf "$t"' EXIT
part() { sed -n "s/^$1 //p" "$2" | sort -u; }
first_of() { cut -d ' ' -f 1 "$1" | sort -u; }
pw_left() { # NAME WHY
  left=yes
  if [ -e "$t/named" ] && grep -qxF "$1" "$t/named"; then printf 'left\tpackage/%s\t%s\n' "$1" "$2"
  else printf 'left\t%s\t%s %s\n' "$some_id" "$1" "$2"
  fi
}
left=
sh "$1/state" >"$t/state" || exit
part package "$t/state" >"$t/now"
[ -s "$t/now" ] || { echo 'the list of packages could not be read' >&2; exit 1; }
first_of "$t/now" >"$t/installed"
cp "$1/before" "$t/first" || exit
: >"$t/new"; : >"$t/old"; : >"$t/seen"; : >"$t/came-all"; : >"$t/accounts"
last=
for e in "$@"; do
  read -r x some_id <"$e/step"
  printf '%s\n' "${some_id#package/}" >>"$t/named"
  # Steps of one transaction have the same lists.
  if [ -n "$last" ] && cmp -s "$last/before" "$e/before"; then continue; fi
  last=$e
  after=$e/after
  [ -s "$after" ] || after=$t/state
  part package "$e/before" >"$t/b"
  part package "$after" >"$t/a"
  comm -13 "$t/b" "$t/a" >"$t/came"
  comm -23 "$t/b" "$t/a" >"$t/went"
  cat "$t/came" >>"$t/came-all"
  join -v 1 "$t/came" "$t/b" | cut -d ' ' -f 1 | comm -23 - "$t/seen" >>"$t/new"
  join -v 1 "$t/went" "$t/seen" >>"$t/old"
  # A second version beside the first one is no upgrade.
  join "$t/came" "$t/b" | cut -d ' ' -f 1 | sort -u >"$t/again"
  first_of "$t/went" | comm -23 "$t/again" - >"$t/beside"
  while read -r n; do pw_left "$n" 'has a second version, which stays'; done <"$t/beside"
  { first_of "$t/came"; first_of "$t/went"; cat "$t/seen"; } | sort -u >"$t/seen.new"
  mv "$t/seen.new" "$t/seen"
  for kind in user group; do
    part "$kind" "$e/before" >"$t/b"
    part "$kind" "$after" | comm -13 "$t/b" - | sed "s/^/$kind /" >>"$t/accounts"
  done
done
sort -u "$t/new" | comm -12 - "$t/installed" >"$t/here"
sort -u -o "$t/named" "$t/named"
sort -u "$t/seen" "$t/named" >"$t/touched"
comm -12 "$t/here" "$t/named" >"$t/wanted"
comm -23 "$t/here" "$t/named" >"$t/deps"
# A held package keeps its version whatever is asked for. What podwright put on hold goes free for good.
part hold "$t/first" | comm -12 - "$t/touched" >"$t/held"
part hold "$t/state" | comm -12 - "$t/touched" >"$t/holds"
[ ! -s "$t/holds" ] || pw_unhold $(cat "$t/holds") || exit
if [ -s "$t/here" ]; then
  pw_goes || exit
  part config "$t/first" | comm -12 - "$t/goes" >"$t/drop"
  comm -23 "$t/goes" "$t/drop" >"$t/purge"
  [ ! -s "$t/purge" ] || pw_purge $(cat "$t/purge") || exit
  [ ! -s "$t/drop" ] || pw_drop $(cat "$t/drop") || exit
fi
while read -r n v; do
  now=$(sed -n "s/^$n //p" "$t/now" | head -n 1)
  [ "$now" != "$v" ] || continue
  if [ -n "$now" ] && ! grep -qxF "$n $now" "$t/came-all"; then
    pw_left "$n" "is $now: neither what podwright installed nor $v, which was there before"
    continue
  fi
  pw_old "$n$separator$v" </dev/null ||
    pw_left "$n" "was $v before podwright, a version that could not be installed any more"
done <"$t/old"
[ ! -s "$t/held" ] || pw_hold $(cat "$t/held") || exit
pw_marks || exit
# Accounts that scripts of these packages made; another entry's are left to it.
if [ -z "$left" ]; then
  for e in "$ledger"/[0-9]*; do
    case " $entries " in *" $e "*) continue ;; esac
    read -r x id <"$e/step"
    case $id in package/*) ;; *) continue ;; esac
    for kind in user group; do
      part "$kind" "$e/before" >"$t/b"
      part "$kind" "$e/after" | comm -13 "$t/b" - | sed "s/^/$kind /"
    done
  done | sort -u >"$t/others"
  sort -u "$t/accounts" | comm -23 - "$t/others" | sort -r >"$t/go"
  while read -r kind n; do
    case $kind in
      user) ! getent passwd "$n" >/dev/null || userdel "$n" || exit ;;
      group) ! getent group "$n" >/dev/null || groupdel "$n" || exit ;;
    esac
  done <"$t/go"
fi
)sh";

}  // namespace

std::string list_accounts() {
  return R"sh(while IFS=: read -r n x; do echo "user $n"; done </etc/passwd
while IFS=: read -r n x; do echo "group $n"; done </etc/group
)sh";
}

std::string take_back_packages(std::string_view functions, const Moves& moves) {
  const auto function = [](std::string_view name, std::string_view command) {
    return fmt::format("{}() {{\n(\n{} \"$@\"\n)\n}}\n", name, command);
  };
  return fmt::format("export LC_ALL=C\n{}\nseparator='{}'\n{}{}{}{}", functions, moves.separator,
                     function("pw_old", moves.install), function("pw_hold", moves.hold),
                     function("pw_unhold", moves.unhold), common);
}

}  // namespace podwright
