// DKMS builds against the headers of the kernel that runs; without them it leaves a package that looks
// installed, and no module.
#include <fmt/format.h>

#include "catalog/preflight/planned.hpp"

namespace podwright {
namespace {

using namespace preflight;

bool is_headers(const std::string& package) {
  return package.starts_with("linux-headers") || package.starts_with("kernel-devel") ||
         package.starts_with("kernel-headers") || package.starts_with("kernel-default-devel") ||
         package == "proxmox-default-headers";
}

std::optional<PreflightFinding> judge(std::string_view printed, const PreflightContext& context) {
  const auto dkms = installs_package(context, is_dkms);
  if (dkms.empty() || value_of(printed, "headers") != "absent") return std::nullopt;
  if (!installs_package(context, is_headers).empty()) return std::nullopt;
  const auto package = context.facts.package_manager == "apt"      ? "linux-headers-" + context.facts.kernel
                       : context.facts.package_manager == "zypper" ? std::string("kernel-default-devel")
                                                                   : "kernel-devel-" + context.facts.kernel;
  return PreflightFinding{
      .what = fmt::format("{} builds a module, and the headers of the kernel that runs, {}, are not there", dkms,
                          context.facts.kernel),
      .hint = fmt::format("add [[package]] name = \"{}\" before it to the profile", package)};
}

const Registered kernel_headers{Preflight{
    .id = "kernel_headers",
    .summary = "A package that builds a kernel module finds the headers of the kernel that runs",
    .source = "dkms(8): --kernelsourcedir is /lib/modules/KERNEL/build",
    .probe = R"sh(read -r kernel </proc/sys/kernel/osrelease
if [ -e "/lib/modules/$kernel/build/Makefile" ]; then echo 'headers present'; else echo 'headers absent'; fi)sh",
    .judge = judge,
}};

}  // namespace
}  // namespace podwright
