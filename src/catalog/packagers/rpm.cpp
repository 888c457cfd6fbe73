#include "catalog/packagers/rpm.hpp"

#include <fmt/format.h>

#include "base/shell.hpp"

namespace podwright {

std::string rpm_query(const std::string& name) {
  return sh::assign("n", name) + R"sh(
v=$(rpm -q --qf '%{VERSION}-%{RELEASE}\n' "$n" 2>/dev/null) || exit 0
echo 'state installed'
for one in $v; do echo "version $one"; done
# An upgrade that was cut off leaves the old one and the new. Kernels are there several times by design.
case $v in
  *"
"*)
    case $(rpm -q --provides "$n") in
      *installonlypkg*) ;;
      *)
        if [ -n "$(rpm -q --qf '%{ARCH}\n' "$n" | sort | uniq -d)" ]; then echo 'state broken'; fi
        ;;
    esac
    ;;
esac
)sh";
}

std::string held_query(std::string_view names) {
  return fmt::format("({}\n) | while read -r one; do\n  [ \"$one\" != \"$n\" ] || echo 'held yes'\ndone\n", names);
}

std::string rpm_trust() {
  return fmt::format("pw_keys() {{ {}; }}\n", rpm_keys) + R"sh(
pw_trust() {
  known=$(pw_keys)
  [ ! -f "$1/key.asc" ] || rpm --import "$1/key.asc"
}
pw_distrust() {
  pw_keys | while read -r key; do
    case $known in *"$key"*) ;; *) rpm -e "$key" 2>/dev/null ;; esac
  done
}
)sh";
}

}  // namespace podwright
