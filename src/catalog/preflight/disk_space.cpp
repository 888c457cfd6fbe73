// A full disk in the middle of a package's installation leaves it half done.
#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/preflight/planned.hpp"

namespace podwright {
namespace {

using namespace preflight;

constexpr std::uint64_t mib = 1024 * 1024;
/// Files of configuration, the ledger and logs.
constexpr std::uint64_t least_for_anything = 32 * mib;
/// apt and dnf unpack beside what is there; a driver's package alone takes some hundred MiB.
constexpr std::uint64_t least_for_packages = 512 * mib;

std::optional<PreflightFinding> judge(std::string_view, const PreflightContext& context) {
  const bool packages = plans(context, "package") || plans(context, "installer");
  for (const auto& mount : context.facts.mounts) {
    const bool system = mount.path == "/" || mount.path == "/usr" || mount.path == "/var" || mount.path == "/etc";
    if (!system || mount.hung || mount.bytes == 0) continue;
    const auto least = packages && mount.path != "/etc" ? least_for_packages : least_for_anything;
    if (mount.available_bytes >= least) continue;
    return PreflightFinding{
        .what = fmt::format("{} has {} left; {} needs {}", mount.path, human_bytes(mount.available_bytes),
                            packages ? "installing packages" : "what is planned", human_bytes(least)),
        .hint = "make room: old logs (`journalctl --vacuum-size=200M`), package caches (`apt-get clean`)"};
  }
  return std::nullopt;
}

const Registered disk_space{Preflight{
    .id = "disk_space",
    .summary = "/, /usr and /var have room: 512 MiB where packages are installed, else 32 MiB",
    .source = "podwright: what unpacking the largest package of a shipped profile took, rounded up",
    .judge = judge,
}};

}  // namespace
}  // namespace podwright
