#include "catalog/rules/compatibility.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cctype>

#include "base/text.hpp"

namespace podwright {

const std::vector<CompatibilityRule>& compatibility_rules() {
  static const Side driver{"the NVIDIA driver", Where::package, "nvidia-open-*"};
  static const Side kernel{"the kernel", Where::kernel};
  static const std::vector<CompatibilityRule> rules = {
      // --- kernel, headers, modules ---------------------------------------------------------------
      {"kernel.headers", {"the kernel headers", Where::package_name, "linux-headers-*"}, kernel, {{"*", "="}},
       "dkms(8): a module is built against the headers of the kernel that is to load it"},
      {"kernel.devel", {"the kernel headers", Where::package_name, "kernel-devel-*"}, kernel, {{"*", "="}},
       "dkms(8): a module is built against the headers of the kernel that is to load it"},
      {"nvidia.kernel", driver, kernel, {{"5[5-9]?*", ">=4.15"}},
       "NVIDIA open GPU kernel modules, README: Linux 4.15 or later"},
      {"nvidia.debian-kernel", {"Debian's NVIDIA driver", Where::package, "nvidia-open-kernel-dkms"},
       {"the kernel headers", Where::package_name, "linux-headers-6.1.0-*"}, {{"535.261*", "[1-3]?-*|4?-*|[1-9]-*"}},
       "a build of ours: 535.261.03 compiles with 6.1.0-47, and not with 6.1.0-56 (pci_resize_resource)"},
      {"doca.kernel", {"DOCA-OFED", Where::variable, "doca_version"}, kernel, {{"3.*", ">=4.18"}, {"2.9*", ">=4.18"}},
       "NVIDIA DOCA-Host installation profiles, supported operating systems and kernels"},
      {"amdgpu.kernel", {"the amdgpu driver", Where::variable, "amdgpu_version"}, kernel,
       {{"30.*", "5.14.*|5.15.*|6.1.*|6.4.*|6.8.*|6.11.*|6.12.*|6.14.*"}, {"6.*", "4.18.*|5.14.*|5.15.*|6.1.*|6.4.*|6.8.*|6.11.*"}},
       "ROCm on Linux, System requirements: supported operating systems and kernels"},

      // --- NVIDIA ------------------------------------------------------------------------------------
      {"nvidia.fabric-manager", driver, {"Fabric Manager", Where::package, "nvidia-fabricmanager-*"}, {{"*", "="}},
       "NVIDIA Fabric Manager User Guide: the versions of driver and Fabric Manager must be equal"},
      {"nvidia.nvlink5", driver, {"the NVLink 5 packages", Where::package, "nvlink5-*"}, {{"*", "="}},
       "NVIDIA Fabric Manager User Guide, DGX B200 and HGX B200: nvlink5 of the driver's version"},
      {"nvidia.nscq", driver, {"NSCQ", Where::package, "libnvidia-nscq-*"}, {{"*", "="}},
       "NVIDIA DCGM documentation, NVSwitch: libnvidia-nscq must match the driver"},
      {"nvidia.cuda", {"the CUDA toolkit", Where::package_name, "cuda-toolkit-*"}, driver,
       {{"13*", ">=580"}, {"12*", ">=525.60.13"}, {"11*", ">=450.80.02"}},
       "NVIDIA CUDA Toolkit Release Notes, table of minimum driver versions for minor version compatibility"},
      {"nvidia.nccl", {"the CUDA toolkit", Where::package_name, "cuda-toolkit-*"}, {"the CUDA that NCCL is built for", Where::build, "libnccl2"},
       {{"*", "=major"}}, "NVIDIA NCCL Installation Guide: choose the build of the installed CUDA"},
      {"nvidia.dcgm", {"DCGM's CUDA", Where::package_name, "datacenter-gpu-manager-4-cuda*"}, driver,
       {{"13*", ">=580"}, {"12*", ">=525.60.13"}, {"11*", ">=450.80.02"}},
       "NVIDIA DCGM documentation, Install DCGM: the package of the CUDA version that the driver supports"},

      // --- AMD ---------------------------------------------------------------------------------------
      {"amd.rocm", {"the amdgpu driver", Where::variable, "amdgpu_version"}, {"ROCm", Where::variable, "rocm_version"},
       {{"30.30*", "7.2*|7.1*|7.0*|6.4*|6.3*"},
        {"6.3*", "6.1*|6.2*|6.3*|6.4*"},
        {"6.2*", "6.0*|6.1*|6.2*|6.3*"},
        {"6.1*", "5.7*|6.0*|6.1*|6.2*|6.3*"},
        {"6.0*", "5.6*|5.7*|6.0*|6.1*|6.2*"}},
       "AMD, User and AMD GPU Driver support matrix; amdgpu documentation, Compatibility matrix"},

      // --- Ascend ------------------------------------------------------------------------------------
      {"ascend.cann", {"CANN", Where::installer, "CANN toolkit"}, {"the NPU driver", Where::installer, "Ascend NPU driver"},
       {{"8.5*", "25.5*|25.3*|25.2*|25.0*"}, {"8.0.RC1*", "24.1*"}},
       "Huawei CANN release notes, Mapping between CANN and driver versions"},
      {"ascend.firmware", {"the NPU driver", Where::installer, "Ascend NPU driver"},
       {"the NPU firmware", Where::installer, "Ascend NPU firmware"},
       {{"25.5*", "7.8*"}, {"25.2*", "7.7*"}, {"25.0*", "7.7*"}, {"24.1*", "7.1*|7.3*|7.5*"}},
       "Huawei Ascend HDK releases: driver and firmware come as one release"},
  };
  return rules;
}

namespace {

struct Found {
  std::string version;
  std::string where;  ///< "package/nvidia-open-580, driver/nvidia.toml:33:1"
  SourcePos pos{};
  bool of_profile = true;
};

bool fits(std::string_view pattern, const std::string& text) {
  return fnmatch(std::string(pattern).c_str(), text.c_str(), 0) == 0;
}

/// Without epoch, revision of the packager, and what a pattern leaves open: 1:580.105.08-0ubuntu1 and
/// 580.105.08* are 580.105.08.
std::string upstream(std::string version) {
  if (const auto colon = version.find(':'); colon != std::string::npos) version.erase(0, colon + 1);
  return version.substr(0, version.find_first_of("*?[-+~"));
}

/// What the * of the pattern stands for, when it begins with a digit; 12-9 is 12.9.
std::string version_in_name(std::string_view pattern, const std::string& name) {
  auto version = name.substr(std::min(name.size(), pattern.find('*')));
  if (version.empty() || std::isdigit(static_cast<unsigned char>(version.front())) == 0) return {};
  if (version.find_first_not_of("0123456789-") == std::string::npos) std::ranges::replace(version, '-', '.');
  return version;
}

std::string built_for(const std::string& version) {
  const auto cuda = version.find("+cuda");
  return cuda == std::string::npos ? std::string{} : version.substr(cuda + 5);
}

/// A template that is not rendered yet says nothing.
bool is_open(std::string_view text) { return text.find("{{") != std::string_view::npos; }

void find_packages(const Side& side, const Stack& stack, std::vector<Found>& found) {
  std::vector<std::string> wanted_names;
  for (const auto& wanted : stack.resources) {
    if (wanted.kind != "package" || !fits(side.name, wanted.name) || wanted.text("state") == "absent") continue;
    wanted_names.push_back(wanted.name);
    std::string version = wanted.text("version");
    bool of_profile = true;
    if (version.empty() && stack.facts != nullptr && side.where != Where::package_name) {
      const auto installed = stack.facts->packages.find(wanted.name);
      if (installed != stack.facts->packages.end()) version = installed->second;
      of_profile = false;
    }
    if (side.where == Where::package_name) version = version_in_name(side.name, wanted.name);
    if (is_open(version) || is_open(wanted.name)) continue;
    if (side.where == Where::build) version = built_for(version);
    if (side.where == Where::package) version = upstream(version);
    if (version.empty()) continue;
    found.push_back({version, fmt::format("{}, {}", wanted.id(), wanted.pos.str()), wanted.pos, of_profile});
  }
  if (stack.facts == nullptr || side.where == Where::package_name || !wanted_names.empty()) return;
  for (const auto& [name, version] : stack.facts->packages) {
    if (!fits(side.name, name)) continue;
    const auto read = side.where == Where::build ? built_for(version) : upstream(version);
    if (!read.empty()) found.push_back({read, fmt::format("{} {} is installed", name, version), {}, false});
  }
}

std::vector<Found> versions_of(const Side& side, const Stack& stack) {
  std::vector<Found> found;
  switch (side.where) {
    case Where::package:
    case Where::package_name:
    case Where::build: find_packages(side, stack, found); break;
    case Where::installer:
      for (const auto& wanted : stack.resources) {
        const auto version = wanted.text("version");
        if (wanted.kind != "installer" || wanted.name != side.name || version.empty() || is_open(version)) continue;
        found.push_back({version, fmt::format("{}, {}", wanted.id(), wanted.pos.str()), wanted.pos});
      }
      break;
    case Where::variable:
      if (const auto* value = find_value(stack.vars, side.name)) {
        found.push_back({value->scalar_text(), fmt::format("{}, {}", side.name, value->pos.str()), value->pos});
      }
      break;
    case Where::kernel:
      // One that the profile installs counts as well as the one that runs until the reboot.
      for (const auto& wanted : stack.resources) {
        const auto version = version_in_name("linux-image-*", wanted.name);
        if (wanted.kind != "package" || !wanted.name.starts_with("linux-image-") || version.empty()) continue;
        found.push_back({version, fmt::format("{}, {}", wanted.id(), wanted.pos.str()), wanted.pos});
      }
      if (stack.facts != nullptr && !stack.facts->kernel.empty()) {
        found.push_back({stack.facts->kernel, "it runs", {}, false});
      }
      break;
  }
  return found;
}

std::vector<std::int64_t> numbers_of(std::string_view version) {
  std::vector<std::int64_t> numbers;
  for (const auto part : split(version, '.')) {
    const auto digits = part.substr(0, part.find_first_not_of("0123456789"));
    const auto number = to_int(digits);
    if (!number) break;
    numbers.push_back(*number);
    if (digits.size() != part.size()) break;
  }
  return numbers;
}

bool is_at_least(std::string_view version, std::string_view least) {
  return !std::ranges::lexicographical_compare(numbers_of(version), numbers_of(least));
}

bool satisfied(std::string_view requirement, const std::string& left, const std::string& right) {
  if (requirement == "=") return left == right;
  if (requirement == "=major") return numbers_of(left).front() == numbers_of(right).front();
  if (requirement.starts_with(">=")) return is_at_least(right, requirement.substr(2));
  const auto choices = split(requirement, '|');
  return std::ranges::any_of(choices, [&](std::string_view choice) { return fits(choice, right); });
}

std::string in_words(std::string_view requirement, const CompatibilityRule& rule) {
  if (requirement == "=") return "they must be equal";
  if (requirement == "=major") return "they must be of one major version";
  if (requirement.starts_with(">=")) {
    return fmt::format("{} must be {} or later", rule.right.what, requirement.substr(2));
  }
  std::vector<std::string> choices;
  for (const auto choice : split(requirement, '|')) choices.emplace_back(choice);
  return fmt::format("{} must be {}", rule.right.what, join(choices, " or "));
}

}  // namespace

std::vector<Incompatibility> incompatibilities(const Stack& stack) {
  std::vector<Incompatibility> all;
  for (const auto& rule : compatibility_rules()) {
    const auto rights = versions_of(rule.right, stack);
    if (rights.empty()) continue;
    for (const auto& left : versions_of(rule.left, stack)) {
      const auto pair = std::ranges::find_if(rule.pairs, [&](const Pairing& one) { return fits(one.left, left.version); });
      if (pair == rule.pairs.end()) continue;
      const auto fine = [&](const Found& right) { return satisfied(pair->right, left.version, right.version); };
      // A node may have several kernels, and boots one: one that fits is enough.
      if (rule.right.where == Where::kernel && std::ranges::any_of(rights, fine)) continue;
      for (const auto& right : rights) {
        // Two packages that a node has already are not this profile's doing.
        if ((!left.of_profile && !right.of_profile) || fine(right)) continue;
        all.push_back({.rule = rule.id,
                       .what = fmt::format("{} {} ({}) does not go with {} {} ({}): {} (rule {}; {})", rule.left.what,
                                           left.version, left.where, rule.right.what, right.version, right.where,
                                           in_words(pair->right, rule), rule.id, rule.source),
                       .pos = left.pos});
      }
    }
  }
  return all;
}

}  // namespace podwright
