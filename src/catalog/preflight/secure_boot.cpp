// With Secure Boot a kernel loads signed modules only. What DKMS builds is signed with a key of the
// machine, which the firmware must have been told of (MOK).
#include <fmt/format.h>

#include "catalog/preflight/planned.hpp"

namespace podwright {
namespace {

using namespace preflight;

std::optional<PreflightFinding> judge(std::string_view printed, const PreflightContext& context) {
  if (value_of(printed, "secure_boot") != "on" || value_of(printed, "key") == "enrolled") return std::nullopt;
  const auto dkms = installs_package(context, is_dkms);
  if (dkms.empty()) return std::nullopt;
  return PreflightFinding{
      .what = fmt::format("Secure Boot is on, and no key of this machine is enrolled: the module that {} builds "
                          "would not be loaded", dkms),
      .hint = "switch Secure Boot off in the firmware, or enrol a key: `mokutil --import /var/lib/dkms/mok.pub` and reboot"};
}

const Registered secure_boot{Preflight{
    .id = "secure_boot",
    .summary = "Secure Boot is off, or a key is enrolled, where a module is built on the node",
    .source = "dkms(8) SIGNING; UEFI 2.10, 3.3: the variable SecureBoot is 1; mokutil(1) --test-key",
    .probe = R"sh(for variable in /sys/firmware/efi/efivars/SecureBoot-*; do
  [ -r "$variable" ] || continue
  # four bytes of attributes, then the value
  case $(od -An -t u1 "$variable" | tr -d '\n' | sed 's/.* //') in 1) echo 'secure_boot on' ;; *) echo 'secure_boot off' ;; esac
  for key in /var/lib/dkms/mok.pub /var/lib/shim-signed/mok/MOK.der; do
    [ -r "$key" ] || continue
    case $(mokutil --test-key "$key") in *'already enrolled'*) echo 'key enrolled'; break ;; esac
  done
done)sh",
    .judge = judge,
}};

}  // namespace
}  // namespace podwright
