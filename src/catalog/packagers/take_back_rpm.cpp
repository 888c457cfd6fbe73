#include "catalog/packagers/take_back_rpm.hpp"

#include <fmt/format.h>

namespace podwright {

std::string list_rpms(std::string_view held) {
  return fmt::format(R"sh(rpm -qa --qf 'package %{{NAME}} %{{VERSION}}-%{{RELEASE}}\n' || exit
({}
) | sed 's/^/hold /'
)sh", held) + list_accounts();
}

std::string take_back_rpms(const Moves& moves) {
  // rpm itself tells what stays because it is needed; the tools above it would take more along.
  return take_back_packages(R"sh(
pw_goes() {
  sort -u "$t/wanted" "$t/deps" >"$t/goes"
  while [ -s "$t/goes" ]; do
    out=$(rpm -e --test $(cat "$t/goes") 2>&1) && return
    printf '%s\n' "$out" | sed -n 's/^[[:space:]]*\(.*\) is needed by (installed) \(.*\)$/\1|\2/p' >"$t/needs"
    : >"$t/keep"
    while IFS='|' read -r what by; do
      rpm -q --qf '%{NAME}\n' --whatprovides "$what" | sort -u | comm -12 - "$t/goes" >"$t/held"
      comm -12 "$t/held" "$t/wanted" | while read -r n; do printf '%s|is needed by %s\n' "$n" "$by"; done >>"$t/why"
      cat "$t/held" >>"$t/keep"
    done <"$t/needs"
    [ -s "$t/keep" ] || { printf '%s\n' "$out" >&2; return 1; }
    sort -u "$t/keep" | comm -23 "$t/goes" - >"$t/goes.new"
    mv "$t/goes.new" "$t/goes"
  done
  [ ! -e "$t/why" ] || while IFS='|' read -r n why; do pw_left "$n" "$why"; done <"$t/why"
}
pw_purge() { rpm -e "$@"; }
pw_drop() { rpm -e "$@"; }
pw_marks() { :; }
)sh",
                            moves);
}

}  // namespace podwright
