// What runs on a node and what it runs on: distribution, kernel, names, virtualization, firmware.
#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright {

namespace {

// A container is looked for first: systemd-detect-virt costs a process, and what it says about the
// machine below a container would be the host's affair.
constexpr std::string_view script = R"sh(
get() { v=; { read -r v; } 2>/dev/null <"$1"; }
say() { get "$2"; [ -z "$v" ] || printf '%s=%s\n' "$1" "$v"; }
for f in /etc/os-release /usr/lib/os-release; do
  [ -r "$f" ] || continue
  while read -r line || [ -n "$line" ]; do
    case $line in
      ID=*|VERSION_ID=*|VERSION_CODENAME=*|PRETTY_NAME=*) printf 'release.%s\n' "$line" ;;
    esac
  done <"$f"
  break
done
say kernel /proc/sys/kernel/osrelease
get /proc/sys/kernel/arch
printf 'arch=%s\n' "${v:-$(uname -m)}"
say hostname /proc/sys/kernel/hostname
say boot_id /proc/sys/kernel/random/boot_id
say machine_id /etc/machine-id
say dmi.vendor /sys/class/dmi/id/sys_vendor
say dmi.product /sys/class/dmi/id/product_name
say dmi.bios /sys/class/dmi/id/bios_version
say model /proc/device-tree/model
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  echo cgroup=2
else
  for d in /sys/fs/cgroup/*/cgroup.procs; do [ ! -e "$d" ] || { echo cgroup=1; break; }; done
fi
get /run/systemd/container
[ -n "$v" ] || { [ -e /run/.containerenv ] && v=podman; }
[ -n "$v" ] || { [ -e /.dockerenv ] && v=docker; }
if [ -n "$v" ]; then
  printf 'container=%s\n' "$v"
elif command -v systemd-detect-virt >/dev/null 2>&1; then
  printf 'virt=%s\n' "$(systemd-detect-virt 2>/dev/null)"
else
  say hypervisor /sys/hypervisor/type
  say hypervisor.tree /proc/device-tree/hypervisor/compatible
  while read -r line; do
    case $line in
      '') break ;;
      flags*hypervisor*) echo hypervisor.flag=yes; break ;;
    esac
  done </proc/cpuinfo
fi
echo end
)sh";

using Values = std::map<std::string, std::string, std::less<>>;

std::string value_of(const Values& values, std::string_view key) {
  const auto found = values.find(key);
  return found == values.end() ? std::string{} : found->second;
}

/// Quotes of os-release undone: "a b", 'a b', and backslashes within double quotes.
std::string unquote(std::string_view text) {
  text = trim(text);
  if (text.size() < 2 || text.front() != text.back() || (text.front() != '"' && text.front() != '\'')) {
    return std::string(text);
  }
  const bool escapes = text.front() == '"';
  text = text.substr(1, text.size() - 2);
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (escapes && text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

/// What systemd-detect-virt would say, from what the firmware says of itself.
std::string from_firmware(const Values& values) {
  const auto vendor = value_of(values, "dmi.vendor");
  const auto product = value_of(values, "dmi.product");
  if (vendor == "QEMU" || product.starts_with("KVM") || vendor == "Red Hat") return "kvm";
  if (vendor.starts_with("VMware") || product.starts_with("VMware")) return "vmware";
  if (vendor == "innotek GmbH" || product == "VirtualBox") return "oracle";
  if (vendor == "Microsoft Corporation" && product == "Virtual Machine") return "microsoft";
  if (vendor == "Amazon EC2") return product.ends_with(".metal") ? "none" : "amazon";
  if (vendor == "Google" && product == "Google Compute Engine") return "google";
  if (vendor == "Xen" || value_of(values, "hypervisor") == "xen") return "xen";
  if (vendor == "Parallels Software International Inc.") return "parallels";
  const auto tree = value_of(values, "hypervisor.tree");
  if (tree.find("kvm") != std::string::npos) return "kvm";
  if (!tree.empty() || value_of(values, "hypervisor.flag") == "yes") return "vm-other";
  return "none";
}

std::string virtualization_of(const Values& values) {
  if (const auto container = value_of(values, "container"); !container.empty()) return container;
  if (const auto found = values.find("virt"); found != values.end() && !found->second.empty()) {
    return found->second;
  }
  return from_firmware(values);
}

Status parse_os(const Observed& observed, Facts& facts) {
  static constexpr std::string_view known[] = {
      "release.ID", "release.VERSION_ID", "release.VERSION_CODENAME", "release.PRETTY_NAME",
      "kernel", "arch", "hostname", "boot_id", "machine_id", "dmi.vendor", "dmi.product", "dmi.bios",
      "model", "cgroup", "container", "virt", "hypervisor", "hypervisor.tree", "hypervisor.flag"};
  const auto lines = reading::lines_of(observed);
  if (!lines) return fail(lines.error());
  Values values;
  std::int64_t cgroup = 0;
  for (const auto& line : *lines) {
    const auto pair = reading::key_value(line);
    if (!pair) return fail(pair.error());
    if (std::ranges::find(known, pair->key) == std::end(known)) {
      return reading::malformed(line, "is an unknown key");
    }
    if (pair->key == "cgroup") {
      const auto version = reading::number(line, pair->value, "the version of cgroups", 1, 2);
      if (!version) return fail(version.error());
      cgroup = *version;
    }
    if (!values.emplace(pair->key, pair->value).second) return reading::malformed(line, "comes twice");
  }
  for (const auto* key : {"kernel", "arch", "hostname"}) {
    if (value_of(values, key).empty()) return fail(Fault::remote, std::string(key) + " is missing");
  }
  facts.os = {.id = unquote(value_of(values, "release.ID")),
              .version = unquote(value_of(values, "release.VERSION_ID")),
              .codename = unquote(value_of(values, "release.VERSION_CODENAME")),
              .name = unquote(value_of(values, "release.PRETTY_NAME"))};
  facts.kernel = value_of(values, "kernel");
  facts.arch = value_of(values, "arch");
  facts.hostname = value_of(values, "hostname");
  facts.boot_id = value_of(values, "boot_id");
  facts.machine_id = value_of(values, "machine_id");
  facts.product = value_of(values, "dmi.product");
  if (facts.product.empty()) facts.product = value_of(values, "model");
  facts.bios = value_of(values, "dmi.bios");
  facts.virtualization = virtualization_of(values);
  facts.cgroup_version = static_cast<int>(cgroup);
  return {};
}

const Registered probe{Probe{.id = "os",
                             .summary = "Distribution, kernel, names, virtualization and firmware",
                             .script = script,
                             .parse = parse_os}};

}  // namespace

}  // namespace podwright
