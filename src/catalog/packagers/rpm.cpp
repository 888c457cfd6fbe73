#include "catalog/packagers/rpm.hpp"

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

}  // namespace podwright
